#include "mellea/backends/llama_prompt.h"

#include <gtest/gtest.h>

#include "mellea/core/error.h"

namespace mellea {
namespace {

constexpr const char* kWithCalls = "{{ messages }} <tool_call>";

Request asking(std::vector<Message> messages) { return {.messages = std::move(messages)}; }

const ToolSpec kWeather{.name = "get_weather",
                        .description = "Weather in a city",
                        .parameters = Json::parse(R"({"type":"object"})")};

TEST(LlamaPrompt, TurnsAreTheMessages) {
  const auto turns = llama_turns(asking({{.role = Message::Role::system, .text = "Be brief"},
                                         {.text = "Hi"},
                                         {.role = Message::Role::assistant, .text = "Yes?"}}),
                                 "");
  ASSERT_EQ(turns.size(), 3U);
  EXPECT_EQ(turns[0].role, "system");
  EXPECT_EQ(turns[1].role, "user");
  EXPECT_EQ(turns[1].text, "Hi");
  EXPECT_EQ(turns[2].role, "assistant");
}

TEST(LlamaPrompt, ToolsStandInTheSystemsTurn) {
  Request request = asking({{.text = "Hi"}});
  request.tools = {kWeather};
  auto turns = llama_turns(request, kWithCalls);
  ASSERT_EQ(turns.size(), 2U);
  EXPECT_EQ(turns[0].role, "system");
  EXPECT_NE(turns[0].text.find("<tools>\n{\"function\":{\"description\":\"Weather in a city\","
                               "\"name\":\"get_weather\",\"parameters\":{\"type\":\"object\"}},"
                               "\"type\":\"function\"}\n</tools>"),
            std::string::npos)
      << turns[0].text;
  request.messages.insert(request.messages.begin(),
                          {.role = Message::Role::system, .text = "Be brief"});
  turns = llama_turns(request, kWithCalls);
  ASSERT_EQ(turns.size(), 2U);
  EXPECT_TRUE(turns[0].text.starts_with("Be brief\n"));
  request.tool_choice.mode = ToolChoice::Mode::none;
  EXPECT_EQ(llama_turns(request, "")[0].text, "Be brief");
}

TEST(LlamaPrompt, CallsAndResultsAreInMarks) {
  const auto turns = llama_turns(
      asking(
          {{.role = Message::Role::assistant,
            .text = "I look.",
            .tool_calls = {{.id = "1", .name = "now", .arguments = "{\"a\":1}"}, {.name = "then"}}},
           {.role = Message::Role::tool, .text = "noon", .tool_call_id = "1"}}),
      "");
  EXPECT_EQ(turns[0].text,
            "I look.\n<tool_call>\n{\"name\": \"now\", \"arguments\": {\"a\":1}}\n</tool_call>\n"
            "<tool_call>\n{\"name\": \"then\", \"arguments\": {}}\n</tool_call>");
  EXPECT_EQ(turns[1].role, "user");
  EXPECT_EQ(turns[1].text, "<tool_response>\nnoon\n</tool_response>");
}

TEST(LlamaPrompt, RefusesWhatTheModelCannotRead) {
  const auto refusal = [](const Request& request) -> std::string {
    try {
      llama_turns(request, "{{ messages }}");
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(refusal(asking({{.text = "Hi", .images = {{.url = "data:,"}}}})), "");
  EXPECT_NE(refusal(asking({{.text = "\xFF"}})), "");
  Request with_tools = asking({{.text = "Hi"}});
  with_tools.tools = {kWeather};
  EXPECT_TRUE(
      refusal(with_tools).starts_with("local: this model's chat template has no <tool_call>"));
}

}  // namespace
}  // namespace mellea
