#include "mellea/telemetry/backend_tracing_plugin.h"

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

// Another tracer may have been there before.
void set_header(Headers& headers, std::string_view name, std::string value) {
  std::erase_if(headers, [&](const auto& header) { return header.first == name; });
  headers.emplace_back(name, std::move(value));
}

class BackendTracingPlugin : public Plugin {
 public:
  BackendTracingPlugin(std::shared_ptr<Tracer> tracer, bool chunk_events,
                       std::shared_ptr<const Pricing> pricing,
                       std::shared_ptr<const Content> content)
      : tracer_(std::move(tracer)),
        chunk_events_(chunk_events),
        pricing_(std::move(pricing)),
        content_(std::move(content)) {}

  std::string_view name() const override { return "backend_tracing"; }

  void subscribe(Subscriber& hooks) override {
    follow<GenerationPreCall>(hooks);
    follow<GenerationBatchPreCall>(hooks);
    const How how{.priority = kTelemetryPriority};
    hooks.observe<GenerationRetry>([this](const GenerationRetry& event) { on_retry(event); }, how);
    hooks.observe<GenerationPostCall>([this](const auto& event) { on_end(event); }, how);
    hooks.observe<GenerationError>([this](const auto& event) { on_end(event); }, how);
    hooks.observe<GenerationBatchPostCall>([this](const auto& event) { on_end(event); }, how);
    hooks.observe<GenerationBatchError>([this](const auto& event) { on_end(event); }, how);
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
    const auto begin = [content = content_](SpanRecord& record, const Opening& event) {
      describe(record, event);
      if (content->in_spans()) show_question(record, *event.target, *event.request, *content);
    };
    hooks.transform<Opening>(
        [this, begin](Opening& event) {
          event.trace = open_span(*tracer_, event, begin);
          if (event.trace) set_header(event.headers, "traceparent", event.trace.traceparent());
        },
        how);
    hooks.observe<Opening>(
        [this, begin](const Opening& event) { open_missing_span(*tracer_, event, begin); }, how);
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

  template <class Closing>
  void on_end(const Closing& event) {
    Tracer::Taken span = tracer_->take(event.opening->scope.id());
    if (!span.record) return;
    complete(*span.record, event, pricing_.get());
    const Request& request = *event.opening->request;
    if (content_->in_spans())
      content_->set_replies(*span.record, replies_of(event), event.ending.outcome);
    end_span(*tracer_, event.opening->scope, std::move(span), event.ending, &request);
  }

  const std::shared_ptr<Tracer> tracer_;
  const bool chunk_events_;
  const std::shared_ptr<const Pricing> pricing_;  // null: nobody asks
  const std::shared_ptr<const Content> content_;  // never null
};

}  // namespace

std::shared_ptr<Plugin> make_backend_tracing_plugin(std::shared_ptr<Tracer> tracer,
                                                    bool chunk_events,
                                                    std::shared_ptr<const Pricing> pricing,
                                                    std::shared_ptr<const Content> content) {
  return std::make_shared<BackendTracingPlugin>(std::move(tracer), chunk_events, std::move(pricing),
                                                std::move(content));
}

}  // namespace mellea::telemetry
