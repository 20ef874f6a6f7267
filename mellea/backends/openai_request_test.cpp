#include "mellea/backends/openai_request.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <nlohmann/json.hpp>

namespace mellea {
namespace {

const OpenAiDialect kOwn = OpenAiDialect::of_host("api.openai.com");
const OpenAiDialect kGroq = OpenAiDialect::of_host("api.groq.com");
const OpenAiDialect kDeepSeek = OpenAiDialect::of_host("api.deepseek.com");
const OpenAiDialect kOpenRouter = OpenAiDialect::of_host("openrouter.ai");
constexpr OpenAiDialect kOther{};

// A request of one message; the tests set what they are about.
Request request() { return {.model = "m", .messages = {{.text = "Hi"}}}; }

std::string body(const Request& asked, OpenAiDialect dialect = kOther) {
  return write_openai_request(asked, dialect).body;
}

// The body without what every request() has.
std::string rest(const Request& asked, OpenAiDialect dialect = kOther) {
  const std::string all = body(asked, dialect);
  const std::string common = R"({"model":"m","messages":[{"role":"user","content":"Hi"}])";
  EXPECT_TRUE(all.starts_with(common)) << all;
  EXPECT_TRUE(nlohmann::json::accept(all)) << all;
  return all.substr(std::min(common.size(), all.size()));
}

std::string with(ModelOptions options, OpenAiDialect dialect = kOther) {
  Request asked = request();
  asked.options = std::move(options);
  return rest(asked, dialect);
}

std::string refusal(const Request& asked) {
  try {
    body(asked);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::invalid_request);
    return error.what();
  }
  return "";
}

std::vector<std::string> ignored(const Request& asked, OpenAiDialect dialect) {
  std::vector<std::string> names;
  for (const Notice& notice : write_openai_request(asked, dialect).notices) {
    EXPECT_EQ(notice.kind, Notice::Kind::option_ignored);
    names.push_back(notice.name);
  }
  return names;
}

TEST(OpenAiRequest, OfATextIsSmall) {
  EXPECT_EQ(body(request()), R"({"model":"m","messages":[{"role":"user","content":"Hi"}]})");
  EXPECT_EQ(write_openai_request(request(), kOther).path, "/chat/completions");
}

TEST(OpenAiRequest, AsksForUsageWhenItStreams) {
  Request asked = request();
  asked.stream = true;
  EXPECT_EQ(rest(asked), R"(,"stream":true,"stream_options":{"include_usage":true}})");
}

TEST(OpenAiRequest, HasEveryOption) {
  EXPECT_EQ(
      with({.temperature = 0.2,
            .top_p = 1.0,
            .top_k = 40,
            .min_p = 0.05,
            .frequency_penalty = -0.5,
            .presence_penalty = 0.0,
            .max_tokens = 64,
            .seed = -7,
            .stop = std::vector<std::string>{"END", "\n"},
            .choices = 2,
            .logprobs = true,
            .top_logprobs = 3,
            .user = std::string("u"),
            .service_tier = std::string("flex")}),
      R"(,"temperature":0.2,"top_p":1,"top_k":40,"min_p":0.05,"frequency_penalty":-0.5,)"
      R"("presence_penalty":0,"seed":-7,"n":2,"stop":["END","\n"],"user":"u","max_tokens":64,)"
      R"("logprobs":true,"top_logprobs":3,"service_tier":"flex"})");
}

TEST(OpenAiRequest, AnOptionThatIsOffIsNotSent) {
  EXPECT_EQ(with({.temperature = off, .max_tokens = off, .think = off}), "}");
}

TEST(OpenAiRequest, OpenAisOwnServiceHasItsOwnNames) {
  EXPECT_EQ(with({.max_tokens = 64}, kOwn), R"(,"max_completion_tokens":64})");
  Request asked = request();
  asked.options = {.top_k = 1, .min_p = 0.1, .context_window = 8192, .parallel_tool_calls = true};
  EXPECT_EQ(rest(asked, kOwn), "}");
  for (const OpenAiDialect& dialect : {kOwn, kGroq, kDeepSeek})
    EXPECT_EQ(
        ignored(asked, dialect),
        (std::vector<std::string>{"parallel_tool_calls", "context_window", "top_k", "min_p"}));
  for (const OpenAiDialect& dialect : {kOther, kOpenRouter})
    EXPECT_EQ(ignored(asked, dialect),
              (std::vector<std::string>{"parallel_tool_calls", "context_window"}));
}

TEST(OpenAiRequest, OpenAisOwnServiceIsAtAzureToo) {
  for (const char* host :
       {"api.openai.com", "x.openai.azure.com", "x.openai.azure.us", "x.services.ai.azure.com"})
    EXPECT_TRUE(OpenAiDialect::of_host(host).own_service) << host;
  for (const char* host : {"api.openai.com.example", "openai.azure.com.example", "azure.com"})
    EXPECT_FALSE(OpenAiDialect::of_host(host).own_service) << host;
  EXPECT_TRUE(is_azure("x.openai.azure.com"));
  EXPECT_FALSE(is_azure("api.openai.com"));
}

TEST(OpenAiRequest, EachServiceHasItsOwnSwitchOfThinking) {
  struct Row {
    const char* think;
    OpenAiDialect dialect;
    const char* sent;
  };
  const auto rows = std::to_array<Row>({
      {"low", kOwn, R"(,"reasoning_effort":"low"})"},
      {"on", kOwn, R"(,"reasoning_effort":"medium"})"},
      {"off", kOwn, R"(,"reasoning_effort":"none"})"},
      {"off", kGroq, R"(,"reasoning_effort":"none"})"},
      {"high", kOther, R"(,"reasoning_effort":"high"})"},
      {"on", kOther,
       R"(,"reasoning_effort":"medium","chat_template_kwargs":{"enable_thinking":true}})"},
      {"off", kOther, R"(,"chat_template_kwargs":{"enable_thinking":false}})"},
      {"none", kOther, R"(,"chat_template_kwargs":{"enable_thinking":false}})"},
      {"high", kDeepSeek, R"(,"reasoning_effort":"high"})"},
      {"on", kDeepSeek, R"(,"thinking":{"type":"enabled"}})"},
      {"none", kDeepSeek, R"(,"thinking":{"type":"disabled"}})"},
      {"minimal", kOpenRouter, R"(,"reasoning":{"effort":"minimal"}})"},
      {"on", kOpenRouter, R"(,"reasoning":{"enabled":true}})"},
      {"off", kOpenRouter, R"(,"reasoning":{"effort":"none"}})"},
  });
  for (const Row& row : rows)
    EXPECT_EQ(with({.think = std::string(row.think)}, row.dialect), row.sent);
}

TEST(OpenAiRequest, ThinkingGoesBackUnderTheNameThatTheServiceTakes) {
  Request asked = request();
  asked.messages.push_back({.role = Message::Role::assistant,
                            .tool_calls = {{.id = "a", .name = "f", .arguments = "{}"}},
                            .thinking = "hm"});
  const auto has = [&asked](std::string_view member, const OpenAiDialect& dialect) {
    return body(asked, dialect).find(member) != std::string::npos;
  };
  EXPECT_TRUE(has(R"("reasoning_content":"hm")", kOther));
  EXPECT_TRUE(has(R"("reasoning_content":"hm")", kDeepSeek));  // which demands it
  for (const OpenAiDialect& dialect : {kGroq, kOpenRouter}) {
    EXPECT_TRUE(has(R"("reasoning":"hm")", dialect));
    EXPECT_FALSE(has("reasoning_content", dialect));
  }
  EXPECT_FALSE(has("reasoning", kOwn));
}

TEST(OpenAiRequest, AServiceThatKnowsNoSchemasIsAskedForAnyObject) {
  Request asked = request();
  asked.format = Format{.name = "Recipe", .schema = Json::parse(R"({"type":"object"})")};
  EXPECT_EQ(rest(asked, kDeepSeek), R"(,"response_format":{"type":"json_object"}})");
  EXPECT_EQ(ignored(asked, kDeepSeek), std::vector<std::string>{"format.schema"});
}

TEST(OpenAiRequest, ExtraWins) {
  EXPECT_EQ(body({.model = "m",
                  .messages = {{.text = "Hi"}},
                  .options = {.temperature = 0.2,
                              .extra = Json::parse(R"({"model":"n","temperature":1})")}}),
            R"({"messages":[{"role":"user","content":"Hi"}],"model":"n","temperature":1})");
  EXPECT_EQ(with({.think = std::string("off"),
                  .extra = Json::parse(R"({"chat_template_kwargs":{"a":1}})")}),
            R"(,"chat_template_kwargs":{"a":1,"enable_thinking":false}})");
  EXPECT_EQ(with({.extra = Json::parse(R"({"chat_template_kwargs":{"a":1}})")}),
            R"(,"chat_template_kwargs":{"a":1}})");
}

TEST(OpenAiRequest, HasEveryKindOfMessage) {
  EXPECT_EQ(
      body({.model = "m",
            .messages = {{.role = Message::Role::system, .text = "Be \"kind\"\x01."},
                         {.text = "Look", .images = {{.url = "https://h/a.png", .detail = "low"}}},
                         {.role = Message::Role::assistant,
                          .tool_calls = {{.id = "a", .name = "f", .arguments = "{}"}},
                          .thinking = "hm"},
                         {.role = Message::Role::tool, .text = "4", .tool_call_id = "a"},
                         {.role = Message::Role::assistant, .text = "4.", .thinking = "done"}}}),
      R"({"model":"m","messages":[{"role":"system","content":"Be \"kind\"\u0001."},)"
      R"({"role":"user","content":[{"type":"text","text":"Look"},{"type":"image_url",)"
      R"("image_url":{"url":"https://h/a.png","detail":"low"}}]},)"
      R"({"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function",)"
      R"("function":{"name":"f","arguments":"{}"}}],"reasoning_content":"hm"},)"
      R"({"role":"tool","content":"4","tool_call_id":"a"},)"
      R"({"role":"assistant","content":"4."}]})");
}

