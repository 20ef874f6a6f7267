#include "mellea/telemetry/component_tracing_plugin.h"

#include <utility>

#include "mellea/core/text.h"
#include "mellea/hooks/events.h"
#include "mellea/telemetry/operation_facts.h"
#include "mellea/telemetry/sha256.h"
#include "mellea/telemetry/span_opening.h"

namespace mellea::telemetry {
namespace {

constexpr How kHow{.priority = kTelemetryPriority + 1};

void describe(SpanRecord& record, const ComponentPreExecute& event) {
  record.name = "action";
  set_text(record, Fact::component_type, event.component);
  set_conversation(record, event.conversation);
  if (event.prompt) {
    set_prompt(record, *event.prompt);
    record.set(Fact::prompt_hash, fingerprint(event.prompt->text));
  }
  record.set(Fact::has_requirements, !event.requirements.empty());
  record.set(Fact::has_strategy, event.strategy.has_value());
  if (event.strategy) record.set(Fact::strategy_type, event.strategy->name());
  record.set(Fact::has_format, event.format.has_value());
  record.set(Fact::tool_calls, !event.tools.empty());
}

void complete(SpanRecord& record, const ComponentPostSuccess& event, const Content& content) {
  record.set(Fact::num_generate_logs, std::int64_t{event.generations});
  if (event.reply) record.set(Fact::response_length, number(code_points(event.reply->text)));
  if (event.reply && content.in_spans()) content.set_response(record, event.reply->text);
  if (!event.attempts) return;
  const Attempt* chosen = event.chosen ? &event.attempts->at(*event.chosen) : nullptr;
  record.set(Fact::sampling_success, chosen != nullptr && chosen->ok());
  if (chosen) record.set(Fact::chosen_iteration, std::int64_t{chosen->iteration});
}

void complete_failed(SpanRecord& record, const ComponentPostError& event, const Content& content) {
  if (event.ending.error && content.in_spans())
    content.set_response(record, event.ending.error->partial_text());
}

class ComponentTracingPlugin : public Plugin {
 public:
  ComponentTracingPlugin(std::shared_ptr<Tracer> tracer, std::shared_ptr<const Content> content)
      : tracer_(std::move(tracer)), content_(std::move(content)) {}

  std::string_view name() const override { return "component_tracing"; }

  void subscribe(Subscriber& hooks) override {
    open_spans<ComponentPreExecute>(hooks, tracer_, kHow, describe);
    close_spans<ComponentPostSuccess>(hooks, tracer_, kHow, showing(content_, complete));
    close_spans<ComponentPostError>(hooks, tracer_, kHow, showing(content_, complete_failed));
  }

 private:
  const std::shared_ptr<Tracer> tracer_;
  const std::shared_ptr<const Content> content_;  // never null
};

}  // namespace

std::shared_ptr<Plugin> make_component_tracing_plugin(std::shared_ptr<Tracer> tracer,
                                                      std::shared_ptr<const Content> content) {
  return std::make_shared<ComponentTracingPlugin>(std::move(tracer), std::move(content));
}

}  // namespace mellea::telemetry
