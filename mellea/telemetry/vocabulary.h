// The names that spans and metrics go by: each audience has its own.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace mellea::telemetry {

enum class Vocabulary : std::uint8_t {
  mellea,         // the contract of Python Mellea
  otel_1_41,      // the GenAI conventions 1.41.1; and all their labels on metrics
  otel_2026_10,   // the GenAI conventions of October 2026
  openinference,  // what Phoenix and Arize read. Of spans alone: metrics are as in `mellea`
  langfuse,       // what Langfuse reads beside any other. Of spans alone
};

// As MELLEA_SEMCONV has it: "otel-1.41".
std::string_view to_string(Vocabulary vocabulary) noexcept;
// "otel-latest" is the newest.
std::optional<Vocabulary> vocabulary_named(std::string_view word) noexcept;
std::string known_vocabularies();  // "mellea, otel-1.41, ..."

// Those that stand on one span: one, or mellea and openinference, whose readers know that a count
// of tokens under two names is one; and langfuse beside any. A value.
class Vocabularies {
 public:
  Vocabularies() = default;  // mellea
  explicit Vocabularies(Vocabulary only) : Vocabularies(together({&only, 1}, {})) {}

  // Of those that don't go together the first counts, and `warn` is told of the pair. None, or
  // langfuse alone, is mellea.
  using Warn = std::function<void(std::string)>;
  static Vocabularies together(std::span<const Vocabulary> wanted, const Warn& warn);

  Vocabulary base() const noexcept { return base_; }
  bool has(Vocabulary vocabulary) const noexcept;
  Vocabulary of_metrics() const noexcept;
  // Where the names are written down; empty where none of them, or more than one, is.
  std::string_view schema_url() const noexcept;

  friend bool operator==(const Vocabularies&, const Vocabularies&) = default;

 private:
  Vocabulary base_ = Vocabulary::mellea;  // not langfuse; mellea where openinference_ goes with it
  bool openinference_ = false;
  bool langfuse_ = false;
};

}  // namespace mellea::telemetry