TEST(OpenAiRequest, HasToolsAndWhichToUse) {
  Request asked = request();
  asked.tools = {{.name = "look", .description = "Looks.", .parameters = Json::parse("{}")},
                 {.name = "wait"}};
  const std::string tools =
      R"(,"tools":[{"type":"function","function":{"name":"look","description":"Looks.",)"
      R"("parameters":{}}},{"type":"function","function":{"name":"wait"}}])";
  EXPECT_EQ(rest(asked), tools + "}");
  asked.tool_choice = {.mode = ToolChoice::Mode::required};
  EXPECT_EQ(rest(asked), tools + R"(,"tool_choice":"required"})");
  asked.tool_choice = {.mode = ToolChoice::Mode::named, .name = "wait"};
  EXPECT_EQ(rest(asked),
            tools + R"(,"tool_choice":{"type":"function","function":{"name":"wait"}}})");
  asked.tool_choice.name = "look2";
  EXPECT_EQ(refusal(asked),
            "openai: tool_choice: there is no tool \"look2\": did you mean \"look\"?");
  asked.tools.clear();
  EXPECT_EQ(refusal(asked), "openai: a tool must be called, but there are none");
}

TEST(OpenAiRequest, HasTheFormOfTheAnswer) {
  Request asked = request();
  asked.format =
      Format{.name = "Recipe",
             .schema = Json::parse(R"({"type":"object","properties":{"t":{"const":1}}})")};
  EXPECT_EQ(rest(asked),
            R"(,"response_format":{"type":"json_schema","json_schema":{"name":"Recipe",)"
            R"("schema":{"properties":{"t":{"const":1}},"type":"object"},"strict":true}}})");
  EXPECT_NE(rest(asked, kOwn).find(R"("additionalProperties":false)"), std::string::npos);
  asked.format = Format{};
  EXPECT_EQ(rest(asked), R"(,"response_format":{"type":"json_object"}})");
}

