#include "mellea/telemetry/agent_tracing_plugin.h"

#include "mellea/telemetry/tracing_for_test.h"

namespace mellea::telemetry {
namespace {

class AgentTracingTest : public TracingTest {
 protected:
  Opened<AgentStart> agent(int max_steps = 0) {
    return begin(AgentStart{
        .scope = Scope::root(Kind::agent),
        .at = kStart,
        .agent = "react",
        .goal = std::make_shared<const std::string>("SECRET goal"),
        .tools = std::make_shared<const Tools>(Tools{Tool(ToolSpec{.name = "weather"})}),
        .conversation = std::make_shared<const std::string>("c-1"),
        .max_steps = max_steps,
    });
  }
  SpanPtr end(const Opened<AgentStart>& agent, int steps, bool answered, Ending ending = {}) {
    ending.at = kStart + 50ms;
    hooks_.tell(AgentEnd{
        .opening = agent.opening,
        .ending = std::move(ending),
        .steps = steps,
        .answer = answered ? std::make_shared<const std::string>("SECRET answer") : nullptr,
    });
    return span("invoke_agent react");
  }
};

TEST_F(AgentTracingTest, ARunSaysWhoRanAndHowFar) {
  const SpanPtr traced = end(agent(10), 3, true);
  EXPECT_EQ(traced->kind, SpanKind::internal);
  EXPECT_EQ(traced->library, "mellea.application");
  const std::vector<std::pair<std::string_view, std::string_view>> expected = {
      {"gen_ai.operation.name", "invoke_agent"}, {"gen_ai.agent.name", "react"},
      {"gen_ai.conversation.id", "c-1"},         {"mellea.agent.tool_count", "1"},
      {"mellea.agent.max_steps", "10"},          {"mellea.agent.steps", "3"},
      {"mellea.agent.answered", "true"},
  };
  for (const auto& [key, value] : expected) EXPECT_EQ(at(traced, key), value) << key;
  EXPECT_EQ(all_of(traced).find("SECRET"), std::string::npos);
}

TEST_F(AgentTracingTest, ThatItGaveNoAnswerIsNoErrorOfItsOwn) {
  const SpanPtr traced = end(agent(), 2, false);
  EXPECT_EQ(traced->status, SpanStatus::unset);
  EXPECT_EQ(at(traced, Fact::agent_answered), "false");
  EXPECT_EQ(at(traced, Fact::agent_max_steps), "");
}

TEST_F(AgentTracingTest, AFailureStandsOnTheChatAndItsTypeOnTheAgent) {
  const auto a = agent();
  const auto chat = generation(a.scope.child(Kind::generation));
  const Ending ending = failed(Errc::timeout, {.status = 504});
  TracingTest::end(chat, ending);
  const SpanPtr traced = end(a, 1, false, ending);
  EXPECT_EQ(span("chat granite")->parent, traced->ids.span);
  EXPECT_EQ(at(traced, Fact::error_type), "timeout");
  EXPECT_EQ(at(traced, Fact::http_status), "");
  EXPECT_EQ(at(traced, Fact::agent_steps), "1");
  EXPECT_EQ(at(traced, Fact::agent_answered), "");
}

}  // namespace
}  // namespace mellea::telemetry
