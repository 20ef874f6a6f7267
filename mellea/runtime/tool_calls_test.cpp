#include "mellea/runtime/tool_calls.h"

#include <gtest/gtest.h>

#include <latch>
#include <nlohmann/json.hpp>

#include "mellea/runtime/session_for_test.h"

namespace mellea {
namespace {

using scripted::Line;
using scripted::say;

Tool weather() {
  return Tool(
      {.name = "get_weather",
       .parameters = Json::parse(
           R"({"type":"object","properties":{"city":{"type":"string"}},"required":["city"]})")},
      [](const Json& arguments, const Call&) {
        return "22 C in " + arguments->at("city").get<std::string>();
      });
}
Tool broken() {
  return Tool({.name = "broken"}, [](const Json&, const Call&) -> std::string {
    throw std::runtime_error("no connection");
  });
}

Line calls(std::vector<ToolCall> wanted) {
  Line line;
  for (std::size_t at = 0; at < wanted.size(); ++at)
    line.tool_call(wanted[at], static_cast<int>(at));
  return line.finish("tool_calls");
}

class ToolCallsTest : public SessionTest {
 protected:
  // What came of the calls, with these tools.
  std::vector<ToolResult> run(std::vector<ToolCall> wanted, Tools tools,
                              CallToolsOptions options = {}) {
    script(calls(std::move(wanted)));
    Session session = start();
    return session.call_tools(session.chat("hi", {.tools = std::move(tools)}), std::move(options));
  }
};

TEST_F(ToolCallsTest, HowAServerWasAskedForAToolIsTold) {
  std::vector<std::shared_ptr<const RemoteCall>> told;
  make_runtime({plugin([&](Subscriber& hooks) {
    hooks.observe<ToolPostInvoke>(
        [&](const ToolPostInvoke& event) { told.push_back(event.remote); });
  })});
  const Tool remote({.name = "remote"}, [](const Json&, const Call& call) -> std::string {
    *call.remote = {.method = "tools/call", .request_id = "7"};
    throw Error(Errc::transport_error, "lost");
  });
  run({{.name = "remote"}, {.name = "broken"}}, {remote, broken()});
  ASSERT_EQ(told.size(), 2U);
  ASSERT_NE(told[0], nullptr);
  EXPECT_EQ(told[0]->method, "tools/call");
  EXPECT_EQ(told[0]->request_id, "7");
  EXPECT_EQ(told[1], nullptr);
}

TEST_F(ToolCallsTest, AToolRunsAndItsResultAnswersTheCall) {
  const auto results =
      run({{.id = "c1", .name = "get_weather", .arguments = R"({"city":"Boston"})"}}, {weather()});
  ASSERT_EQ(results.size(), 1U);
  EXPECT_TRUE(results[0].ok());
  EXPECT_EQ(results[0].text, "22 C in Boston");
  EXPECT_EQ(results[0].message().role, Message::Role::tool);
  EXPECT_EQ(results[0].message().tool_call_id, "c1");
  EXPECT_EQ(results[0].message().tool_name, "get_weather");
  const Names lines = recorder_->lines();
  const auto pre = std::find(lines.begin(), lines.end(), "tool_pre_invoke tool#1 in session#1");
  ASSERT_NE(pre, lines.end());
  EXPECT_EQ(*(pre + 1), "user_code_begin tool#1 in session#1");
  EXPECT_EQ(*(pre + 2), "tool_post_invoke tool#1 in session#1: ok");
}

TEST_F(ToolCallsTest, WhatGoesWrongIsTheModelsToReadAndTheOthersRunOn) {
  const auto results = run({{.name = "broken"},
                            {.name = "get_wether", .arguments = "{}"},
                            {.name = "get_weather", .arguments = "{}"},
                            {.name = "get_weather", .arguments = R"({"city":"Rome"})"}},
                           {weather(), broken()});
  ASSERT_EQ(results.size(), 4U);
  EXPECT_EQ(results[0].text, R"({"error":"tool broken: no connection"})");
  EXPECT_EQ(results[0].error->code(), Errc::unknown);
  EXPECT_EQ(results[1].text,
            R"({"error":"there is no tool \"get_wether\": did you mean \"get_weather\"?"})");
  EXPECT_EQ(results[1].error->code(), Errc::not_found);
  EXPECT_EQ(results[2].text, R"({"error":"tool get_weather: city is missing"})");
  EXPECT_EQ(results[2].error->code(), Errc::invalid_request);
  EXPECT_EQ(results[3].text, "22 C in Rome");
  EXPECT_EQ(recorder_->count("tool_post_invoke"), 4U);
}

TEST_F(ToolCallsTest, ABlockedToolDoesNotRunAndTheModelIsTold) {
  make_runtime({stops<ToolPreInvoke>()});
  const auto results = run({{.name = "broken"}}, {broken()});
  EXPECT_EQ(results[0].error->code(), Errc::blocked);
  EXPECT_EQ(results[0].text, R"({"error":"not allowed: not today"})");
  EXPECT_EQ(recorder_->count("user_code_begin"), 0U);
  EXPECT_EQ(recorder_->count("tool_post_invoke"), 1U);
}

TEST_F(ToolCallsTest, APluginMayChangeTheCallAndWhatTheModelIsTold) {
  make_runtime({plugin([](Subscriber& hooks) {
    hooks.transform<ToolPreInvoke>(
        [](ToolPreInvoke& event) { event.call.arguments = R"({"city":"Oslo"})"; });
    hooks.transform<ToolPostInvoke>([](ToolPostInvoke& event) { event.output += "!"; });
  })});
  const auto results =
      run({{.name = "get_weather", .arguments = R"({"city":"Boston"})"}}, {weather()});
  EXPECT_EQ(results[0].text, "22 C in Oslo!");
}

TEST_F(ToolCallsTest, AResultThatAPluginStopsIsNotTold) {
  make_runtime({stops<ToolPostInvoke>()});
  const auto results =
      run({{.name = "get_weather", .arguments = R"({"city":"Boston"})"}}, {weather()});
  EXPECT_EQ(results[0].text, R"({"error":"not allowed: not today"})");
  EXPECT_EQ(results[0].error->code(), Errc::blocked);
}

TEST_F(ToolCallsTest, ToolsMayRunBesideEachOtherAndResultsStayInOrder) {
  const auto all = std::make_shared<std::latch>(3);
  const Tool meets({.name = "meets"}, [all](const Json& arguments, const Call&) {
    all->arrive_and_wait();
    return arguments.text();
  });
  const auto results = run({{.name = "meets", .arguments = R"({"n":1})"},
                            {.name = "meets", .arguments = R"({"n":2})"},
                            {.name = "meets", .arguments = R"({"n":3})"}},
                           {meets}, {.parallel = true});
  for (int n = 1; n <= 3; ++n)
    EXPECT_EQ(results[static_cast<std::size_t>(n - 1)].text, "{\"n\":" + std::to_string(n) + "}");
}

TEST_F(ToolCallsTest, ResultsGoIntoTheConversationOnRequest) {
  script(calls({{.id = "c1", .name = "get_weather", .arguments = R"({"city":"Boston"})"}}));
  script(say("It is 22 C."));
  Session session = start({.context = Context::chat()});
  const Result wish = session.chat("Weather?", {.tools = {weather()}});
  session.call_tools(wish);
  EXPECT_EQ(session.context().size(), 2U);
  session.call_tools(wish, {.add_results = true});
  EXPECT_EQ(session.context().size(), 3U);
  session.chat("And?");
  const std::vector<Message> sent = backend_->requests()[1].messages;
  ASSERT_EQ(sent.size(), 4U);
  EXPECT_EQ(sent[1].tool_calls.size(), 1U);
  EXPECT_EQ(sent[2].tool_call_id, "c1");
  EXPECT_EQ(sent[2].text, "22 C in Boston");
}

TEST_F(ToolCallsTest, AToolMayCallTheSessionBelowItself) {
  script(calls({{.name = "ask"}}));
  script(say("42"));
  Session session = start();
  const Tool ask({.name = "ask"}, [&](const Json&, const Call& call) {
    return session.within(call).chat("6 times 7?").text();
  });
  EXPECT_EQ(session.call_tools(session.chat("hi", {.tools = {ask}}))[0].text, "42");
  const Names lines = recorder_->lines();
  EXPECT_NE(std::find(lines.begin(), lines.end(), "component_pre_execute action#2 in tool#1"),
            lines.end());
}

TEST_F(ToolCallsTest, ACancelledCallRunsNoMoreTools) {
  std::stop_source stop;
  const Tool stops({.name = "stops"}, [&](const Json&, const Call&) {
    stop.request_stop();
    return std::string("done");
  });
  EXPECT_EQ(error_of([&] {
              run({{.name = "stops"}, {.name = "stops"}}, {stops}, {.stop = stop.get_token()});
            }).code(),
            Errc::cancelled);
  EXPECT_EQ(recorder_->count("tool_post_invoke"), 1U);
}

TEST_F(ToolCallsTest, ABatchIsOneOperationWithAReplyForEachPrompt) {
  backend_ = std::make_shared<ScriptedBackend>([](const Request& request) {
    Line line;
    for (std::size_t place = 0; place < request.prompts.size(); ++place) {
      const int index = static_cast<int>(place);
      line.chunk({.index = index, .what = request.prompts[place] + "!"});
      line.chunk({.index = index, .what = Usage{.input_tokens = 1, .output_tokens = 2}});
    }
    return line;
  });
  const BatchResult result = start().generate_raw({"one", "two", "three"});
  ASSERT_EQ(result.replies.size(), 3U);
  EXPECT_EQ(result.replies[2].text, "three!");
  EXPECT_EQ(result.replies[1].usage->output_tokens, 2);
  EXPECT_EQ(result.usage->output_tokens, 6);
  EXPECT_EQ(recorder_->count("generation_batch_pre_call"), 1U);
  EXPECT_EQ(recorder_->count("generation_batch_post_call"), 1U);
}

TEST_F(ToolCallsTest, AUsageThatIsOfAllPromptsIsNoPromptsOwn) {
  script(Line()
             .chunk({.what = std::string("a")})
             .chunk({.index = 1, .what = std::string("b")})
             .chunk({.index = -1, .what = Usage{.input_tokens = 7}}));
  const BatchResult result = start().generate_raw({"x", "y"});
  EXPECT_EQ(result.usage->input_tokens, 7);
  EXPECT_FALSE(result.replies[0].usage);
}

TEST_F(ToolCallsTest, ABatchOfSeveralAnswersAPromptIsRefused) {
  EXPECT_EQ(error_of([&] { start().generate_raw({"x"}, {.options = {.choices = 2}}); }).code(),
            Errc::invalid_request);
  EXPECT_TRUE(backend_->requests().empty());
}

TEST_F(ToolCallsTest, ARetryWithinABatchSaysOfWhichPrompt) {
  std::vector<int> indexes;
  make_runtime({plugin([&](Subscriber& hooks) {
    hooks.observe<GenerationRetry>(
        [&](const GenerationRetry& event) { indexes.push_back(event.index); });
  })});
  script(Line()
             .chunk({.index = 1, .what = Notice{}})
             .chunk({.index = -1, .what = Notice{}})
             .chunk({.what = std::string("a")}));
  start().generate_raw({"x", "y"});
  EXPECT_EQ(indexes, (std::vector<int>{1, -1}));
}

TEST_F(ToolCallsTest, ABatchThatFailsTellsWhatHadCome) {
  std::shared_ptr<const std::vector<Reply>> had;
  make_runtime({plugin([&](Subscriber& hooks) {
    hooks.observe<GenerationBatchError>(
        [&](const GenerationBatchError& event) { had = event.replies; });
  })});
  script(Line().text("half").fail(Error(Errc::server_error, "scripted: 500")));
  EXPECT_EQ(error_of([&] { start().generate_raw({"x", "y"}); }).code(), Errc::server_error);
  ASSERT_TRUE(had);
  EXPECT_EQ((*had)[0].text, "half");
  EXPECT_EQ(recorder_->count("generation_batch_post_call"), 0U);
}

TEST_F(ToolCallsTest, ABatchCanBeBlockedBeforeAndAfter) {
  make_runtime({stops<GenerationBatchPreCall>()});
  EXPECT_EQ(error_of([&] { start().embed({"x"}); }).code(), Errc::blocked);
  make_runtime({stops<GenerationBatchPostCall>()});
  script(say("x"));
  EXPECT_EQ(error_of([&] { start().generate_raw({"x"}); }).code(), Errc::blocked);
  EXPECT_EQ(recorder_->count("generation_batch_error"), 2U);
}

}  // namespace
}  // namespace mellea
