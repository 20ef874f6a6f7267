#include "mellea/telemetry/backend_tracing_plugin.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <utility>

#include "mellea/core/text.h"
#include "mellea/hooks/events.h"
#include "mellea/telemetry/generation_facts.h"
#include "mellea/telemetry/operation_facts.h"
#include "mellea/telemetry/span_events.h"
#include "mellea/telemetry/span_opening.h"

namespace mellea::telemetry {
namespace {

// Of a batch that did not end well: those whose answer did not come, or not to its end.
template <class Closing>
std::int64_t unanswered_prompts(const Closing& event) {
  if (event.ending.outcome == Outcome::ok) return 0;
  if (!event.replies) return number(event.opening->request->prompts.size());
  return std::count_if(event.replies->begin(), event.replies->end(), [](const Reply& reply) {
    return reply.finish_reasons.empty() && reply.embeddings.empty();
  });
}

// Another tracer may have been there before.
void set_header(Headers& headers, std::string_view name, std::string value) {
  std::erase_if(headers, [&](const auto& header) { return header.first == name; });
  headers.emplace_back(name, std::move(value));
}

class BackendTracingPlugin : public Plugin {
 public:
  BackendTracingPlugin(std::shared_ptr<Tracer> tracer, bool chunk_events,
                       std::shared_ptr<const Pricing> pricing)
      : tracer_(std::move(tracer)), chunk_events_(chunk_events), pricing_(std::move(pricing)) {}

  std::string_view name() const override { return "backend_tracing"; }

  void subscribe(Subscriber& hooks) override {
    follow<GenerationPreCall>(hooks);
    follow<GenerationBatchPreCall>(hooks);
    const How how{.priority = kTelemetryPriority};
    hooks.observe<GenerationRetry>([this](const GenerationRetry& event) { on_retry(event); }, how);
    hooks.observe<GenerationPostCall>([this](const auto& event) { on_end(event); }, how);
    hooks.observe<GenerationError>([this](const auto& event) { on_end(event); }, how);
    hooks.observe<GenerationBatchPostCall>([this](const auto& event) { on_batch_end(event); }, how);
    hooks.observe<GenerationBatchError>([this](const auto& event) { on_batch_end(event); }, how);
    if (chunk_events_)
      hooks.observe<GenerationEvent>([this](const GenerationEvent& event) { on_chunk(event); },
                                     how);
  }

 private:
  // The span opens in a transform, so that it shows what is really sent and its ids can go along;
  // where a stop has skipped the transforms, it opens when the stop is told.
  template <class Opening>
  void follow(Subscriber& hooks) {
    const How how{.priority = kTelemetryPriority};
    hooks.transform<Opening>(
        [this](Opening& event) {
          event.trace = open_span(*tracer_, event, describe<Opening>);
          if (event.trace) set_header(event.headers, "traceparent", event.trace.traceparent());
        },
        how);
    hooks.observe<Opening>(
        [this](const Opening& event) { open_missing_span(*tracer_, event, describe<Opening>); },
        how);
  }

  template <class Opening>
  static void describe(SpanRecord& record, const Opening& event) {
    const Target& target = *event.target;
    const Request& request = *event.request;
    const std::string_view operation = operation_name(request.kind);
    record.name = request.model.empty() ? operation : record.kept(operation, request.model);
    record.library = "mellea.backend";
    record.kind = kind_of(target);
    set_request(record, target, request);
    if constexpr (std::is_same_v<Opening, GenerationPreCall>) {
      set_text(record, Fact::component_type, target.component);
      if (request.stream) record.set(Fact::request_stream, true);
      record.set(Fact::context_size, number(target.context_size));
    } else {
      record.set(Fact::num_actions, number(request.prompts.size()));
    }
    record.set(Fact::generation_id, event.scope.id().text());
    set_iteration(record, event.scope);
  }

