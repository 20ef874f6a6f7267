#include "mellea/telemetry/facts.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace mellea::telemetry {
namespace {

using enum FactType;
using enum Gate;
using enum KnownAt;

// Who carries a fact. A batch is a chat that answers several prompts.
constexpr Carriers kSession = carrier(Kind::session);
constexpr Carriers kAgent = carrier(Kind::agent);
constexpr Carriers kAction = carrier(Kind::action);
constexpr Carriers kSampling = carrier(Kind::sampling);
constexpr Carriers kChat = carrier(Kind::generation) | carrier(Kind::batch);
constexpr Carriers kValidation = carrier(Kind::validation);
constexpr Carriers kTool = carrier(Kind::tool);
constexpr Carriers kStream = carrier(Kind::stream);
constexpr Carriers kAnySpan =
    kSession | kAgent | kAction | kSampling | kChat | kValidation | kTool | kStream;
constexpr Carriers kEvent = kEventCarrier;
constexpr Carriers kMetric = kMetricCarrier;
constexpr Carriers kLog = kLogCarrier;

// What it is called elsewhere.
constexpr OtherNames kNotInOi{.openinference = kNone};
constexpr OtherNames kTopK{.openinference = kNone, .number_in_1_41 = true};
constexpr OtherNames oi(std::string_view name) { return {.openinference = name}; }
constexpr OtherNames names(std::string_view otel_1_41, std::string_view otel_2026_10,
                           std::string_view openinference) {
  return {.otel_1_41 = otel_1_41, .otel_2026_10 = otel_2026_10, .openinference = openinference};
}

constexpr auto kTable = std::to_array<FactRow>({
    {Fact::operation, "gen_ai.operation.name", text, none, kChat | kTool | kAgent | kMetric, start,
     kNotInOi},
    {Fact::provider, "gen_ai.provider.name", text, none, kChat | kSession | kStream | kMetric,
     start, kNotInOi},
    {Fact::request_model, "gen_ai.request.model", text, none, kChat | kMetric, start, kNotInOi},
    {Fact::server_address, "server.address", text, none, kChat | kTool | kMetric, start},
    {Fact::server_port, "server.port", integer, none, kChat | kTool | kMetric, start},
    {Fact::conversation_id, "gen_ai.conversation.id", text, none,
     kChat | kAction | kTool | kStream | kAgent, start, oi("session.id")},
    {Fact::component_type, "mellea.component.type", text, none, kChat | kAction | kStream, start},
    {Fact::output_type, "gen_ai.output.type", text, none, kChat, start, kNotInOi},
    {Fact::format_type, "mellea.request.format_type", text, none, kChat, start},
    {Fact::request_stream, "gen_ai.request.stream", boolean, none, kChat | kMetric, start,
     kNotInOi},
    {Fact::tool_calls, "mellea.action.tool_calls", boolean, none, kChat | kAction, start},
    {Fact::temperature, "gen_ai.request.temperature", number, none, kChat, start, kNotInOi},
    {Fact::top_p, "gen_ai.request.top_p", number, none, kChat, start, kNotInOi},
    {Fact::top_k, "gen_ai.request.top_k", integer, none, kChat, start, kTopK},
    {Fact::max_tokens, "gen_ai.request.max_tokens", integer, none, kChat, start, kNotInOi},
    {Fact::seed, "gen_ai.request.seed", integer, none, kChat, start, kNotInOi},
    {Fact::stop_sequences, "gen_ai.request.stop_sequences", texts, none, kChat, start, kNotInOi},
    {Fact::frequency_penalty, "gen_ai.request.frequency_penalty", number, none, kChat, start,
     kNotInOi},
    {Fact::presence_penalty, "gen_ai.request.presence_penalty", number, none, kChat, start,
     kNotInOi},
    {Fact::choice_count, "gen_ai.request.choice.count", integer, none, kChat, start, kNotInOi},
    {Fact::reasoning_level, "gen_ai.request.reasoning.level", text, none, kChat, start,
     names("mellea.request.reasoning.level", kSame, kNone)},
    {Fact::prompt_name, "gen_ai.prompt.name", text, none, kChat | kAction, start, oi("prompt.id")},
    {Fact::prompt_version, "mellea.prompt.version", text, none, kChat | kAction, start,
     names(kSame, "gen_ai.prompt.version", "llm.prompt_template.version")},
    {Fact::prompt_hash, "mellea.prompt.hash", text, none, kAction, start},
    {Fact::context_size, "mellea.request.context_size", integer, none, kChat, start},
    {Fact::num_actions, "mellea.request.num_actions", integer, none, kChat, start},
    {Fact::generation_id, "mellea.generation.id", text, none, kChat | kTool | kValidation | kEvent,
     start},
    {Fact::sampling_iteration, "mellea.sampling.iteration", integer, none,
     kChat | kValidation | kEvent, start},
    {Fact::response_model, "gen_ai.response.model", text, none, kChat | kMetric, end, kNotInOi},
    {Fact::response_id, "gen_ai.response.id", text, none, kChat | kEvent, end, kNotInOi},
    {Fact::finish_reasons, "gen_ai.response.finish_reasons", texts, none, kChat, end, kNotInOi},
    {Fact::time_to_first_chunk, "gen_ai.response.time_to_first_chunk", number, none, kChat, end,
     kNotInOi},
    {Fact::time_to_first_token, "mellea.response.time_to_first_token", number, none, kChat, end},
    {Fact::chunk_count, "mellea.response.chunk_count", integer, none, kChat, end},
    {Fact::input_tokens, "gen_ai.usage.input_tokens", integer, none, kChat, end,
     oi("llm.token_count.prompt"), Counts::input},
    {Fact::output_tokens, "gen_ai.usage.output_tokens", integer, none, kChat, end,
     oi("llm.token_count.completion"), Counts::output},
    {Fact::total_tokens, "mellea.usage.total_tokens", integer, none, kChat, end,
     names(kNone, kNone, "llm.token_count.total"), Counts::total},
    {Fact::cache_read_tokens, "gen_ai.usage.cache_read.input_tokens", integer, none, kChat, end,
     oi("llm.token_count.prompt_details.cache_read"), Counts::of_input},
    {Fact::cache_write_tokens, "gen_ai.usage.cache_creation.input_tokens", integer, none, kChat,
     end,
     names(kSame, "gen_ai.usage.cache_write.input_tokens",
           "llm.token_count.prompt_details.cache_write"),
     Counts::of_input},
    {Fact::reasoning_tokens, "gen_ai.usage.reasoning.output_tokens", integer, none, kChat, end,
     oi("llm.token_count.completion_details.reasoning"), Counts::of_output},
    {Fact::cost, "mellea.usage.cost_usd", number, none, kChat, end, oi("llm.cost.total")},
    {Fact::input_cost, kNone, number, none, kChat, end, oi("llm.cost.prompt")},
    {Fact::output_cost, kNone, number, none, kChat, end, oi("llm.cost.completion")},
    {Fact::retry_count, "mellea.generation.retry_count", integer, none, kChat, end},
    {Fact::batch_failed_count, "mellea.batch.failed_count", integer, none, kChat, end},
    {Fact::usage_partial, "mellea.usage.partial", boolean, none, kChat, end},
    {Fact::service_tier, "openai.response.service_tier", text, none, kChat, end},
    {Fact::system_fingerprint, "openai.response.system_fingerprint", text, none, kChat, end},
    {Fact::outcome, "mellea.outcome", text, none, kAnySpan | kMetric, end},
    {Fact::cancel_reason, "mellea.generation.cancel_reason", text, none, kAnySpan | kMetric, end},
    {Fact::error_type, "error.type", text, none, kAnySpan | kEvent | kMetric, end},
    {Fact::http_status, "http.response.status_code", integer, none, kAnySpan | kEvent, end},
    {Fact::provider_code, "mellea.error.provider_code", text, none, kAnySpan, end},
    {Fact::request_id, "mellea.error.request_id", text, none, kAnySpan, end},
    {Fact::block_plugin, "mellea.block.plugin", text, none, kAnySpan | kMetric, end},
    {Fact::block_code, "mellea.block.code", text, none, kAnySpan | kMetric, end},
    {Fact::unfinished, "mellea.span.unfinished", boolean, none, kAnySpan, end},
    {Fact::session_id, "mellea.session.id", text, none, kSession, start},
    {Fact::context_type, "mellea.session.context_type", text, none, kSession, start},
    {Fact::backend_name, "mellea.session.backend_name", text, none, kSession, start},
    {Fact::default_model, "gen_ai.request.model", text, none, kSession | kStream, start,
     names("mellea.request.model", "mellea.request.model", "mellea.request.model")},
    {Fact::span_class, "openinference.span.kind", text, none, kSession | kStream, start,
     names(kNone, kNone, kSame)},
    {Fact::has_format, "mellea.action.has_format", boolean, none, kAction, start},
    {Fact::has_requirements, "mellea.action.has_requirements", boolean, none, kAction, start},
    {Fact::has_strategy, "mellea.action.has_strategy", boolean, none, kAction, start},
    {Fact::num_generate_logs, "mellea.action.num_generate_logs", integer, none, kAction, end},
    {Fact::response_length, "mellea.action.response_length", integer, none, kAction, end},
    {Fact::strategy_type, "mellea.sampling.strategy_type", text, none, kAction | kSampling, start},
    {Fact::loop_budget, "mellea.sampling.loop_budget", integer, none, kSampling, start},
    {Fact::candidate_count, "mellea.sampling.candidate_count", integer, none, kSampling, start},
    {Fact::sampled_requirements, "mellea.sampling.requirement_count", integer, none, kSampling,
     start},
    {Fact::sampling_success, "mellea.sampling.success", boolean, none, kAction | kSampling, end},
    {Fact::iterations_used, "mellea.sampling.iterations_used", integer, none, kSampling, end},
    {Fact::chosen_iteration, "mellea.sampling.chosen_iteration", integer, none, kAction | kSampling,
     end},
    {Fact::failure_reason, "mellea.sampling.failure_reason", text, none, kSampling, end},
    {Fact::requirement_count, "mellea.validation.requirement_count", integer, none,
     kValidation | kEvent, start},
    {Fact::validation_passed, "mellea.validation.passed", boolean, none, kValidation | kEvent, end},
    {Fact::passed_count, "mellea.validation.passed_count", integer, none, kValidation, end},
    {Fact::failed_count, "mellea.validation.failed_count", integer, none, kValidation | kEvent,
     end},
    {Fact::tool_name, "gen_ai.tool.name", text, none, kTool | kMetric, start, oi("tool.name")},
    {Fact::tool_type, "gen_ai.tool.type", text, none, kTool, start, kNotInOi},
    {Fact::tool_description, "gen_ai.tool.description", text, none, kTool, start,
     oi("tool.description")},
    {Fact::tool_call_id, "gen_ai.tool.call.id", text, none, kTool, start, oi("tool.id")},
    {Fact::arguments_hash, "mellea.tool.arguments_hash", text, none, kTool, start},
    {Fact::is_control_flow, "mellea.tool.is_control_flow", boolean, none, kTool, start},
    {Fact::tool_status, "mellea.tool.status", text, none, kTool, end},
    {Fact::tool_time, "mellea.tool.execution_time_ms", integer, none, kTool, end},
    {Fact::mcp_method, "mcp.method.name", text, none, kTool, end},
    {Fact::mcp_revision, "mcp.protocol.version", text, none, kTool, end},
    {Fact::mcp_session, "mcp.session.id", text, none, kTool, end},
    {Fact::rpc_request_id, "jsonrpc.request.id", text, none, kTool, end},
    {Fact::rpc_status_code, "rpc.response.status_code", text, none, kTool, end},
    {Fact::network_transport, "network.transport", text, none, kTool, end},
    {Fact::agent_name, "gen_ai.agent.name", text, none, kAgent, start, oi("agent.name")},
    {Fact::agent_provider, kNone, text, none, kAgent, start,
     names("gen_ai.provider.name", kNone, kNone)},
    {Fact::agent_max_steps, "mellea.agent.max_steps", integer, none, kAgent, start},
    {Fact::agent_tool_count, "mellea.agent.tool_count", integer, none, kAgent, start},
    {Fact::agent_steps, "mellea.agent.steps", integer, none, kAgent, end},
    {Fact::agent_answered, "mellea.agent.answered", boolean, none, kAgent, end},
    {Fact::stream_has_requirements, "mellea.streaming.has_requirements", boolean, none, kStream,
     start},
    {Fact::stream_requirement_count, "mellea.streaming.requirement_count", integer, none, kStream,
     start},
    {Fact::chunking_strategy, "mellea.streaming.chunking_strategy", text, none, kStream, start},
    {Fact::full_text_length, "mellea.streaming.full_text_length", integer, none, kStream | kEvent,
     end},
    {Fact::exception_type, "exception.type", text, none, kEvent, end},
    {Fact::retry_attempt, "mellea.retry.attempt", integer, none, kEvent, end},
    {Fact::retry_delay, "mellea.retry.delay", number, none, kEvent, end},
    {Fact::batch_index, "mellea.batch.index", integer, none, kEvent, end},
    {Fact::chunk_index, "mellea.generation.chunk_index", integer, none, kEvent, end},
    {Fact::chunk_text_length, "mellea.generation.chunk_text_length", integer, none, kEvent, end},
    {Fact::time_since_last_chunk, "mellea.generation.time_since_last_chunk_ms", number, none,
     kEvent, end},
    {Fact::all_passed, "mellea.sampling.all_validations_passed", boolean, none, kEvent, end},
    {Fact::valid_count, "mellea.validation.valid_count", integer, none, kEvent, end},
    {Fact::repair_iteration, "mellea.sampling.repair_iteration", integer, none, kEvent, end},
    {Fact::repair_type, "mellea.sampling.repair_type", text, none, kEvent, end},
    {Fact::evaluation_name, "gen_ai.evaluation.name", text, none, kEvent, end},
    {Fact::evaluation_score, "gen_ai.evaluation.score.value", number, none, kEvent, end},
    {Fact::evaluation_label, "gen_ai.evaluation.score.label", text, none, kEvent, end},
    {Fact::validation_code, "mellea.validation.code", text, none, kEvent, end},
    {Fact::stream_chunk_index, "mellea.streaming.chunk_index", integer, none, kEvent, end},
    {Fact::stream_chunk_length, "mellea.streaming.chunk_text_length", integer, none, kEvent, end},
    {Fact::stream_success, "mellea.streaming.success", boolean, none, kEvent, end},
    {Fact::stream_error_type, "mellea.error.type", text, none, kEvent, end},
    {Fact::compaction, "mellea.context.compaction", text, none, kEvent, end},
    {Fact::turns_before, "mellea.context.turns_before", integer, none, kEvent, end},
    {Fact::turns_after, "mellea.context.turns_after", integer, none, kEvent, end},
    {Fact::token_type, "gen_ai.token.type", text, none, kMetric, end},
    {Fact::token_modality, "gen_ai.token.modality", text, none, kMetric, end},
    {Fact::error_category, "mellea.error.category", text, none, kMetric, end},
    {Fact::block_event, "mellea.block.event", text, none, kMetric, end},
    {Fact::exporter, "mellea.telemetry.exporter", text, none, kMetric, end},
    {Fact::ignored_option, "mellea.request.option", text, none, kLog, end},
    {Fact::plugin_name, "mellea.plugin.name", text, none, kLog, end},
    {Fact::slow_count, "mellea.plugin.slow_count", integer, none, kLog, end},
    {Fact::signal, "mellea.telemetry.signal", text, none, kLog, end},
    {Fact::lost_count, "mellea.telemetry.lost_count", integer, none, kLog, end},
    {Fact::input_messages, "gen_ai.input.messages", text, content,
     kChat | kAction | kAgent | kStream, start, kNotInOi},
    {Fact::output_messages, "gen_ai.output.messages", text, content,
     kChat | kAction | kAgent | kStream, end, kNotInOi},
    {Fact::system_instructions, "gen_ai.system_instructions", text, content, kChat | kAgent, start,
     kNotInOi},
    {Fact::tool_definitions, "gen_ai.tool.definitions", text, content, kChat | kAgent, start,
     kNotInOi},
    {Fact::tool_call_arguments, "gen_ai.tool.call.arguments", text, content, kTool, start,
     kNotInOi},
    {Fact::tool_call_result, "gen_ai.tool.call.result", text, content, kTool, end, kNotInOi},
    {Fact::prompt_template, "mellea.prompt.template", text, content, kChat | kAction, start,
     oi("llm.prompt_template.template")},
    {Fact::prompt_variables, "mellea.prompt.variables", text, content, kChat | kAction, start,
     names(kSame, kNone, "llm.prompt_template.variables")},
    {Fact::action_response, "mellea.action.response", text, content, kAction | kStream, end,
     kNotInOi},
    {Fact::failure_reasons, "mellea.validation.failure_reasons", texts, content,
     kAction | kSampling | kValidation | kEvent, end},
    {Fact::evaluation_explanation, "gen_ai.evaluation.explanation", text, content, kEvent, end},
    {Fact::exception_message, "exception.message", text, error_message, kEvent, end},
});

constexpr bool in_order() {
  for (std::size_t at = 0; at < kTable.size(); ++at)
    if (static_cast<std::size_t>(kTable[at].fact) != at) return false;
  return true;
}
static_assert(in_order(), "a fact's row stands where its number says");
static_assert(kTable.size() == kFacts, "each fact has a row");

}  // namespace

std::span<const FactRow> fact_table() noexcept { return kTable; }

const FactRow& row_of(Fact fact) noexcept { return kTable[static_cast<std::size_t>(fact)]; }

std::string_view name_of(Fact fact, Vocabulary vocabulary) noexcept {
  const FactRow& row = row_of(fact);
  const auto named = [&](std::string_view name) { return name == kSame ? row.name : name; };
  switch (vocabulary) {
    case Vocabulary::mellea: return row.name;
    case Vocabulary::otel_1_41: return named(row.names.otel_1_41);
    case Vocabulary::otel_2026_10: return named(row.names.otel_2026_10);
    case Vocabulary::openinference: return named(row.names.openinference);
    case Vocabulary::langfuse: break;
  }
  return kNone;
}

bool names_a_fact(std::string_view name) noexcept {
  return std::any_of(kTable.begin(), kTable.end(),
                     [&](const FactRow& row) { return !row.name.empty() && row.name == name; });
}

std::string_view provider_name(std::string_view provider) noexcept {
  return provider == "watsonx" ? "ibm.watsonx.ai" : provider;
}

}  // namespace mellea::telemetry
