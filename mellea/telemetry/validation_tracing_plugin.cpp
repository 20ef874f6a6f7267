#include "mellea/telemetry/validation_tracing_plugin.h"

#include <utility>

#include "mellea/hooks/events.h"
#include "mellea/telemetry/operation_facts.h"
#include "mellea/telemetry/span_opening.h"

namespace mellea::telemetry {
namespace {

constexpr How kHow{.priority = kTelemetryPriority + 5};

void describe(SpanRecord& record, const ValidationPreCheck& event) {
  record.name = "validation";
  record.set(Fact::requirement_count, number(event.requirements.size()));
  set_generation(record, event.evaluated);
  set_iteration(record, event.scope);
}

void complete(SpanRecord& record, const ValidationPostCheck& event, const Content& content) {
  const Evaluated evaluated{event.opening->evaluated, event.opening->reply->response.id};
  for (const Checked& checked : event.checks)
    add_evaluation(record, checked, event.ending.at, content, evaluated);
  if (content.in_spans()) content.set_reasons(record, event.checks);
  if (event.ending.outcome != Outcome::ok) return;
  const std::int64_t passed = passed_count(event.checks);
  const std::int64_t failed = number(event.checks.size()) - passed;
  record.set(Fact::validation_passed, failed == 0);
  record.set(Fact::passed_count, passed);
  record.set(Fact::failed_count, failed);
}

class ValidationTracingPlugin : public Plugin {
 public:
  ValidationTracingPlugin(std::shared_ptr<Tracer> tracer, std::shared_ptr<const Content> content)
      : tracer_(std::move(tracer)), content_(std::move(content)) {}

  std::string_view name() const override { return "validation_tracing"; }

  void subscribe(Subscriber& hooks) override {
    open_spans<ValidationPreCheck>(hooks, tracer_, kHow, describe);
    close_spans<ValidationPostCheck>(hooks, tracer_, kHow, showing(content_, complete));
  }

 private:
  const std::shared_ptr<Tracer> tracer_;
  const std::shared_ptr<const Content> content_;  // never null
};

}  // namespace

std::shared_ptr<Plugin> make_validation_tracing_plugin(std::shared_ptr<Tracer> tracer,
                                                       std::shared_ptr<const Content> content) {
  return std::make_shared<ValidationTracingPlugin>(std::move(tracer), std::move(content));
}

}  // namespace mellea::telemetry