TEST(OpenAiRequest, AStrictSchemaIsStrictAtEveryLevel) {
  EXPECT_EQ(strict_schema(Json::parse(R"({"type":"object","required":["a"],"properties":{
      "a":{"type":"array","items":{"type":"object","properties":{"x":{}}}},
      "b":{"anyOf":[{"$ref":"#/$defs/d"},{"type":"null"}]},
      "properties":{"type":"string"}},
      "$defs":{"d":{"type":"object","properties":{"y":{"type":"object"}}}}})"))
                .text(),
            nlohmann::json::parse(R"({"type":"object","required":["a","b","properties"],
      "additionalProperties":false,"properties":{
      "a":{"type":"array","items":{"type":"object","properties":{"x":{}},"required":["x"],
      "additionalProperties":false}},
      "b":{"anyOf":[{"$ref":"#/$defs/d"},{"type":"null"}]},
      "properties":{"type":"string"}},
      "$defs":{"d":{"type":"object","properties":{"y":{"type":"object",
      "additionalProperties":false}},"required":["y"],"additionalProperties":false}}})")
                .dump());
}

TEST(OpenAiRequest, OfCompletionsHasPrompts) {
  const WrittenRequest written =
      write_openai_request({.kind = Request::Kind::completion,
                            .model = "m",
                            .prompts = {"a", "b"},
                            .options = {.max_tokens = 5, .think = std::string("on")}},
                           kOther);
  EXPECT_EQ(written.path, "/completions");
  EXPECT_EQ(written.body, R"({"model":"m","prompt":["a","b"],"max_tokens":5})");
  EXPECT_EQ(written.notices.size(), 1U);
}

