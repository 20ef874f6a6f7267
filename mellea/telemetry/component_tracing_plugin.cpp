#include "mellea/telemetry/component_tracing_plugin.h"

#include <utility>

#include "mellea/hooks/events.h"
#include "mellea/telemetry/span_ending.h"

namespace mellea::telemetry {
namespace {

class ComponentTracingPlugin : public Plugin {
 public:
  explicit ComponentTracingPlugin(std::shared_ptr<Tracer> tracer) : tracer_(std::move(tracer)) {}

  std::string_view name() const override { return "component_tracing"; }

  void subscribe(Subscriber& hooks) override {
    const How how{.priority = kTelemetryPriority + 1};
    hooks.transform<ComponentPreExecute>(
        [this](ComponentPreExecute& event) { event.trace = open(event); }, how);
    hooks.observe<ComponentPreExecute>(
        [this](const ComponentPreExecute& event) {
          if (!event.trace && !tracer_->knows(event.scope.id())) open(event);
        },
        how);
    hooks.observe<ComponentPostSuccess>(
        [this](const ComponentPostSuccess& event) { on_success(event); }, how);
    hooks.observe<ComponentPostError>([this](const ComponentPostError& event) { on_error(event); },
                                      how);
  }

 private:
  TraceRef open(const ComponentPreExecute& event) {
    auto [ids, record] = tracer_->start(event.scope, event.at, event.trace);
    if (!record) return ids;
    record->name = "action";
    if (!event.component.empty()) record->set(Fact::component_type, event.component);
    if (event.conversation && !event.conversation->empty())
      record->set(Fact::conversation_id, *event.conversation);
    record->set(Fact::has_format, event.format.has_value());
    record->set(Fact::tool_calls, !event.tools.empty());
    set_labels(*record, event.scope.labels());
    tracer_->keep(event.scope.id(), std::move(record));
    return ids;
  }

  void on_success(const ComponentPostSuccess& event) {
    Tracer::Taken span = tracer_->take(event.opening->scope.id());
    if (!span.record) return;
    span.record->set(Fact::num_generate_logs, std::int64_t{event.generations});
    if (event.reply) span.record->set(Fact::response_length, code_points(event.reply->text));
    end_span(*tracer_, event.opening->scope, std::move(span), event.ending);
  }

  void on_error(const ComponentPostError& event) {
    Tracer::Taken span = tracer_->take(event.opening->scope.id());
    if (span.record) end_span(*tracer_, event.opening->scope, std::move(span), event.ending);
  }

  const std::shared_ptr<Tracer> tracer_;
};

}  // namespace

std::shared_ptr<Plugin> make_component_tracing_plugin(std::shared_ptr<Tracer> tracer) {
  return std::make_shared<ComponentTracingPlugin>(std::move(tracer));
}

}  // namespace mellea::telemetry
