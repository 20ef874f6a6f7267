#include "mellea/telemetry/facts.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace mellea::telemetry {
namespace {

using enum FactType;

constexpr auto kTable = std::to_array<FactRow>({
    {Fact::operation, "gen_ai.operation.name", text},
    {Fact::provider, "gen_ai.provider.name", text},
    {Fact::request_model, "gen_ai.request.model", text},
    {Fact::server_address, "server.address", text},
    {Fact::server_port, "server.port", integer},
    {Fact::conversation_id, "gen_ai.conversation.id", text},
    {Fact::component_type, "mellea.component.type", text},
    {Fact::output_type, "gen_ai.output.type", text},
    {Fact::format_type, "mellea.request.format_type", text},
    {Fact::request_stream, "gen_ai.request.stream", boolean},
    {Fact::tool_calls, "mellea.action.tool_calls", boolean},
    {Fact::temperature, "gen_ai.request.temperature", number},
    {Fact::top_p, "gen_ai.request.top_p", number},
    {Fact::top_k, "gen_ai.request.top_k", integer},
    {Fact::max_tokens, "gen_ai.request.max_tokens", integer},
    {Fact::seed, "gen_ai.request.seed", integer},
    {Fact::stop_sequences, "gen_ai.request.stop_sequences", texts},
    {Fact::frequency_penalty, "gen_ai.request.frequency_penalty", number},
    {Fact::presence_penalty, "gen_ai.request.presence_penalty", number},
    {Fact::choice_count, "gen_ai.request.choice.count", integer},
    {Fact::reasoning_level, "gen_ai.request.reasoning.level", text},
    {Fact::context_size, "mellea.request.context_size", integer},
    {Fact::num_actions, "mellea.request.num_actions", integer},
    {Fact::generation_id, "mellea.generation.id", text},
    {Fact::sampling_iteration, "mellea.sampling.iteration", integer},
    {Fact::response_model, "gen_ai.response.model", text},
    {Fact::response_id, "gen_ai.response.id", text},
    {Fact::finish_reasons, "gen_ai.response.finish_reasons", texts},
    {Fact::time_to_first_chunk, "gen_ai.response.time_to_first_chunk", number},
    {Fact::time_to_first_token, "mellea.response.time_to_first_token", number},
    {Fact::chunk_count, "mellea.response.chunk_count", integer},
    {Fact::input_tokens, "gen_ai.usage.input_tokens", integer},
    {Fact::output_tokens, "gen_ai.usage.output_tokens", integer},
    {Fact::total_tokens, "mellea.usage.total_tokens", integer},
    {Fact::cache_read_tokens, "gen_ai.usage.cache_read.input_tokens", integer},
    {Fact::cache_write_tokens, "gen_ai.usage.cache_creation.input_tokens", integer},
    {Fact::reasoning_tokens, "gen_ai.usage.reasoning.output_tokens", integer},
    {Fact::retry_count, "mellea.generation.retry_count", integer},
    {Fact::service_tier, "openai.response.service_tier", text},
    {Fact::system_fingerprint, "openai.response.system_fingerprint", text},
    {Fact::outcome, "mellea.outcome", text},
    {Fact::cancel_reason, "mellea.generation.cancel_reason", text},
    {Fact::error_type, "error.type", text},
    {Fact::http_status, "http.response.status_code", integer},
    {Fact::provider_code, "mellea.error.provider_code", text},
    {Fact::request_id, "mellea.error.request_id", text},
    {Fact::block_plugin, "mellea.block.plugin", text},
    {Fact::block_code, "mellea.block.code", text},
    {Fact::unfinished, "mellea.span.unfinished", boolean},
    {Fact::session_id, "mellea.session.id", text},
    {Fact::context_type, "mellea.session.context_type", text},
    {Fact::backend_name, "mellea.session.backend_name", text},
    {Fact::has_format, "mellea.action.has_format", boolean},
    {Fact::num_generate_logs, "mellea.action.num_generate_logs", integer},
    {Fact::response_length, "mellea.action.response_length", integer},
    {Fact::exception_type, "exception.type", text},
    {Fact::retry_attempt, "mellea.retry.attempt", integer},
    {Fact::retry_delay, "mellea.retry.delay", number},
    {Fact::chunk_index, "mellea.generation.chunk_index", integer},
    {Fact::chunk_text_length, "mellea.generation.chunk_text_length", integer},
    {Fact::time_since_last_chunk, "mellea.generation.time_since_last_chunk_ms", number},
});

constexpr bool in_order() {
  for (std::size_t at = 0; at < kTable.size(); ++at)
    if (static_cast<std::size_t>(kTable[at].fact) != at) return false;
  return true;
}
static_assert(in_order(), "a fact's row stands where its number says");
static_assert(kTable.back().fact == Fact::time_since_last_chunk, "each fact has a row");

}  // namespace

std::span<const FactRow> fact_table() noexcept { return kTable; }

const FactRow& row_of(Fact fact) noexcept { return kTable[static_cast<std::size_t>(fact)]; }

bool names_a_fact(std::string_view name) noexcept {
  return std::any_of(kTable.begin(), kTable.end(),
                     [&](const FactRow& row) { return row.name == name; });
}

std::string_view provider_name(std::string_view provider) noexcept {
  return provider == "watsonx" ? "ibm.watsonx.ai" : provider;
}

}  // namespace mellea::telemetry