TEST(OpenAiRequest, OnlyWhatStrictModeKnowsIsStrict) {
  const auto strict = [](std::string_view schema) {
    Request asked = request();
    asked.format = Format{.name = "x", .schema = Json::parse(schema)};
    const auto sent = nlohmann::json::parse(body(asked, kOwn));
    return sent["response_format"]["json_schema"]["strict"].get<bool>();
  };
  for (const char* schema :
       {R"({"type":"object","properties":{"not":{"type":"string"},"anyOf":{"const":1}}})",
        R"({"type":"object","properties":{"a":{"anyOf":[{"type":"null"},{"$ref":"#"}]}}})",
        R"({"type":"object","properties":{"a":{"enum":[1]},"additionalProperties":{"const":2}}})",
        R"({"type":"object","additionalProperties":false,"properties":{"a":{"type":"array",
            "items":{"type":"string","pattern":"a"},"minItems":1}}})"})
    EXPECT_TRUE(strict(schema)) << schema;
  for (const char* schema :
       {R"({"anyOf":[{"type":"object"}]})", R"({"type":"object","additionalProperties":true})",
        R"({"type":"object","properties":{"a":{}}})",
        R"({"type":"object","properties":{"a":true}})",
        R"({"type":"object","properties":{"a":{"type":"string","minLength":1}}})",
        R"({"type":"object","properties":{"a":{"type":"array","items":{"allOf":[]}}}})",
        R"({"type":"object","$defs":{"d":{"type":"array","uniqueItems":true}}})"})
    EXPECT_FALSE(strict(schema)) << schema;
}

TEST(OpenAiRequest, WhatStrictModeCannotSayIsNotStrict) {
  Request asked = request();
  asked.format = Format{
      .name = "prices",
      .schema = Json::parse(R"({"type":"object","additionalProperties":{"type":"number"}})")};
  EXPECT_TRUE(
      rest(asked, kOwn)
          .ends_with(
              R"("schema":{"additionalProperties":{"type":"number"},"type":"object"},"strict":false}}})"));
  EXPECT_EQ(write_openai_request(asked, kOwn).notices.at(0).text,
            "openai: option format.strict was not sent: strict mode knows no maps");
  EXPECT_EQ(ignored(asked, kOwn), std::vector<std::string>{"format.strict"});
}

