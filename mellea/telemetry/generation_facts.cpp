#include "mellea/telemetry/generation_facts.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "mellea/core/text.h"
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

void set_usage(SpanRecord& record, const Usage& usage) {
  set_number(record, Fact::input_tokens, usage.input_tokens);
  set_number(record, Fact::output_tokens, usage.output_tokens);
  set_number(record, Fact::total_tokens, usage.total_tokens);
  set_number(record, Fact::cache_read_tokens, usage.cache_read_tokens);
  set_number(record, Fact::cache_write_tokens, usage.cache_write_tokens);
  set_number(record, Fact::reasoning_tokens, usage.reasoning_tokens);
}

void set_reply(SpanRecord& record, const Reply& reply) {
  set_text(record, Fact::response_model, reply.response.model);
  set_text(record, Fact::response_id, reply.response.id);
  set_text(record, Fact::service_tier, reply.response.service_tier);
  set_text(record, Fact::system_fingerprint, reply.response.system_fingerprint);
  if (!reply.finish_reasons.empty()) record.set(Fact::finish_reasons, reply.finish_reasons);
  if (reply.usage) set_usage(record, *reply.usage);
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

template <class Opening>
void set_cost(SpanRecord& record, const Opening& opening, const ResponseInfo* response,
              const Usage& usage, const Pricing* pricing) {
  if (!pricing) return;
  const auto cost = pricing->cost({.provider = opening.target->provider,
                                   .model = opening.request->model,
                                   .endpoint = opening.target->endpoint,
                                   .response = response,
                                   .usage = usage,
                                   .scope = opening.scope,
                                   .trace = opening.trace});
  if (!cost) return;
  record.set(Fact::cost, cost->whole);
  if (cost->input) record.set(Fact::input_cost, *cost->input);
  if (cost->output) record.set(Fact::output_cost, *cost->output);
}

template <class Opening>
void begin(SpanRecord& record, const Opening& event) {
  const Target& target = *event.target;
  const Request& request = *event.request;
  const std::string_view operation = operation_name(request.kind);
  record.name = request.model.empty() ? operation : record.kept(operation, request.model);
  record.library = "mellea.backend";
  record.kind = kind_of(target);
  set_request(record, target, request);
}

template <class Opening>
void set_place(SpanRecord& record, const Opening& event) {
  record.set(Fact::generation_id, event.scope.id().text());
  set_iteration(record, event.scope);
}

template <class Closing>
void complete_one(SpanRecord& record, const Closing& event, const Pricing* pricing) {
  if (event.reply) {
    const Reply& reply = *event.reply;
    set_reply(record, reply);
    if (reply.usage) set_cost(record, *event.opening, &reply.response, *reply.usage, pricing);
  }
  set_effort(record, event.effort, event.opening->request->stream);
}

// Of a batch that did not end well: those whose answer did not come, or not to its end.
template <class Closing>
std::int64_t unanswered_prompts(const Closing& event) {
  if (event.ending.outcome == Outcome::ok) return 0;
  if (!event.replies) return number(event.opening->request->prompts.size());
  return std::count_if(event.replies->begin(), event.replies->end(), [](const Reply& reply) {
    return reply.finish_reasons.empty() && reply.embeddings.empty();
  });
}

template <class Closing>
void complete_batch(SpanRecord& record, const Closing& event, const Pricing* pricing) {
  const std::int64_t unanswered = unanswered_prompts(event);
  if (unanswered != 0) record.set(Fact::batch_failed_count, unanswered);
  if (event.usage) {
    if (unanswered != 0) record.set(Fact::usage_partial, true);
    const bool any = event.replies && !event.replies->empty();
    set_usage(record, *event.usage);
    set_cost(record, *event.opening, any ? &event.replies->front().response : nullptr, *event.usage,
             pricing);
  }
  set_effort(record, event.effort, false);
}

std::span<const Reply> one(const std::shared_ptr<const Reply>& reply) noexcept {
  return {reply.get(), reply ? std::size_t{1} : 0};
}
std::span<const Reply> all(const std::shared_ptr<const std::vector<Reply>>& replies) noexcept {
  return replies ? std::span<const Reply>(*replies) : std::span<const Reply>();
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

void describe(SpanRecord& record, const GenerationPreCall& event) {
  begin(record, event);
  set_text(record, Fact::component_type, event.target->component);
  if (event.request->stream) record.set(Fact::request_stream, true);
  record.set(Fact::context_size, number(event.target->context_size));
  set_place(record, event);
}

void describe(SpanRecord& record, const GenerationBatchPreCall& event) {
  begin(record, event);
  record.set(Fact::num_actions, number(event.request->prompts.size()));
  set_place(record, event);
}

void show_question(SpanRecord& record, const Target& target, const Request& request,
                   const Content& content) {
  content.set_request(record, request);
  if (target.prompt) content.set_prompt(record, *target.prompt);
}

void complete(SpanRecord& record, const GenerationPostCall& event, const Pricing* pricing) {
  complete_one(record, event, pricing);
}
void complete(SpanRecord& record, const GenerationError& event, const Pricing* pricing) {
  complete_one(record, event, pricing);
}
void complete(SpanRecord& record, const GenerationBatchPostCall& event, const Pricing* pricing) {
  complete_batch(record, event, pricing);
}
void complete(SpanRecord& record, const GenerationBatchError& event, const Pricing* pricing) {
  complete_batch(record, event, pricing);
}

std::span<const Reply> replies_of(const GenerationPostCall& event) noexcept {
  return one(event.reply);
}
std::span<const Reply> replies_of(const GenerationError& event) noexcept {
  return one(event.reply);
}
std::span<const Reply> replies_of(const GenerationBatchPostCall& event) noexcept {
  return all(event.replies);
}
std::span<const Reply> replies_of(const GenerationBatchError& event) noexcept {
  return all(event.replies);
}

}  // namespace mellea::telemetry
