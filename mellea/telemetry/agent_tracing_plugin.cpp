#include "mellea/telemetry/agent_tracing_plugin.h"

#include <utility>

#include "mellea/hooks/events.h"
#include "mellea/telemetry/operation_facts.h"
#include "mellea/telemetry/span_opening.h"

namespace mellea::telemetry {
namespace {

constexpr How kHow{.priority = kTelemetryPriority + 6};
constexpr std::string_view kOperation = "invoke_agent";

void describe(SpanRecord& record, const AgentStart& event) {
  record.name = event.agent.empty() ? kOperation : record.kept(kOperation, event.agent);
  record.set(Fact::operation, kOperation);
  set_text(record, Fact::agent_name, event.agent);
  set_text(record, Fact::agent_provider, provider_name(event.provider));
  set_conversation(record, event.conversation);
  record.set(Fact::agent_tool_count, number(event.tools->size()));
  if (event.max_steps > 0) record.set(Fact::agent_max_steps, std::int64_t{event.max_steps});
}

void complete(SpanRecord& record, const AgentEnd& event) {
  record.set(Fact::agent_steps, std::int64_t{event.steps});
  if (event.ending.outcome == Outcome::ok)
    record.set(Fact::agent_answered, event.answer != nullptr);
}

class AgentTracingPlugin : public Plugin {
 public:
  explicit AgentTracingPlugin(std::shared_ptr<Tracer> tracer) : tracer_(std::move(tracer)) {}

  std::string_view name() const override { return "agent_tracing"; }

  void subscribe(Subscriber& hooks) override {
    open_spans<AgentStart>(hooks, tracer_, kHow, describe);
    close_spans<AgentEnd>(hooks, tracer_, kHow, complete);
  }

 private:
  const std::shared_ptr<Tracer> tracer_;
};

}  // namespace

std::shared_ptr<Plugin> make_agent_tracing_plugin(std::shared_ptr<Tracer> tracer) {
  return std::make_shared<AgentTracingPlugin>(std::move(tracer));
}

}  // namespace mellea::telemetry
