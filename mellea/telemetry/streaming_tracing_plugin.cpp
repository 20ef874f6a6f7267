#include "mellea/telemetry/streaming_tracing_plugin.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "mellea/core/text.h"
#include "mellea/hooks/events.h"
#include "mellea/telemetry/operation_facts.h"
#include "mellea/telemetry/span_events.h"
#include "mellea/telemetry/span_opening.h"

namespace mellea::telemetry {
namespace {

constexpr How kHow{.priority = kTelemetryPriority + 2};

// The reference's class for it.
std::string_view chunking_class(std::string_view chunking) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kClasses{{
      {"delta", "none"},
      {"line", "LineChunking"},
      {"paragraph", "ParagraphChunking"},
      {"sentence", "SentenceChunking"},
      {"word", "WordChunking"},
  }};
  const auto* found = std::find_if(kClasses.begin(), kClasses.end(),
                                   [&](const auto& row) { return row.first == chunking; });
  return found == kClasses.end() ? chunking : found->second;
}

void describe(SpanRecord& record, const StreamingStart& event) {
  record.name = "stream";
  set_text(record, Fact::component_type, event.component);
  set_conversation(record, event.conversation);
  record.set(Fact::stream_has_requirements, !event.requirements.empty());
  record.set(Fact::stream_requirement_count, number(event.requirements.size()));
  record.set(Fact::chunking_strategy, chunking_class(event.chunking));
  record.set(Fact::span_class, kNoGeneration);
}

// Writes one moment down. What tells how it ended is kept even where there are too many others.
struct Moment {
  SpanRecord& record;
  Instant at;

  void operator()(const QuickCheck& check) const {
    const Attribute attributes[] = {
        {Fact::stream_chunk_index, number(check.chunk)},
        {Fact::validation_passed, check.passed},
        {Fact::requirement_count, number(check.checks.size())},
    };
    if (check.passed)
      record.add_event(span_event::kQuickCheck, at, attributes);
    else
      record.add_last_event(span_event::kQuickCheck, at, attributes);
  }
  void operator()(const StreamedChunk& chunk) const {
    const Attribute attributes[] = {
        {Fact::stream_chunk_index, number(chunk.index)},
        {Fact::stream_chunk_length, number(code_points(chunk.text))},
    };
    record.add_event(span_event::kChunk, at, attributes);
  }
  void operator()(const StreamingDone& done) const {
    const Attribute length{Fact::full_text_length, number(done.length)};
    record.add_last_event(span_event::kStreamingDone, at, {&length, 1});
  }
  void operator()(const FullValidation& validation) const {
    const Attribute attributes[] = {
        {Fact::validation_passed, validation.passed},
        {Fact::requirement_count, number(validation.checks.size())},
    };
    record.add_last_event(span_event::kFullValidation, at, attributes);
  }
  void operator()(const StreamRetry& retry) const {
    const Attribute attributes[] = {
        {Fact::retry_attempt, std::int64_t{retry.attempt}},
        {Fact::error_type, kRequirementFailed},
    };
    record.add_last_event(span_event::kRetry, at, attributes);
  }
  void operator()(const StreamFailure& failure) const {
    const Errc code = failure.error ? failure.error->code() : Errc::unknown;
    const Attribute type{Fact::stream_error_type, to_string(code)};
    record.add_last_event(span_event::kError, at, {&type, 1});
  }
  void operator()(const StreamCompleted& completed) const {
    const Attribute attributes[] = {
        {Fact::stream_success, completed.success},
        {Fact::full_text_length, number(completed.length)},
    };
    record.add_last_event(span_event::kCompleted, at, attributes);
  }
};

bool ended_by_requirement(const StreamingEnd& event) {
  const Outcome outcome = event.ending.outcome;
  return event.failures && !event.failures->empty() &&
         (outcome == Outcome::ok || outcome == Outcome::cancelled);
}

class StreamingTracingPlugin : public Plugin {
 public:
  StreamingTracingPlugin(std::shared_ptr<Tracer> tracer, std::shared_ptr<const Content> content)
      : tracer_(std::move(tracer)), content_(std::move(content)) {}

  std::string_view name() const override { return "streaming_tracing"; }

  void subscribe(Subscriber& hooks) override {
    open_spans<StreamingStart>(hooks, tracer_, kHow, describe);
    hooks.observe<StreamingEvent>(
        [this](const StreamingEvent& event) {
          tracer_->update(event.scope.id(), [&](SpanRecord& record) {
            std::visit(Moment{record, event.at}, *event.what);
          });
        },
        kHow);
    hooks.observe<StreamingEnd>([this](const StreamingEnd& event) { on_end(event); }, kHow);
  }

 private:
  void on_end(const StreamingEnd& event) {
    const Scope& scope = event.opening->scope;
    Tracer::Taken span = tracer_->take(scope.id());
    if (!span.record) return;
    SpanRecord& record = *span.record;
    record.set(Fact::full_text_length, number(event.length));
    if (event.generation) {
      record.set(Fact::provider, provider_name(event.generation->target->provider));
      set_text(record, Fact::default_model, event.generation->request->model);
    }
    if (event.failures)
      for (const Checked& failed : *event.failures)
        add_evaluation(record, failed, event.ending.at, *content_);
    if (ended_by_requirement(event))
      end_span_unmet(*tracer_, std::move(span), event.ending.at);
    else
      end_span(*tracer_, scope, std::move(span), event.ending);
  }

  const std::shared_ptr<Tracer> tracer_;
  const std::shared_ptr<const Content> content_;  // never null
};

}  // namespace

std::shared_ptr<Plugin> make_streaming_tracing_plugin(std::shared_ptr<Tracer> tracer,
                                                      std::shared_ptr<const Content> content) {
  return std::make_shared<StreamingTracingPlugin>(std::move(tracer), std::move(content));
}

}  // namespace mellea::telemetry
