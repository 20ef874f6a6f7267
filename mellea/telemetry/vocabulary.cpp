#include "mellea/telemetry/vocabulary.h"

#include <algorithm>
#include <array>

namespace mellea::telemetry {
namespace {

struct Word {
  std::string_view word{};
  Vocabulary vocabulary{};
};
constexpr auto kWords = std::to_array<Word>({
    {"mellea", Vocabulary::mellea},
    {"otel-1.41", Vocabulary::otel_1_41},
    {"otel-2026-10", Vocabulary::otel_2026_10},
    {"otel-latest", Vocabulary::otel_2026_10},
    {"openinference", Vocabulary::openinference},
    {"langfuse", Vocabulary::langfuse},
});

bool go_together(Vocabulary one, Vocabulary other) {
  const auto are = [&](Vocabulary first, Vocabulary second) {
    return one == first && other == second;
  };
  return are(Vocabulary::mellea, Vocabulary::openinference) ||
         are(Vocabulary::openinference, Vocabulary::mellea);
}

}  // namespace

std::string_view to_string(Vocabulary vocabulary) noexcept {
  const auto* found = std::find_if(kWords.begin(), kWords.end(),
                                   [&](const Word& row) { return row.vocabulary == vocabulary; });
  return found == kWords.end() ? std::string_view() : found->word;
}

std::optional<Vocabulary> vocabulary_named(std::string_view word) noexcept {
  const auto* found =
      std::find_if(kWords.begin(), kWords.end(), [&](const Word& row) { return row.word == word; });
  return found == kWords.end() ? std::nullopt : std::optional(found->vocabulary);
}

std::string known_vocabularies() {
  std::string known;
  for (const Word& row : kWords) known.append(known.empty() ? "" : ", ").append(row.word);
  return known;
}

Vocabularies Vocabularies::together(std::span<const Vocabulary> wanted, const Warn& warn) {
  Vocabularies all;
  std::optional<Vocabulary> first;
  for (const Vocabulary one : wanted) {
    if (one == Vocabulary::langfuse) {
      all.langfuse_ = true;
    } else if (!first) {
      first = one;
    } else if (go_together(*first, one)) {
      all.openinference_ = true;
    } else if (one != *first && warn) {
      warn(std::string(to_string(*first)) + " and " + std::string(to_string(one)) +
           " can't stand on one span, for tokens would count twice: " +
           std::string(to_string(*first)) + " is used");
    }
  }
  all.base_ = all.openinference_ ? Vocabulary::mellea : first.value_or(Vocabulary::mellea);
  return all;
}

bool Vocabularies::has(Vocabulary vocabulary) const noexcept {
  if (vocabulary == Vocabulary::langfuse) return langfuse_;
  return vocabulary == base_ || (vocabulary == Vocabulary::openinference && openinference_);
}

Vocabulary Vocabularies::of_metrics() const noexcept {
  return base_ == Vocabulary::openinference ? Vocabulary::mellea : base_;
}

std::string_view Vocabularies::schema_url() const noexcept {
  if (langfuse_) return {};
  if (base_ == Vocabulary::otel_1_41) return "https://opentelemetry.io/schemas/1.41.1";
  if (base_ == Vocabulary::otel_2026_10)
    return "https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev";
  return {};
}

}  // namespace mellea::telemetry
