#include "mellea/telemetry/session_tracing_plugin.h"

#include <utility>

#include "mellea/hooks/events.h"
#include "mellea/telemetry/span_ending.h"

namespace mellea::telemetry {
namespace {

// The class that the contract's attribute names.
std::string_view context_type(Context::Kind kind) {
  return kind == Context::Kind::chat ? "ChatContext" : "SimpleContext";
}

class SessionTracingPlugin : public Plugin {
 public:
  explicit SessionTracingPlugin(std::shared_ptr<Tracer> tracer) : tracer_(std::move(tracer)) {}

  std::string_view name() const override { return "session_tracing"; }

  void subscribe(Subscriber& hooks) override {
    const How how{.priority = kTelemetryPriority};
    hooks.transform<SessionPreInit>(
        [this](SessionPreInit& event) {
          if (event.span) event.trace = open(event);
        },
        how);
    hooks.observe<SessionPreInit>(
        [this](const SessionPreInit& event) {
          if (event.span && !event.trace && !tracer_->knows(event.scope.id())) open(event);
        },
        how);
    hooks.observe<SessionCleanup>(
        [this](const SessionCleanup& event) {
          const Scope& scope = event.opening->scope;
          Tracer::Taken span = tracer_->take(scope.id());
          if (span.record) end_span(*tracer_, scope, std::move(span), event.ending);
        },
        how);
  }

 private:
  TraceRef open(const SessionPreInit& event) {
    auto [ids, record] = tracer_->start(event.scope, event.at, event.trace);
    if (!record) return ids;
    record->name = "session";
    record->set(Fact::session_id, event.scope.id().text());
    record->set(Fact::context_type, context_type(event.context));
    if (!event.backend.empty()) {
      record->set(Fact::provider, provider_name(event.backend));
      record->set(Fact::backend_name, event.backend);
    }
    if (!event.model.empty()) record->set(Fact::request_model, event.model);
    set_labels(*record, event.scope.labels());
    tracer_->keep(event.scope.id(), std::move(record));
    return ids;
  }

  const std::shared_ptr<Tracer> tracer_;
};

}  // namespace

std::shared_ptr<Plugin> make_session_tracing_plugin(std::shared_ptr<Tracer> tracer) {
  return std::make_shared<SessionTracingPlugin>(std::move(tracer));
}

}  // namespace mellea::telemetry
