#include "mellea/telemetry/generation_facts.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "mellea/telemetry/operation_facts.h"

namespace mellea::telemetry {
namespace {

constexpr auto kProvidersElsewhere =
    std::to_array<std::string_view>({"huggingface", "litellm", "ollama", "openai", "watsonx"});

template <class Optional>
void set_number(SpanRecord& record, Fact fact, const Optional& number) {
  if (number) record.set(fact, *number);
}

void set_options(SpanRecord& record, const ModelOptions& options) {
  set_number(record, Fact::temperature, options.temperature);
  set_number(record, Fact::top_p, options.top_p);
  set_number(record, Fact::top_k, options.top_k);
  set_number(record, Fact::max_tokens, options.max_tokens);
  set_number(record, Fact::seed, options.seed);
  set_number(record, Fact::frequency_penalty, options.frequency_penalty);
  set_number(record, Fact::presence_penalty, options.presence_penalty);
  if (options.choices && *options.choices != 1) record.set(Fact::choice_count, *options.choices);
  if (options.stop) record.set(Fact::stop_sequences, *options.stop);
  if (options.think) set_text(record, Fact::reasoning_level, *options.think);
}

}  // namespace

double seconds(std::chrono::nanoseconds time) noexcept {
  return std::chrono::duration<double>(time).count();
}

std::string_view operation_name(Request::Kind kind) noexcept {
  switch (kind) {
    case Request::Kind::chat: return "chat";
    case Request::Kind::completion: return "text_completion";
    case Request::Kind::embedding: break;
  }
  return "embeddings";
}

SpanKind kind_of(const Target& target) noexcept {
  const bool elsewhere =
      !target.endpoint.local &&
      std::binary_search(kProvidersElsewhere.begin(), kProvidersElsewhere.end(), target.provider);
  return elsewhere ? SpanKind::client : SpanKind::internal;
}

void set_request(SpanRecord& record, const Target& target, const Request& request) {
  record.set(Fact::operation, operation_name(request.kind));
  set_text(record, Fact::provider, provider_name(target.provider));
  set_text(record, Fact::request_model, request.model);
  set_text(record, Fact::server_address, target.endpoint.address);
  if (target.endpoint.port != 0) record.set(Fact::server_port, std::int64_t{target.endpoint.port});
  set_conversation(record, target.conversation);
  if (target.prompt) set_prompt(record, *target.prompt);
  if (request.format) {
    record.set(Fact::output_type, "json");
    set_text(record, Fact::format_type, request.format->name);
  }
  record.set(Fact::tool_calls, !request.tools.empty());
  set_options(record, request.options);
}

void set_reply(SpanRecord& record, const Reply& reply) {
  set_text(record, Fact::response_model, reply.response.model);
  set_text(record, Fact::response_id, reply.response.id);
  set_text(record, Fact::service_tier, reply.response.service_tier);
  set_text(record, Fact::system_fingerprint, reply.response.system_fingerprint);
  if (!reply.finish_reasons.empty()) record.set(Fact::finish_reasons, reply.finish_reasons);
  if (reply.usage) set_usage(record, *reply.usage);
}

void set_usage(SpanRecord& record, const Usage& usage) {
  set_number(record, Fact::input_tokens, usage.input_tokens);
  set_number(record, Fact::output_tokens, usage.output_tokens);
  set_number(record, Fact::total_tokens, usage.total_tokens);
  set_number(record, Fact::cache_read_tokens, usage.cache_read_tokens);
  set_number(record, Fact::cache_write_tokens, usage.cache_write_tokens);
  set_number(record, Fact::reasoning_tokens, usage.reasoning_tokens);
}

void set_effort(SpanRecord& record, const Effort& effort, bool streamed) {
  const Times& times = effort.times;
  if (streamed && times.first_chunk != Instant{})
    record.set(Fact::time_to_first_chunk, seconds(times.first_chunk - times.started));
  if (streamed && times.first_content != Instant{})
    record.set(Fact::time_to_first_token, seconds(times.first_content - times.started));
  if (streamed) record.set(Fact::chunk_count, static_cast<std::int64_t>(effort.chunks));
  if (effort.retries > 0) record.set(Fact::retry_count, std::int64_t{effort.retries});
}

}  // namespace mellea::telemetry