  void on_retry(const GenerationRetry& event) {
    const Notice& notice = event.notice;
    std::array<Attribute, 5> attributes{{
        {Fact::retry_attempt, std::int64_t{notice.attempt}},
        {Fact::error_type, to_string(notice.category)},
        {Fact::retry_delay, std::chrono::duration<double>(notice.delay).count()},
    }};
    std::size_t count = 3;
    if (notice.http_status != 0)
      attributes[count++] = {Fact::http_status, std::int64_t{notice.http_status}};
    if (event.index >= 0) attributes[count++] = {Fact::batch_index, std::int64_t{event.index}};
    tracer_->update(event.scope.id(), [&](SpanRecord& record) {
      record.add_event(span_event::kRetry, event.at, std::span(attributes).first(count));
    });
  }

  void on_chunk(const GenerationEvent& event) {
    const auto* text = std::get_if<std::string>(&event.chunk->what);
    std::array<Attribute, 3> attributes{{
        {Fact::chunk_index, number(event.index)},
        {Fact::chunk_text_length, number(text ? code_points(*text) : 0)},
    }};
    tracer_->update(event.scope.id(), [&](SpanRecord& record) {
      if (!record.find(Fact::request_stream)) return;
      std::size_t count = 2;
      if (const auto& before = record.events();
          !before.empty() && before.back().name == span_event::kChunkProcessed) {
        const std::int64_t ns = record.unix_time(event.chunk->at) - before.back().at;
        attributes[count++] = {Fact::time_since_last_chunk, static_cast<double>(ns) / 1e6};
      }
      record.add_event(span_event::kChunkProcessed, event.chunk->at,
                       std::span(attributes).first(count));
    });
  }

  // What is known of the answer stands there however it ended.
  template <class Closing>
  void on_end(const Closing& event) {
    Tracer::Taken span = tracer_->take(event.opening->scope.id());
    if (!span.record) return;
    if (event.reply) {
      const Reply& reply = *event.reply;
      set_reply(*span.record, reply);
      if (reply.usage) set_cost(*span.record, *event.opening, &reply.response, *reply.usage);
    }
    set_effort(*span.record, event.effort, event.opening->request->stream);
    end_span(*tracer_, event.opening->scope, std::move(span), event.ending);
  }

  template <class Closing>
  void on_batch_end(const Closing& event) {
    Tracer::Taken span = tracer_->take(event.opening->scope.id());
    if (!span.record) return;
    const std::int64_t unanswered = unanswered_prompts(event);
    if (unanswered != 0) span.record->set(Fact::batch_failed_count, unanswered);
    if (event.usage) {
      if (unanswered != 0) span.record->set(Fact::usage_partial, true);
      const bool any = event.replies && !event.replies->empty();
      set_usage(*span.record, *event.usage);
      set_cost(*span.record, *event.opening, any ? &event.replies->front().response : nullptr,
               *event.usage);
    }
    set_effort(*span.record, event.effort, false);
    end_span(*tracer_, event.opening->scope, std::move(span), event.ending);
  }

  template <class Opening>
  void set_cost(SpanRecord& record, const Opening& opening, const ResponseInfo* response,
                const Usage& usage) {
    if (!pricing_) return;
    const auto cost = pricing_->cost({.provider = opening.target->provider,
                                      .model = opening.request->model,
                                      .endpoint = opening.target->endpoint,
                                      .response = response,
                                      .usage = usage});
    if (cost) record.set(Fact::cost, *cost);
  }

  const std::shared_ptr<Tracer> tracer_;
  const bool chunk_events_;
  const std::shared_ptr<const Pricing> pricing_;  // null: nobody asks
};

}  // namespace

std::shared_ptr<Plugin> make_backend_tracing_plugin(std::shared_ptr<Tracer> tracer,
                                                    bool chunk_events,
                                                    std::shared_ptr<const Pricing> pricing) {
  return std::make_shared<BackendTracingPlugin>(std::move(tracer), chunk_events,
                                                std::move(pricing));
}

}  // namespace mellea::telemetry
