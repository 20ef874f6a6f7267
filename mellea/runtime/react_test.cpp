#include "mellea/runtime/react.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "mellea/runtime/session_for_test.h"

namespace mellea {
namespace {

using scripted::call;
using scripted::Line;
using scripted::say;

Tool weather() {
  return Tool(
      {.name = "get_weather",
       .parameters = Json::parse(
           R"({"type":"object","properties":{"city":{"type":"string"}},"required":["city"]})")},
      [](const Json&, const Call&) { return std::string("22 C"); });
}

Line final_answer(std::string arguments) {
  return call({.id = "f", .name = "final_answer", .arguments = std::move(arguments)});
}

class ReactTest : public SessionTest {
 protected:
  std::vector<std::string> told() const {
    std::vector<std::string> lines;
    for (const std::string& line : recorder_->lines())
      if (!line.starts_with("session_") && !line.starts_with("call_begin") &&
          !line.starts_with("user_code_begin") && !line.starts_with("generation_event"))
        lines.push_back(line);
    return lines;
  }
};

TEST_F(ReactTest, AnAgentActsUntilItHasItsAnswer) {
  script(call({.id = "w", .name = "get_weather", .arguments = R"({"city":"Boston"})"}));
  script(final_answer(R"({"answer":"It is 22 C."})"));
  const AgentResult result = start().react("The weather in Boston?", {.tools = {weather()}});
  EXPECT_EQ(result.answer, "It is 22 C.");
  ASSERT_EQ(result.steps.size(), 2U);
  EXPECT_EQ(result.steps[0].tools[0].text, "22 C");
  EXPECT_EQ(told(), (Names{
                        "agent_start agent#1 in session#1",
                        "component_pre_execute action#1 in agent#1",
                        "generation_pre_call generation#1 in action#1",
                        "generation_post_call generation#1 in action#1: ok",
                        "component_post_success action#1 in agent#1: ok",
                        "tool_pre_invoke tool#1 in agent#1",
                        "tool_post_invoke tool#1 in agent#1: ok",
                        "component_pre_execute action#2 in agent#1",
                        "generation_pre_call generation#2 in action#2",
                        "generation_post_call generation#2 in action#2: ok",
                        "component_post_success action#2 in agent#1: ok",
                        "tool_pre_invoke tool#2 in agent#1",
                        "tool_post_invoke tool#2 in agent#1: ok",
                        "agent_end agent#1 in session#1: ok",
                    }));
  const std::vector<Message> second = backend_->requests()[1].messages;
  EXPECT_NE(second[0].text.find("Goal: The weather in Boston?"), std::string::npos);
  EXPECT_EQ(second[3].text, "22 C");
  EXPECT_EQ(second[3].tool_call_id, "w");
}

TEST_F(ReactTest, OutOfStepsIsNoErrorAndHasNoAnswer) {
  for (int time = 0; time < 3; ++time) script(say("hm"));
  const AgentResult result = start().react("Think", {.max_steps = 3});
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.steps.size(), 3U);
  EXPECT_EQ(recorder_->count("agent_end"), 1U);
}

TEST_F(ReactTest, AnAnswerOfAFormatIsMendedByTheModelUntilItFits) {
  script(final_answer(R"({"answer":{"celsius":"warm"}})"));
  script(final_answer(R"({"answer":{"celsius":22}})"));
  const Format format{
      .name = "Weather",
      .schema = Json::parse(
          R"({"type":"object","properties":{"celsius":{"type":"number"}},"required":["celsius"]})")};
  const AgentResult result = start().react("The weather?", {.format = format});
  EXPECT_EQ(result.answer, R"({"celsius":22})");
  EXPECT_FALSE(result.steps[0].tools[0].ok());
}

TEST_F(ReactTest, TheReferencesOfAFormatLeadWhereTheyLed) {
  const Format format{.schema = Json::parse(R"({"type":"object","properties":{
      "name":{"$ref":"#/definitions/name"},"kind":{"enum":["$ref"]},
      "parts":{"type":"array","items":{"$ref":"#"}}},
      "required":["name"],"definitions":{"name":{"type":"string"}}})")};
  script(final_answer(R"({"answer":{"name":"a","parts":[{"parts":[]}]}})"));
  script(final_answer(R"({"answer":{"name":"a","parts":[{"name":"b","parts":[]}]}})"));
  const AgentResult result = start().react("Take it apart", {.format = format});
  ASSERT_EQ(result.steps.size(), 2U);
  EXPECT_FALSE(result.steps[0].tools[0].ok());
  EXPECT_EQ(result.answer, R"({"name":"a","parts":[{"name":"b","parts":[]}]})");
}

TEST_F(ReactTest, ATextOfAFormatIsJsonToo) {
  script(final_answer(R"({"answer":"sunny"})"));
  const AgentResult result = start().react(
      "How is it?", {.format = Format{.schema = Json::parse(R"({"enum":["sunny","wet"]})")}});
  EXPECT_EQ(result.answer, R"("sunny")");
}

TEST_F(ReactTest, AFailureIsToldOnceForEachOperationAndThrown) {
  script(Line().fail(Error(Errc::server_error, "scripted: 500")));
  EXPECT_EQ(error_of([&] { start().react("x", {}); }).code(), Errc::server_error);
  drain();
  EXPECT_EQ(recorder_->count("generation_error"), 1U);
  EXPECT_EQ(recorder_->count("component_post_error"), 1U);
  EXPECT_EQ(recorder_->count("agent_end"), 1U);
}

TEST_F(ReactTest, ABlockedAgentDoesNothing) {
  make_runtime({stops<AgentStart>()});
  EXPECT_EQ(error_of([&] { start().react("x", {}); }).code(), Errc::blocked);
  EXPECT_TRUE(backend_->requests().empty());
  EXPECT_EQ(recorder_->count("agent_end"), 1U);
}

TEST_F(ReactTest, TheConversationRemembersTheGoalAndTheAnswer) {
  script(final_answer(R"({"answer":"42"})"));
  Session session = start({.context = Context::chat()});
  session.react("6 times 7?", {});
  const std::vector<Message> said = session.context().messages();
  ASSERT_EQ(said.size(), 2U);
  EXPECT_EQ(said[0].text, "6 times 7?");
  EXPECT_EQ(said[1].text, "42");
}

TEST_F(ReactTest, ToolsThatItCouldNotRunAreRefusedBeforeItBegins) {
  EXPECT_EQ(error_of([&] { start().react("x", {.tools = {ToolSpec{.name = "spec"}}}); }).code(),
            Errc::invalid_request);
  EXPECT_EQ(error_of([&] {
              start().react("x", {.tools = {Tool({.name = "final_answer"}, weather().run())}});
            }).code(),
            Errc::invalid_request);
  EXPECT_EQ(recorder_->count("agent_start"), 0U);
}

}  // namespace
}  // namespace mellea
