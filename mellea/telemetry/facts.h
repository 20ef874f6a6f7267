// What spans, metrics and log records can say. Code names facts; how each is called on the wire, in
// each vocabulary, is a row of one table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "mellea/core/scope.h"
#include "mellea/telemetry/vocabulary.h"

namespace mellea::telemetry {

enum class Fact : std::uint16_t {
  // What is asked of a model.
  operation,
  provider,
  request_model,
  server_address,
  server_port,
  conversation_id,
  component_type,
  output_type,
  format_type,
  request_stream,
  tool_calls,
  temperature,
  top_p,
  top_k,
  max_tokens,
  seed,
  stop_sequences,
  frequency_penalty,
  presence_penalty,
  choice_count,
  reasoning_level,
  prompt_name,
  prompt_version,
  prompt_hash,
  context_size,
  num_actions,
  generation_id,
  sampling_iteration,
  // What came of it.
  response_model,
  response_id,
  finish_reasons,
  time_to_first_chunk,
  time_to_first_token,
  chunk_count,
  input_tokens,
  output_tokens,
  total_tokens,
  cache_read_tokens,
  cache_write_tokens,
  reasoning_tokens,
  cost,
  input_cost,
  output_cost,
  retry_count,
  batch_failed_count,
  usage_partial,
  service_tier,
  system_fingerprint,
  // How an operation ended.
  outcome,
  cancel_reason,
  error_type,
  http_status,
  provider_code,
  request_id,
  block_plugin,
  block_code,
  unfinished,
  // Sessions and actions.
  session_id,
  context_type,
  backend_name,
  default_model,  // of a session, and what a stream asked: no request
  span_class,     // tells who reads OpenInference that they are none
  has_format,
  has_requirements,
  has_strategy,
  num_generate_logs,
  response_length,
  // Samplings and validations.
  strategy_type,
  loop_budget,
  candidate_count,
  sampled_requirements,
  sampling_success,
  iterations_used,
  chosen_iteration,
  failure_reason,
  requirement_count,
  validation_passed,
  passed_count,
  failed_count,
  // Tools and agents.
  tool_name,
  tool_type,
  tool_description,
  tool_call_id,
  arguments_hash,
  is_control_flow,
  tool_status,
  tool_time,
  mcp_method,
  mcp_revision,
  mcp_session,
  rpc_request_id,
  rpc_status_code,
  network_transport,
  agent_name,
  agent_provider,
  agent_max_steps,
  agent_tool_count,
  agent_steps,
  agent_answered,
  // Streams.
  stream_has_requirements,
  stream_requirement_count,
  chunking_strategy,
  full_text_length,
  // Of span events.
  exception_type,
  retry_attempt,
  retry_delay,
  batch_index,
  chunk_index,
  chunk_text_length,
  time_since_last_chunk,
  all_passed,
  valid_count,
  repair_iteration,
  repair_type,
  evaluation_name,
  evaluation_score,
  evaluation_label,
  validation_code,
  stream_chunk_index,
  stream_chunk_length,
  stream_success,
  stream_error_type,
  compaction,
  turns_before,
  turns_after,
  // Of metrics alone.
  token_type,
  token_modality,
  error_category,
  block_event,
  exporter,
  // Of log records alone.
  ignored_option,
  plugin_name,
  slow_count,
  signal,
  lost_count,
  // What was said: only where it is asked for. Messages, instructions, tools and variables are JSON
  // texts, arguments and results are where they were; docs/telemetry.md says of which shape.
  input_messages,
  output_messages,
  system_instructions,
  tool_definitions,
  tool_call_arguments,
  tool_call_result,
  prompt_template,
  prompt_variables,
  action_response,
  failure_reasons,
  evaluation_explanation,
  exception_message,
};

inline constexpr std::size_t kFacts = static_cast<std::size_t>(Fact::exception_message) + 1;

enum class FactType : std::uint8_t { text, integer, number, boolean, texts };

// What has to be asked for before a fact is recorded.
enum class Gate : std::uint8_t {
  none,
  content,        // what was said to the model, and by it
  error_message,  // what a provider, a tool or a plugin said of a failure
};

// What may say a fact: spans by what they trace, their events, metrics, and log records. Bits.
using Carriers = std::uint16_t;
constexpr Carriers carrier(Kind kind) noexcept {
  return static_cast<Carriers>(1U << static_cast<unsigned>(kind));
}
inline constexpr Carriers kEventCarrier = 1U << 9U;
inline constexpr Carriers kMetricCarrier = 1U << 10U;
inline constexpr Carriers kLogCarrier = 1U << 11U;  // of those that nothing else says

// When it is known: what is known at the start of a span is there for a sampler.
enum class KnownAt : std::uint8_t { start, end };

// What it counts of tokens. Receivers that add up may get a part only if they know it is one.
enum class Counts : std::uint8_t { nothing, input, output, total, of_input, of_output };

inline constexpr std::string_view kNone{};     // it has no name there, so it is not said
inline constexpr std::string_view kSame{"="};  // as in `mellea`

// What the other vocabularies call it. Of `openinference` and `langfuse` this is half: what stands
// there for several facts at once, or is made of one, is in openinference.h and langfuse.h.
struct OtherNames {
  std::string_view otel_1_41 = kSame;
  std::string_view otel_2026_10 = kSame;
  std::string_view openinference = kSame;
  bool number_in_1_41 = false;  // its type there, where it is an integer in the others
};

struct FactRow {
  Fact fact{};
  std::string_view name{};  // in the vocabulary `mellea`
  FactType type{};
  Gate gate = Gate::none;
  Carriers on = 0;
  KnownAt known = KnownAt::end;
  OtherNames names{};
  Counts counts = Counts::nothing;
};

// All facts, in their order.
std::span<const FactRow> fact_table() noexcept;
const FactRow& row_of(Fact fact) noexcept;
// In `mellea`, and on metrics in all vocabularies.
inline std::string_view name_of(Fact fact) noexcept { return row_of(fact).name; }
// kNone where it is not said, or only as a part of something else.
std::string_view name_of(Fact fact, Vocabulary vocabulary) noexcept;

// Whether `name` is what a fact is called in `mellea`.
bool names_a_fact(std::string_view name) noexcept;

// The name under which the conventions know a provider.
std::string_view provider_name(std::string_view provider) noexcept;

}  // namespace mellea::telemetry
