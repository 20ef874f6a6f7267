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
    {Fact::prompt_name, "gen_ai.prompt.name", text},
    {Fact::prompt_version, "mellea.prompt.version", text},
    {Fact::prompt_hash, "mellea.prompt.hash", text},
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
    {Fact::cost, "mellea.usage.cost_usd", number},
    {Fact::retry_count, "mellea.generation.retry_count", integer},
    {Fact::batch_failed_count, "mellea.batch.failed_count", integer},
    {Fact::usage_partial, "mellea.usage.partial", boolean},
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
    {Fact::has_requirements, "mellea.action.has_requirements", boolean},
    {Fact::has_strategy, "mellea.action.has_strategy", boolean},
    {Fact::num_generate_logs, "mellea.action.num_generate_logs", integer},
    {Fact::response_length, "mellea.action.response_length", integer},
    {Fact::strategy_type, "mellea.sampling.strategy_type", text},
    {Fact::loop_budget, "mellea.sampling.loop_budget", integer},
    {Fact::candidate_count, "mellea.sampling.candidate_count", integer},
    {Fact::sampled_requirements, "mellea.sampling.requirement_count", integer},
    {Fact::sampling_success, "mellea.sampling.success", boolean},
    {Fact::iterations_used, "mellea.sampling.iterations_used", integer},
    {Fact::chosen_iteration, "mellea.sampling.chosen_iteration", integer},
    {Fact::failure_reason, "mellea.sampling.failure_reason", text},
    {Fact::requirement_count, "mellea.validation.requirement_count", integer},
    {Fact::validation_passed, "mellea.validation.passed", boolean},
    {Fact::passed_count, "mellea.validation.passed_count", integer},
    {Fact::failed_count, "mellea.validation.failed_count", integer},
    {Fact::tool_name, "gen_ai.tool.name", text},
    {Fact::tool_type, "gen_ai.tool.type", text},
    {Fact::tool_description, "gen_ai.tool.description", text},
    {Fact::tool_call_id, "gen_ai.tool.call.id", text},
    {Fact::arguments_hash, "mellea.tool.arguments_hash", text},
    {Fact::is_control_flow, "mellea.tool.is_control_flow", boolean},
    {Fact::tool_status, "mellea.tool.status", text},
    {Fact::tool_time, "mellea.tool.execution_time_ms", integer},
    {Fact::mcp_method, "mcp.method.name", text},
    {Fact::mcp_revision, "mcp.protocol.version", text},
    {Fact::mcp_session, "mcp.session.id", text},
    {Fact::rpc_request_id, "jsonrpc.request.id", text},
    {Fact::rpc_status_code, "rpc.response.status_code", text},
    {Fact::network_transport, "network.transport", text},
    {Fact::agent_name, "gen_ai.agent.name", text},
    {Fact::agent_max_steps, "mellea.agent.max_steps", integer},
    {Fact::agent_tool_count, "mellea.agent.tool_count", integer},
    {Fact::agent_steps, "mellea.agent.steps", integer},
    {Fact::agent_answered, "mellea.agent.answered", boolean},
    {Fact::stream_has_requirements, "mellea.streaming.has_requirements", boolean},
    {Fact::stream_requirement_count, "mellea.streaming.requirement_count", integer},
    {Fact::chunking_strategy, "mellea.streaming.chunking_strategy", text},
    {Fact::full_text_length, "mellea.streaming.full_text_length", integer},
    {Fact::exception_type, "exception.type", text},
    {Fact::retry_attempt, "mellea.retry.attempt", integer},
    {Fact::retry_delay, "mellea.retry.delay", number},
    {Fact::batch_index, "mellea.batch.index", integer},
    {Fact::chunk_index, "mellea.generation.chunk_index", integer},
    {Fact::chunk_text_length, "mellea.generation.chunk_text_length", integer},
    {Fact::time_since_last_chunk, "mellea.generation.time_since_last_chunk_ms", number},
    {Fact::all_passed, "mellea.sampling.all_validations_passed", boolean},
    {Fact::valid_count, "mellea.validation.valid_count", integer},
    {Fact::repair_iteration, "mellea.sampling.repair_iteration", integer},
    {Fact::repair_type, "mellea.sampling.repair_type", text},
    {Fact::evaluation_name, "gen_ai.evaluation.name", text},
    {Fact::evaluation_score, "gen_ai.evaluation.score.value", number},
    {Fact::evaluation_label, "gen_ai.evaluation.score.label", text},
    {Fact::validation_code, "mellea.validation.code", text},
    {Fact::stream_chunk_index, "mellea.streaming.chunk_index", integer},
    {Fact::stream_chunk_length, "mellea.streaming.chunk_text_length", integer},
    {Fact::stream_success, "mellea.streaming.success", boolean},
    {Fact::stream_error_type, "mellea.error.type", text},
    {Fact::compaction, "mellea.context.compaction", text},
    {Fact::turns_before, "mellea.context.turns_before", integer},
    {Fact::turns_after, "mellea.context.turns_after", integer},
    {Fact::token_type, "gen_ai.token.type", text},
    {Fact::token_modality, "gen_ai.token.modality", text},
    {Fact::error_category, "mellea.error.category", text},
    {Fact::block_event, "mellea.block.event", text},
    {Fact::exporter, "mellea.telemetry.exporter", text},
    {Fact::input_messages, "gen_ai.input.messages", text, Gate::content},
    {Fact::output_messages, "gen_ai.output.messages", text, Gate::content},
    {Fact::system_instructions, "gen_ai.system_instructions", text, Gate::content},
    {Fact::tool_definitions, "gen_ai.tool.definitions", text, Gate::content},
    {Fact::tool_call_arguments, "gen_ai.tool.call.arguments", text, Gate::content},
    {Fact::tool_call_result, "gen_ai.tool.call.result", text, Gate::content},
    {Fact::prompt_template, "mellea.prompt.template", text, Gate::content},
    {Fact::prompt_variables, "mellea.prompt.variables", text, Gate::content},
    {Fact::action_response, "mellea.action.response", text, Gate::content},
    {Fact::failure_reasons, "mellea.validation.failure_reasons", texts, Gate::content},
    {Fact::evaluation_explanation, "gen_ai.evaluation.explanation", text, Gate::content},
    {Fact::exception_message, "exception.message", text, Gate::error_message},
});

constexpr bool in_order() {
  for (std::size_t at = 0; at < kTable.size(); ++at)
    if (static_cast<std::size_t>(kTable[at].fact) != at) return false;
  return true;
}
static_assert(in_order(), "a fact's row stands where its number says");
static_assert(kTable.back().fact == Fact::exception_message, "each fact has a row");

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
