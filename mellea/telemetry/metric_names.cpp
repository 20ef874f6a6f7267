#include "mellea/telemetry/metric_names.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "mellea/telemetry/metric_labels.h"

namespace mellea::telemetry {
namespace {

using enum InstrumentKind;
using Buckets = MetricRow::Buckets;

constexpr Key kCall[] = {Fact::provider, Fact::request_model, Fact::operation};
constexpr Key kTokens[] = {Fact::provider, Fact::request_model, Fact::operation, Fact::token_type};
constexpr Key kCounted[] = {Fact::provider, Fact::request_model, Fact::operation,
                            Fact::token_modality};
constexpr Key kDuration[] = {Fact::provider,       Fact::request_model, Fact::operation,
                             Fact::request_stream, Fact::error_type,    Fact::outcome,
                             Fact::cancel_reason};
constexpr Key kEach[] = {Fact::provider, Fact::request_model, Fact::operation, Fact::error_type};
constexpr Key kErrors[] = {Fact::provider, Fact::request_model, Fact::operation,
                           Fact::error_category, Fact::error_type};
constexpr Key kStrategy[] = {kStrategyLabel};
constexpr Key kRequirement[] = {kRequirementLabel};
constexpr Key kFailure[] = {kRequirementLabel, kReasonLabel};
constexpr Key kTool[] = {Fact::tool_name, kStatusLabel};
constexpr Key kBlock[] = {Fact::block_plugin, Fact::block_event, Fact::block_code};
constexpr Key kExporter[] = {Fact::exporter};
constexpr Key kMore[] = {Fact::response_model, Fact::server_address, Fact::server_port};

constexpr auto kTable = std::to_array<MetricRow>({
    {Metric::token_usage, "gen_ai.client.token.usage", "", histogram, "{token}",
     "Tokens of one request: of what went in, or of what came out", kTokens, Buckets::tokens},
    {Metric::duration, "gen_ai.client.operation.duration", "gen_ai.client.inference.duration",
     histogram, "s", "Time from the start of a request to its end, retries included", kDuration,
     Buckets::seconds, false},
    {Metric::first_chunk, "gen_ai.client.operation.time_to_first_chunk",
     "gen_ai.client.inference.time_to_first_chunk", histogram, "s",
     "Time from the start of a streamed request to its first chunk", kCall, Buckets::seconds,
     false},
    {Metric::chunk_interval, "gen_ai.client.operation.time_per_output_chunk",
     "gen_ai.client.inference.time_per_output_chunk", histogram, "s",
     "Time from one chunk of a streamed answer to the next", kCall, Buckets::seconds, false},
    {Metric::errors, "mellea.llm.errors", "mellea.llm.errors", counter, "{error}",
     "Requests that failed", kErrors},
    {Metric::cost, "mellea.llm.cost.usd", "mellea.llm.cost.usd", counter, "USD",
     "What requests cost, by the price of their tokens", kCall, Buckets::none, false},
    {Metric::retries, "mellea.generation.retries", "mellea.generation.retries", counter, "{retry}",
     "How often requests were sent again", kCall},
    {Metric::usage_missing, "mellea.generation.usage_missing", "mellea.generation.usage_missing",
     counter, "{request}", "Requests whose tokens nobody told us", kCall},
    {Metric::parse_failures,
     "mellea.output.parse_failures",
     "mellea.output.parse_failures",
     counter,
     "{failure}",
     "Answers that were not of the format asked for",
     {}},
    {Metric::sampling_attempts, "mellea.sampling.attempts", "mellea.sampling.attempts", counter,
     "{attempt}", "Attempts of sampling strategies", kStrategy},
    {Metric::sampling_successes, "mellea.sampling.successes", "mellea.sampling.successes", counter,
     "{sample}", "Samplings that found an answer that meets its requirements", kStrategy},
    {Metric::sampling_failures, "mellea.sampling.failures", "mellea.sampling.failures", counter,
     "{failure}", "Samplings that ended without such an answer", kStrategy},
    {Metric::requirement_checks, "mellea.requirement.checks", "mellea.requirement.checks", counter,
     "{check}", "Answers checked against a requirement", kRequirement},
    {Metric::requirement_failures, "mellea.requirement.failures", "mellea.requirement.failures",
     counter, "{failure}", "Answers that did not meet a requirement", kFailure},
    {Metric::tool_calls, "mellea.tool.calls", "mellea.tool.calls", counter, "{call}",
     "Calls of tools", kTool},
    {Metric::plugin_blocks, "mellea.plugin.blocks", "mellea.plugin.blocks", counter, "{block}",
     "Operations that a plugin stopped", kBlock},
    {Metric::input_tokens, "", "gen_ai.client.inference.usage.input_tokens", counter, "{token}",
     "Tokens that went in", kCounted},
    {Metric::output_tokens, "", "gen_ai.client.inference.usage.output_tokens", counter, "{token}",
     "Tokens that came out", kCounted},
    {Metric::cache_read_tokens, "", "gen_ai.client.inference.usage.cache_read.input_tokens",
     counter, "{token}", "Tokens that went in and were read from a cache", kCounted},
    {Metric::cache_write_tokens, "", "gen_ai.client.inference.usage.cache_write.input_tokens",
     counter, "{token}", "Tokens that went in and were written to a cache", kCounted},
    {Metric::reasoning_tokens, "", "gen_ai.client.inference.usage.reasoning.output_tokens", counter,
     "{token}", "Tokens that came out and were thinking", kCounted},
    {Metric::input_tokens_each, "", "gen_ai.client.inference.operation.input_tokens", histogram,
     "{token}", "Tokens of one request that went in", kEach, Buckets::tokens},
    {Metric::output_tokens_each, "", "gen_ai.client.inference.operation.output_tokens", histogram,
     "{token}", "Tokens of one request that came out", kEach, Buckets::tokens},
    {Metric::embeddings_duration, "", "gen_ai.client.embeddings.duration", histogram, "s",
     "Time from the start of a request for embeddings to its end, retries included", kDuration,
     Buckets::seconds, false},
    {Metric::embeddings_tokens_each, "", "gen_ai.client.embeddings.operation.input_tokens",
     histogram, "{token}", "Tokens of one request for embeddings", kEach, Buckets::tokens},
    {Metric::spans_exported, "mellea.telemetry.spans.exported", "mellea.telemetry.spans.exported",
     counter, "{span}", "Spans that were delivered", kExporter},
    {Metric::spans_lost, "mellea.telemetry.spans.lost", "mellea.telemetry.spans.lost", counter,
     "{span}", "Spans that were dropped, or given up", kExporter},
    {Metric::spans_waiting, "mellea.telemetry.spans.waiting", "mellea.telemetry.spans.waiting",
     gauge, "{span}", "Spans that wait to be delivered", kExporter},
    {Metric::logs_exported, "mellea.telemetry.logs.exported", "mellea.telemetry.logs.exported",
     counter, "{record}", "Log records that were delivered", kExporter},
    {Metric::logs_lost, "mellea.telemetry.logs.lost", "mellea.telemetry.logs.lost", counter,
     "{record}", "Log records that were dropped, or given up", kExporter},
    {Metric::logs_waiting, "mellea.telemetry.logs.waiting", "mellea.telemetry.logs.waiting", gauge,
     "{record}", "Log records that wait to be delivered", kExporter},
});

constexpr bool in_order() {
  for (std::size_t at = 0; at < kTable.size(); ++at)
    if (static_cast<std::size_t>(kTable[at].metric) != at) return false;
  return true;
}
static_assert(in_order(), "a metric's row stands where its number says");
static_assert(kTable.back().metric == Metric::logs_waiting, "each metric has a row");

std::vector<double> bounds_of(Buckets buckets) {
  if (buckets == Buckets::seconds)
    return {0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92};
  if (buckets == Buckets::tokens)
    return {1,      4,      16,      64,        256,       1'024,      4'096,
            16'384, 65'536, 262'144, 1'048'576, 4'194'304, 16'777'216, 67'108'864};
  return {};
}

}  // namespace

std::span<const MetricRow> metric_table() noexcept { return kTable; }

std::span<const Key> more_labels() noexcept { return kMore; }

std::optional<InstrumentDescription> description_of(Metric metric, Vocabulary vocabulary) {
  const MetricRow& row = kTable[static_cast<std::size_t>(metric)];
  const std::string_view name =
      vocabulary == Vocabulary::otel_2026_10 ? row.name_2026_10 : row.name;
  if (name.empty()) return std::nullopt;
  return InstrumentDescription{.name = std::string(name),
                               .kind = row.kind,
                               .unit = std::string(row.unit),
                               .description = std::string(row.description),
                               .integer = row.integer,
                               .bounds = bounds_of(row.buckets)};
}

std::size_t most_values(const Key& key) noexcept {
  if (const auto* fact = std::get_if<Fact>(&key)) {
    switch (*fact) {
      case Fact::provider:
      case Fact::request_model:
      case Fact::response_model:
      case Fact::server_address: return 100;
      default: return 200;
    }
  }
  const auto* own = std::get_if<std::string_view>(&key);
  const bool ours = *own == kStrategyLabel || *own == kRequirementLabel || *own == kReasonLabel ||
                    *own == kStatusLabel;
  return ours ? 200 : LabelTable::kMostValues;
}

}  // namespace mellea::telemetry
