#include "mellea/telemetry/agent_tracing_plugin.h"

#include <utility>

#include "mellea/hooks/events.h"
#include "mellea/telemetry/operation_facts.h"
#include "mellea/telemetry/span_opening.h"

namespace mellea::telemetry {
namespace {

constexpr How kHow{.priority = kTelemetryPriority + 6};
constexpr std::string_view kOperation = "invoke_agent";

void describe(SpanRecord& record, const AgentStart& event, const Content& content) {
  record.name = event.agent.empty() ? kOperation : record.kept(kOperation, event.agent);
  record.set(Fact::operation, kOperation);
  set_text(record, Fact::agent_name, event.agent);
  set_text(record, Fact::agent_provider, provider_name(event.provider));
  set_conversation(record, event.conversation);
  record.set(Fact::agent_tool_count, number(event.tools->size()));
  if (event.max_steps > 0) record.set(Fact::agent_max_steps, std::int64_t{event.max_steps});
  if (content.in_spans()) content.set_goal(record, *event.goal);
}

void complete(SpanRecord& record, const AgentEnd& event, const Content& content) {
  record.set(Fact::agent_steps, std::int64_t{event.steps});
  if (event.ending.outcome == Outcome::ok)
    record.set(Fact::agent_answered, event.answer != nullptr);
  if (content.in_spans() && event.answer) content.set_answer(record, *event.answer);
}

class AgentTracingPlugin : public Plugin {
 public:
  AgentTracingPlugin(std::shared_ptr<Tracer> tracer, std::shared_ptr<const Content> content)
      : tracer_(std::move(tracer)), content_(std::move(content)) {}

  std::string_view name() const override { return "agent_tracing"; }

  void subscribe(Subscriber& hooks) override {
    open_spans<AgentStart>(hooks, tracer_, kHow, showing(content_, describe));
    close_spans<AgentEnd>(hooks, tracer_, kHow, showing(content_, complete));
  }

 private:
  const std::shared_ptr<Tracer> tracer_;
  const std::shared_ptr<const Content> content_;  // never null
};

}  // namespace

std::shared_ptr<Plugin> make_agent_tracing_plugin(std::shared_ptr<Tracer> tracer,
                                                  std::shared_ptr<const Content> content) {
  return std::make_shared<AgentTracingPlugin>(std::move(tracer), std::move(content));
}

}  // namespace mellea::telemetry