TEST(OpenAiRequest, AStrictSchemaHasNoDefaultsAndReferencesStandAlone) {
  EXPECT_EQ(strict_schema(Json::parse(R"({"$ref":"#/$defs/T","$defs":{"T":{"type":"object",
      "properties":{"n":{"type":"integer","default":4},
                    "next":{"$ref":"#/$defs/T","description":"x"}}}}})"))
                .text(),
            R"({"$defs":{"T":{"additionalProperties":false,"properties":{"n":{"type":"integer"},)"
            R"("next":{"$ref":"#/$defs/T"}},"required":["n","next"],"type":"object"}},)"
            R"("additionalProperties":false,"properties":{"n":{"type":"integer"},)"
            R"("next":{"$ref":"#/$defs/T"}},"required":["n","next"],"type":"object"})");
}

TEST(OpenAiRequest, ACompletionHasOneNumberForLogprobs) {
  const auto with = [](ModelOptions options) {
    return write_openai_request({.kind = Request::Kind::completion,
                                 .model = "m",
                                 .prompts = {"a"},
                                 .options = std::move(options)},
                                kOther)
        .body;
  };
  EXPECT_EQ(with({.logprobs = true}), R"({"model":"m","prompt":["a"],"logprobs":1})");
  EXPECT_EQ(with({.top_logprobs = 3}), R"({"model":"m","prompt":["a"],"logprobs":3})");
  EXPECT_EQ(with({.logprobs = false, .top_logprobs = 3}), R"({"model":"m","prompt":["a"]})");
}

TEST(OpenAiRequest, OfEmbeddingsHasInputsAndSaysWhatItLeavesOut) {
  const WrittenRequest written =
      write_openai_request({.kind = Request::Kind::embedding,
                            .model = "m",
                            .prompts = {"a", "b"},
                            .options = {.temperature = 0.5,
                                        .user = std::string("u"),
                                        .extra = Json::parse(R"({"dimensions":256})")},
                            .stream = true},
                           kOther);
  EXPECT_EQ(written.path, "/embeddings");
  EXPECT_EQ(written.body, R"({"model":"m","input":["a","b"],"user":"u","dimensions":256})");
  ASSERT_EQ(written.notices.size(), 1U);
  EXPECT_EQ(written.notices[0].name, "temperature");
}

TEST(OpenAiRequest, SoundIsAPartOfTheMessage) {
  Request asked{.model = "m"};
  asked.messages = {{.text = "What is this?", .audio = {{.data = "UklGRg==", .format = "wav"}}}};
  EXPECT_EQ(body(asked),
            R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":)"
            R"("What is this?"},{"type":"input_audio","input_audio":{"data":"UklGRg==","format":)"
            R"("wav"}}]}]})");
}

TEST(OpenAiRequest, WhatCannotBeSentIsNamed) {
  Request asked = request();
  asked.messages.push_back({.role = Message::Role::assistant, .text = "a\xFF"});
  EXPECT_EQ(refusal(asked), "openai: message 2, assistant: the text is not valid UTF-8");
  asked = request();
  asked.options.stop = std::vector<std::string>{"\xC0"};
  EXPECT_EQ(refusal(asked), "openai: option stop: the text is not valid UTF-8");
  asked = request();
  asked.options.temperature = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(refusal(asked), "openai: option temperature: not a finite number");
  asked = request();
  asked.options.extra = Json::parse("[]");
  EXPECT_EQ(refusal(asked), "openai: extra: not a JSON object");
  asked = request();
  asked.model.clear();
  EXPECT_EQ(refusal(asked), "openai: no model given");
  EXPECT_EQ(refusal({.model = "m"}), "openai: no messages");
  EXPECT_EQ(refusal({.kind = Request::Kind::embedding, .model = "m"}), "openai: no prompts");
}

}  // namespace
}  // namespace mellea
