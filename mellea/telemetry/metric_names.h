// Our own metrics: what is counted, and how each is called.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "mellea/telemetry/config.h"
#include "mellea/telemetry/metric.h"

namespace mellea::telemetry {

enum class Metric : std::uint8_t {
  token_usage,
  duration,
  first_chunk,
  chunk_interval,
  errors,
  cost,
  retries,
  usage_missing,
  parse_failures,
  sampling_attempts,
  sampling_successes,
  sampling_failures,
  requirement_checks,
  requirement_failures,
  tool_calls,
  plugin_blocks,
  // What the newest conventions have instead of token_usage, and for embeddings.
  input_tokens,
  output_tokens,
  cache_read_tokens,
  cache_write_tokens,
  reasoning_tokens,
  input_tokens_each,
  output_tokens_each,
  embeddings_duration,
  embeddings_tokens_each,
  // How telemetry itself fares.
  spans_exported,
  spans_lost,
  spans_waiting,
  logs_exported,
  logs_lost,
  logs_waiting,
};

// The contract's labels that stand for themselves, and on metrics alone.
inline constexpr std::string_view kStrategyLabel = "strategy";
inline constexpr std::string_view kRequirementLabel = "requirement";
inline constexpr std::string_view kReasonLabel = "reason";
inline constexpr std::string_view kStatusLabel = "status";

struct MetricRow {
  enum class Buckets : std::uint8_t { none, seconds, tokens };

  Metric metric{};
  std::string_view name{};          // in `mellea` and `otel_1_41`; empty: it is in neither
  std::string_view name_2026_10{};  // empty: not there
  InstrumentKind kind = InstrumentKind::counter;
  std::string_view unit{};
  std::string_view description{};
  std::span<const Key> labels{};  // all that it may have in `mellea`; the program's own come on top
  Buckets buckets = Buckets::none;
  bool integer = true;
};

// All of them, in their order.
std::span<const MetricRow> metric_table() noexcept;

// Those that the other vocabularies add to what is labelled with a model.
std::span<const Key> more_labels() noexcept;

// Nothing where the vocabulary does not have it.
std::optional<InstrumentDescription> description_of(Metric metric, Vocabulary vocabulary);

// How many values a label may have, before the rest is "other".
std::size_t most_values(const Key& key) noexcept;

}  // namespace mellea::telemetry
