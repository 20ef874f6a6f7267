#include "mellea/telemetry/session_tracing_plugin.h"

#include <utility>

#include "mellea/hooks/events.h"
#include "mellea/telemetry/operation_facts.h"
#include "mellea/telemetry/span_events.h"
#include "mellea/telemetry/span_opening.h"

namespace mellea::telemetry {
namespace {

constexpr How kHow{.priority = kTelemetryPriority};

// The class that the contract's attribute names.
std::string_view context_type(Context::Kind kind) {
  return kind == Context::Kind::chat ? "ChatContext" : "SimpleContext";
}

void describe(SpanRecord& record, const SessionPreInit& event) {
  record.name = "session";
  record.set(Fact::session_id, event.scope.id().text());
  record.set(Fact::context_type, context_type(event.context));
  set_text(record, Fact::provider, provider_name(event.backend));
  set_text(record, Fact::backend_name, event.backend);
  set_text(record, Fact::default_model, event.model);
  record.set(Fact::span_class, kNoGeneration);
}

class SessionTracingPlugin : public Plugin {
 public:
  explicit SessionTracingPlugin(std::shared_ptr<Tracer> tracer) : tracer_(std::move(tracer)) {}

  std::string_view name() const override { return "session_tracing"; }

  void subscribe(Subscriber& hooks) override {
    hooks.transform<SessionPreInit>(
        [this](SessionPreInit& event) {
          if (event.span) event.trace = open_span(*tracer_, event, describe);
        },
        kHow);
    hooks.observe<SessionPreInit>(
        [this](const SessionPreInit& event) {
          if (event.span) open_missing_span(*tracer_, event, describe);
        },
        kHow);
    hooks.observe<ContextCompacted>([this](const auto& event) { on_compacted(event); }, kHow);
    close_spans<SessionCleanup>(hooks, tracer_, kHow);
  }

 private:
  // Stands on the span of the action that caused it, or on the session's.
  void on_compacted(const ContextCompacted& event) {
    const Attribute attributes[] = {
        {Fact::compaction, event.how},
        {Fact::turns_before, number(event.before.size())},
        {Fact::turns_after, number(event.after.size())},
    };
    const Instant now = Instant::clock::now();
    tracer_->update(event.scope.id(), [&](SpanRecord& record) {
      record.add_event(span_event::kContextCompacted, now, attributes);
    });
  }

  const std::shared_ptr<Tracer> tracer_;
};

}  // namespace

std::shared_ptr<Plugin> make_session_tracing_plugin(std::shared_ptr<Tracer> tracer) {
  return std::make_shared<SessionTracingPlugin>(std::move(tracer));
}

}  // namespace mellea::telemetry
