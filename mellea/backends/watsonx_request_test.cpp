#include "mellea/backends/watsonx_request.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "mellea/core/error.h"

namespace mellea {
namespace {

using namespace std::string_literals;

const WatsonxOptions kProject{.project = "p1"};

Request chat() { return {.model = "m", .messages = {{.text = "Hi"}}}; }
Request completion() {
  return {.kind = Request::Kind::completion, .model = "m", .prompts = {"Once"}};
}
Request embedding() {
  return {.kind = Request::Kind::embedding, .model = "m", .prompts = {"one", "two"}};
}

std::string body(const Request& asked, const WatsonxOptions& options = kProject) {
  const std::string all = write_watsonx_request(asked, options).body;
  EXPECT_TRUE(nlohmann::json::accept(all)) << all;
  return all;
}

// The body of a chat without what every chat() has.
std::string rest(const Request& asked) {
  const std::string all = body(asked);
  const std::string common =
      R"({"model_id":"m","project_id":"p1","messages":[{"role":"user","content":"Hi"}])";
  EXPECT_TRUE(all.starts_with(common)) << all;
  return all.substr(std::min(common.size(), all.size()));
}

std::string with(ModelOptions options) {
  Request asked = chat();
  asked.options = std::move(options);
  return rest(asked);
}

std::string with_extra(std::string_view extra, ModelOptions options = {}) {
  options.extra = Json::parse(extra);
  return with(std::move(options));
}

// The object "parameters" of a completion.
std::string parameters(ModelOptions options, std::string_view extra = "{}") {
  Request asked = completion();
  asked.options = std::move(options);
  asked.options.extra = Json::parse(extra);
  const std::string all = body(asked);
  const std::string common = R"({"model_id":"m","project_id":"p1","input":"Once")";
  EXPECT_TRUE(all.starts_with(common)) << all;
  return all.substr(std::min(common.size(), all.size()));
}

std::string refusal(const Request& asked, const WatsonxOptions& options = kProject) {
  try {
    body(asked, options);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::invalid_request);
    return error.what();
  }
  return "";
}

std::vector<std::string> ignored(const Request& asked) {
  std::vector<std::string> names;
  for (const Notice& notice : write_watsonx_request(asked, kProject).notices) {
    EXPECT_EQ(notice.kind, Notice::Kind::option_ignored);
    EXPECT_TRUE(notice.text.starts_with("watsonx: option " + notice.name + " was not sent: "));
    names.push_back(notice.name);
  }
  return names;
}

using Names = std::vector<std::string>;

ModelOptions all_options() {
  return {.temperature = 0.5,
          .top_p = 0.9,
          .top_k = 40,
          .min_p = 0.1,
          .frequency_penalty = 0.2,
          .presence_penalty = 0.3,
          .max_tokens = 64,
          .seed = 7,
          .stop = std::vector<std::string>{"END"},
          .choices = 2,
          .logprobs = true,
          .top_logprobs = 3,
          .think = "low"s,
          .parallel_tool_calls = true,
          .user = "u"s,
          .service_tier = "s"s};
}

const ToolSpec kTool{.name = "get_weather",
                     .description = "Weather in a city",
                     .parameters = Json::parse(R"({"type":"object","properties":{}})")};

TEST(WatsonxRequest, AChatNamesItsModelAndWhoPays) {
  const WrittenRequest written = write_watsonx_request(chat(), kProject);
  EXPECT_EQ(written.path, "/ml/v1/text/chat");
  EXPECT_EQ(written.body,
            R"({"model_id":"m","project_id":"p1","messages":[{"role":"user","content":"Hi"}]})");
  EXPECT_TRUE(written.notices.empty());
  EXPECT_EQ(body(chat(), {.space = "s1"}),
            R"({"model_id":"m","space_id":"s1","messages":[{"role":"user","content":"Hi"}]})");
}

TEST(WatsonxRequest, AStreamHasAPathOfItsOwn) {
  Request asked = chat();
  asked.stream = true;
  EXPECT_EQ(write_watsonx_request(asked, kProject).path, "/ml/v1/text/chat_stream");
  EXPECT_EQ(rest(asked), "}");
  asked = completion();
  EXPECT_EQ(write_watsonx_request(asked, kProject).path, "/ml/v1/text/generation");
  asked.stream = true;
  EXPECT_EQ(write_watsonx_request(asked, kProject).path, "/ml/v1/text/generation_stream");
  asked = embedding();
  asked.stream = true;
  EXPECT_EQ(write_watsonx_request(asked, kProject).path, "/ml/v1/text/embeddings");
}

TEST(WatsonxRequest, SomebodyMustPay) {
  EXPECT_EQ(refusal(chat(), {}),
            "watsonx: no project: set WATSONX_PROJECT_ID, or WATSONX_SPACE_ID");
  EXPECT_EQ(refusal(chat(), {.project = "p", .space = "s"}),
            "watsonx: a project and a space: give one of them");
  Request asked = chat();
  asked.options.extra = Json::parse(R"({"project_id":"theirs"})");
  EXPECT_TRUE(body(asked, {}).ends_with(R"(,"project_id":"theirs"})"));
  EXPECT_TRUE(body(asked, kProject).ends_with(R"(,"project_id":"theirs"})"));
  EXPECT_EQ(body(asked, kProject).find("p1"), std::string::npos);
}

TEST(WatsonxRequest, ADeploymentStandsInThePath) {
  Request asked = chat();
  asked.model = "deployment/granite_4-1";
  const WrittenRequest written = write_watsonx_request(asked, kProject);
  EXPECT_EQ(written.path, "/ml/v1/deployments/granite_4-1/text/chat");
  EXPECT_EQ(written.body, R"({"messages":[{"role":"user","content":"Hi"}]})");
  asked = completion();
  asked.model = "deployment/d";
  asked.stream = true;
  EXPECT_EQ(write_watsonx_request(asked, {}).path, "/ml/v1/deployments/d/text/generation_stream");
  for (const char* model : {"deployment/", "deployment/../x", "deployment/a?b", "deployment/a b"}) {
    asked.model = model;
    EXPECT_TRUE(refusal(asked).starts_with("watsonx: not the id of a deployment: ")) << model;
  }
  asked = embedding();
  asked.model = "deployment/d";
  EXPECT_EQ(refusal(asked), "watsonx: deployments give no embeddings");
}

TEST(WatsonxRequest, OptionsOfAChatHaveItsNames) {
  EXPECT_EQ(with(all_options()),
            R"(,"max_completion_tokens":64,"temperature":0.5,"top_p":0.9,"frequency_penalty":0.2,)"
            R"("presence_penalty":0.3,"seed":7,"n":2,"stop":["END"],"logprobs":true,)"
            R"("top_logprobs":3,"include_reasoning":true,"reasoning_effort":"low"})");
}

TEST(WatsonxRequest, WhatAChatCantHonourIsReported) {
  Request asked = chat();
  asked.options = all_options();
  EXPECT_EQ(ignored(asked),
            (Names{"top_k", "min_p", "parallel_tool_calls", "user", "service_tier"}));
  EXPECT_TRUE(ignored(chat()).empty());
}

TEST(WatsonxRequest, ThinkingIsALevelOrASwitch) {
  EXPECT_EQ(with({.think = "high"s}), R"(,"include_reasoning":true,"reasoning_effort":"high"})");
  EXPECT_EQ(with({.think = "minimal"s}), R"(,"include_reasoning":true,"reasoning_effort":"low"})");
  EXPECT_EQ(with({.think = "on"s}),
            R"(,"include_reasoning":true,"chat_template_kwargs":{"thinking":true}})");
  const std::string off =
      R"(,"include_reasoning":false,"chat_template_kwargs":{"thinking":false}})";
  EXPECT_EQ(with({.think = "off"s}), off);
  EXPECT_EQ(with({.think = "none"s}), off);
}

TEST(WatsonxRequest, ExtraWins) {
  EXPECT_EQ(with_extra(R"({"temperature":1,"time_limit":500})", {.temperature = 0.2}),
            R"(,"temperature":1,"time_limit":500})");
  EXPECT_EQ(with_extra(R"({"chat_template_kwargs":{"a":1}})", {.think = "on"s}),
            R"(,"include_reasoning":true,"chat_template_kwargs":{"a":1,"thinking":true}})");
  EXPECT_EQ(with_extra(R"({"chat_template_kwargs":{"thinking":false}})", {.think = "on"s}),
            R"(,"include_reasoning":true,"chat_template_kwargs":{"thinking":false}})");
  EXPECT_EQ(with_extra(R"({"chat_template_kwargs":null})", {.think = "on"s}),
            R"(,"include_reasoning":true,"chat_template_kwargs":null})");
  EXPECT_EQ(with_extra(R"({"parameters":{"a":1}})"), R"(,"parameters":{"a":1}})");
}

TEST(WatsonxRequest, ToolsAndTheirHistoryAreSent) {
  Request asked = chat();
  asked.tools = {kTool};
  const std::string tools =
      R"(,"tools":[{"type":"function","function":{"name":"get_weather","description":)"
      R"("Weather in a city","parameters":{"properties":{},"type":"object"}}}])";
  EXPECT_EQ(rest(asked), tools + R"(,"tool_choice_option":"auto"})");
  asked.tool_choice.mode = ToolChoice::Mode::none;
  EXPECT_EQ(rest(asked), tools + R"(,"tool_choice_option":"none"})");
  asked.tool_choice.mode = ToolChoice::Mode::required;
  EXPECT_EQ(rest(asked), tools + R"(,"tool_choice_option":"required"})");
  asked.tool_choice = {.mode = ToolChoice::Mode::named, .name = "get_weather"};
  EXPECT_EQ(rest(asked),
            tools + R"(,"tool_choice":{"type":"function","function":{"name":"get_weather"}}})");
  asked.tool_choice.name = "get_wether";
  EXPECT_EQ(refusal(asked),
            "watsonx: tool_choice: there is no tool \"get_wether\": did you mean \"get_weather\"?");

  asked = chat();
  asked.messages.push_back(
      {.role = Message::Role::assistant,
       .tool_calls = {{.id = "c1", .name = "get_weather", .arguments = R"({"city":"Rome"})"}}});
  asked.messages.push_back(
      {.role = Message::Role::tool, .text = "22 C", .tool_call_id = "c1", .tool_name = "x"});
  const auto messages = nlohmann::json::parse(body(asked))["messages"];
  EXPECT_EQ(messages[1]["tool_calls"][0]["function"]["arguments"], R"({"city":"Rome"})");
  EXPECT_EQ(messages[2]["tool_call_id"], "c1");
}

TEST(WatsonxRequest, ImagesAreParts) {
  Request asked = chat();
  asked.messages[0].images = {{.url = "https://h/cat.png"}};
  EXPECT_EQ(nlohmann::json::parse(body(asked))["messages"][0]["content"][1]["image_url"]["url"],
            "https://h/cat.png");
}

TEST(WatsonxRequest, AFormatIsASchema) {
  Request asked = chat();
  asked.format = Format{.name = "city", .schema = Json::parse(R"({"type":"object"})")};
  EXPECT_EQ(rest(asked),
            R"(,"response_format":{"type":"json_schema","json_schema":{"name":"city","schema":)"
            R"({"type":"object"},"strict":true}}})");
  asked.format = Format{};
  EXPECT_EQ(rest(asked), R"(,"response_format":{"type":"json_object"}})");
}

TEST(WatsonxRequest, OptionsOfACompletionAreParameters) {
  EXPECT_EQ(parameters(all_options()),
            R"(,"parameters":{"max_new_tokens":64,"temperature":0.5,"top_p":0.9,"top_k":40,)"
            R"("random_seed":7,"stop_sequences":["END"],"return_options":{"generated_tokens":true,)"
            R"("token_logprobs":true,"top_n_tokens":3}}})");
  EXPECT_EQ(parameters({}), "}");
  EXPECT_EQ(parameters({.logprobs = false}), "}");
}

TEST(WatsonxRequest, ExtraOfACompletionGoesWhereItBelongs) {
  EXPECT_EQ(parameters({.temperature = 0.2}, R"({"decoding_method":"greedy","moderations":{}})"),
            R"(,"moderations":{},"parameters":{"temperature":0.2,"decoding_method":"greedy"}})");
  EXPECT_EQ(
      parameters({.temperature = 0.2, .max_tokens = 5},
                 R"({"temperature":1,"parameters":{"max_new_tokens":9,"top_k":1},"top_k":2})"),
      R"(,"parameters":{"temperature":1,"max_new_tokens":9,"top_k":1}})");
  Request asked = completion();
  asked.options.extra = Json::parse(R"({"parameters":3})");
  EXPECT_EQ(refusal(asked), "watsonx: extra: parameters is not a JSON object");
}

TEST(WatsonxRequest, WhatACompletionCantHonourIsReported) {
  Request asked = completion();
  asked.options = all_options();
  asked.tools = {kTool};
  asked.format = Format{};
  EXPECT_EQ(ignored(asked),
            (Names{"tools", "format", "min_p", "frequency_penalty", "presence_penalty", "choices",
                   "think", "parallel_tool_calls", "user", "service_tier"}));
  asked = completion();
  asked.options.choices = 1;
  EXPECT_TRUE(ignored(asked).empty());
}

TEST(WatsonxRequest, ACompletionHasOnePrompt) {
  Request asked = completion();
  asked.prompts.emplace_back("Twice");
  EXPECT_EQ(refusal(asked), "watsonx: 2 prompts: watsonx takes one at a time: ask for each alone");
  asked.prompts.clear();
  EXPECT_EQ(refusal(asked), "watsonx: no prompts");
}

TEST(WatsonxRequest, EmbeddingsAreOfAllPrompts) {
  Request asked = embedding();
  EXPECT_EQ(body(asked), R"({"model_id":"m","project_id":"p1","inputs":["one","two"]})");
  asked.options = {.temperature = 1, .user = "u"s};
  asked.options.extra = Json::parse(R"({"truncate_input_tokens":128})");
  EXPECT_TRUE(body(asked).ends_with(R"(,"parameters":{"truncate_input_tokens":128}})"));
  EXPECT_EQ(ignored(asked), (Names{"temperature", "user"}));
}

TEST(WatsonxRequest, WhatCantBeSentIsNamed) {
  Request asked = chat();
  asked.model.clear();
  EXPECT_EQ(refusal(asked), "watsonx: no model given");
  asked = chat();
  asked.messages.clear();
  EXPECT_EQ(refusal(asked), "watsonx: no messages");
  asked = chat();
  asked.messages[0].text = "\xFF";
  EXPECT_EQ(refusal(asked), "watsonx: message 1, user: the text is not valid UTF-8");
  asked = chat();
  asked.options.temperature = std::numeric_limits<double>::infinity();
  EXPECT_EQ(refusal(asked), "watsonx: option temperature: not a finite number");
  asked = embedding();
  asked.prompts[1] = "\xFF";
  EXPECT_EQ(refusal(asked), "watsonx: prompt 2: the text is not valid UTF-8");
  EXPECT_EQ(refusal(chat(), {.project = "\xFF"}),
            "watsonx: the project: the text is not valid UTF-8");
  asked = chat();
  asked.options.extra = Json::parse("[]");
  EXPECT_EQ(refusal(asked), "watsonx: extra: not a JSON object");
}

}  // namespace
}  // namespace mellea
