#include "mellea/backends/ollama_request.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "mellea/core/error.h"

namespace mellea {
namespace {

// A request of one message; the tests set what they are about.
Request request() { return {.model = "m", .messages = {{.text = "Hi"}}}; }

std::string body(const Request& asked) { return write_ollama_request(asked).bodies.front(); }

// The body without what every request() has.
std::string rest(const Request& asked) {
  const std::string all = body(asked);
  const std::string common = R"({"model":"m","messages":[{"role":"user","content":"Hi"}])";
  EXPECT_TRUE(all.starts_with(common)) << all;
  EXPECT_TRUE(nlohmann::json::accept(all)) << all;
  return all.substr(std::min(common.size(), all.size()));
}

std::string with(ModelOptions options) {
  Request asked = request();
  asked.options = std::move(options);
  return rest(asked);
}

std::string with_extra(std::string_view extra, ModelOptions options = {}) {
  options.extra = Json::parse(extra);
  return with(std::move(options));
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

std::string refusal_of(Message message) {
  Request asked = request();
  asked.messages.push_back(std::move(message));
  return refusal(asked);
}

std::vector<std::string> ignored(const Request& asked) {
  std::vector<std::string> names;
  for (const Notice& notice : write_ollama_request(asked).notices) {
    EXPECT_EQ(notice.kind, Notice::Kind::option_ignored);
    EXPECT_TRUE(notice.text.starts_with("ollama: option " + notice.name + " was not sent: "));
    names.push_back(notice.name);
  }
  return names;
}

TEST(OllamaRequest, SaysWhetherItStreams) {
  Request asked = request();
  EXPECT_EQ(body(asked),
            R"({"model":"m","messages":[{"role":"user","content":"Hi"}],"stream":false})");
  asked.stream = true;
  EXPECT_EQ(rest(asked), R"(,"stream":true})");
  EXPECT_EQ(write_ollama_request(asked).path, "/api/chat");
}

TEST(OllamaRequest, HasEveryOptionUnderOllamasName) {
  EXPECT_EQ(with({.temperature = 0.2,
                  .top_p = 1.0,
                  .top_k = 40,
                  .min_p = 0.05,
                  .frequency_penalty = -0.5,
                  .presence_penalty = 0.0,
                  .max_tokens = 64,
                  .context_window = 8192,
                  .seed = -7,
                  .stop = std::vector<std::string>{"END", "\n"},
                  .choices = 1,
                  .logprobs = true,
                  .top_logprobs = 3}),
            R"(,"logprobs":true,"top_logprobs":3,"stream":false,"options":{"temperature":0.2,)"
            R"("top_p":1,"top_k":40,"min_p":0.05,"frequency_penalty":-0.5,"presence_penalty":0,)"
            R"("seed":-7,"num_predict":64,"num_ctx":8192,"stop":["END","\n"]}})");
}

TEST(OllamaRequest, AnOptionThatIsOffIsNotSent) {
  EXPECT_EQ(with({.temperature = off, .max_tokens = off, .think = off}), R"(,"stream":false})");
}

TEST(OllamaRequest, WhatOllamaDoesNotKnowIsTold) {
  Request asked = request();
  asked.tools = {{.name = "f"}};
  asked.tool_choice = {.mode = ToolChoice::Mode::required};
  asked.options = {.choices = 2,
                   .parallel_tool_calls = false,
                   .user = std::string("u"),
                   .service_tier = std::string("flex")};
  EXPECT_EQ(ignored(asked), (std::vector<std::string>{"tool_choice", "parallel_tool_calls",
                                                      "choices", "user", "service_tier"}));
  asked.options = {.choices = 1};
  asked.tool_choice = {.mode = ToolChoice::Mode::automatic};
  EXPECT_EQ(ignored(asked), std::vector<std::string>{});
}

TEST(OllamaRequest, ThinkingIsASwitchOrALevel) {
  const auto think = [](std::string level) { return with({.think = std::move(level)}); };
  EXPECT_EQ(think("on"), R"(,"think":true,"stream":false})");
  EXPECT_EQ(think("off"), R"(,"think":false,"stream":false})");
  EXPECT_EQ(think("none"), R"(,"think":false,"stream":false})");
  EXPECT_EQ(think("minimal"), R"(,"think":"low","stream":false})");
  EXPECT_EQ(think("high"), R"(,"think":"high","stream":false})");
}

TEST(OllamaRequest, ExtraGoesWhereOllamaLooksForIt) {
  EXPECT_EQ(with_extra(R"({"num_ctx":8192,"keep_alive":"5m","mirostat":1,"truncate":false})"),
            R"(,"stream":false,"keep_alive":"5m","truncate":false,)"
            R"("options":{"mirostat":1,"num_ctx":8192}})");
  EXPECT_EQ(with_extra(R"({"num_ctx":4096})", {.context_window = 8192}),
            R"(,"stream":false,"options":{"num_ctx":4096}})");
  EXPECT_EQ(with_extra(R"({"options":{"new_option":1},"num_gpu":0})", {.seed = 1}),
            R"(,"stream":false,"options":{"seed":1,"num_gpu":0,"new_option":1}})");
}

TEST(OllamaRequest, ExtraWins) {
  EXPECT_EQ(with_extra(R"({"temperature":1})", {.temperature = 0.2, .seed = 1}),
            R"(,"stream":false,"options":{"seed":1,"temperature":1}})");
  EXPECT_EQ(with_extra(R"({"options":{"temperature":2,"stop":null},"temperature":1})",
                       {.temperature = 0.2, .stop = std::vector<std::string>{"END"}}),
            R"(,"stream":false,"options":{"stop":null,"temperature":2}})");
  EXPECT_EQ(
      with_extra(R"({"think":"max","stream":true,"format":"json"})", {.think = std::string("low")}),
      R"(,"format":"json","stream":true,"think":"max"})");
  EXPECT_EQ(body({.model = "m",
                  .messages = {{.text = "Hi"}},
                  .options = {.extra = Json::parse(R"({"model":"n","messages":[]})")}}),
            R"({"stream":false,"messages":[],"model":"n"})");
}

TEST(OllamaRequest, HasEveryKindOfMessage) {
  EXPECT_EQ(
      body({.model = "m",
            .messages =
                {{.role = Message::Role::system, .text = "Be \"kind\"\x01."},
                 {.text = "Look",
                  .images = {{.url = "data:image/png;base64,iVBORw0="},
                             {.url = "data:image/jpeg;base64,/9j/"}}},
                 {.role = Message::Role::assistant,
                  .tool_calls = {{.id = "a", .name = "f", .arguments = R"({"x": [1]})"},
                                 {.name = "g"}},
                  .thinking = "hm"},
                 {.role = Message::Role::tool, .text = "4", .tool_call_id = "a", .tool_name = "f"},
                 {.role = Message::Role::tool, .text = "5", .tool_name = "g"},
                 {.role = Message::Role::assistant, .text = "9.", .thinking = "done"}}}),
      R"({"model":"m","messages":[{"role":"system","content":"Be \"kind\"\u0001."},)"
      R"({"role":"user","content":"Look","images":["iVBORw0=","/9j/"]},)"
      R"({"role":"assistant","content":"","thinking":"hm","tool_calls":[)"
      R"({"id":"a","function":{"index":0,"name":"f","arguments":{"x": [1]}}},)"
      R"({"function":{"index":1,"name":"g","arguments":{}}}]},)"
      R"({"role":"tool","content":"4","tool_name":"f","tool_call_id":"a"},)"
      R"({"role":"tool","content":"5","tool_name":"g"},)"
      R"({"role":"assistant","content":"9."}],"stream":false})");
}

TEST(OllamaRequest, AResultWithoutANameHasThatOfTheCallItAnswers) {
  Request asked = request();
  const auto calls = [](std::string id, std::string name) {
    return Message{.role = Message::Role::assistant,
                   .tool_calls = {{.id = std::move(id), .name = std::move(name)}}};
  };
  asked.messages = {calls("a", "first"),
                    calls("a", "second"),
                    calls("b", "other"),
                    {.role = Message::Role::tool, .text = "4", .tool_call_id = "a"},
                    {.role = Message::Role::tool, .text = "4", .tool_call_id = "z"}};
  const auto sent = nlohmann::json::parse(body(asked))["messages"];
  EXPECT_EQ(sent[3]["tool_name"], "second");
  EXPECT_FALSE(sent[4].contains("tool_name"));
  EXPECT_EQ(sent[4]["tool_call_id"], "z");
}

TEST(OllamaRequest, HasToolsUnlessNoneMayBeCalled) {
  Request asked = request();
  asked.tools = {{.name = "look", .description = "Looks.", .parameters = Json::parse("{}")},
                 {.name = "wait"}};
  EXPECT_EQ(rest(asked),
            R"(,"tools":[{"type":"function","function":{"name":"look","description":"Looks.",)"
            R"("parameters":{}}},{"type":"function","function":{"name":"wait","description":"",)"
            R"("parameters":{"type":"object","properties":{}}}}],"stream":false})");
  asked.tool_choice = {.mode = ToolChoice::Mode::none};
  EXPECT_EQ(rest(asked), R"(,"stream":false})");
  asked.tool_choice = {.mode = ToolChoice::Mode::named, .name = "look2"};
  EXPECT_EQ(refusal(asked),
            "ollama: tool_choice: there is no tool \"look2\": did you mean \"look\"?");
  asked.tools.clear();
  EXPECT_EQ(refusal(asked), "ollama: a tool must be called, but there are none");
}

TEST(OllamaRequest, HasTheFormOfTheAnswer) {
  Request asked = request();
  asked.format = Format{.name = "Recipe", .schema = Json::parse(R"({"type":"object"})")};
  EXPECT_EQ(rest(asked), R"(,"format":{"type":"object"},"stream":false})");
  asked.format = Format{};
  EXPECT_EQ(rest(asked), R"(,"format":"json","stream":false})");
}

TEST(OllamaRequest, OfACompletionHasABodyForEachPromptAndNoTemplate) {
  Request asked = {.kind = Request::Kind::completion,
                   .model = "m",
                   .prompts = {"Once"},
                   .options = {.max_tokens = 5, .logprobs = true, .think = std::string("off")},
                   .format = Format{}};
  const WrittenBatch written = write_ollama_request(asked);
  EXPECT_EQ(written.path, "/api/generate");
  EXPECT_EQ(
      written.bodies.front(),
      R"({"model":"m","prompt":"Once","raw":true,"logprobs":true,"format":"json","think":false,)"
      R"("stream":false,"options":{"num_predict":5}})");
  EXPECT_EQ(ignored(asked), std::vector<std::string>{});
  asked.prompts.push_back("Twice");
  const WrittenBatch both = write_ollama_request(asked);
  ASSERT_EQ(both.bodies.size(), 2U);
  EXPECT_EQ(both.bodies[0], written.bodies.front());
  EXPECT_NE(both.bodies[1].find(R"("prompt":"Twice","raw":true)"), std::string::npos);
  asked.options.user = std::string("u");
  EXPECT_EQ(ignored(asked), std::vector<std::string>{"user"}) << "told once";
  asked.prompts.push_back("\xFF");
  EXPECT_EQ(refusal(asked), "ollama: prompt 3: the text is not valid UTF-8");
  asked.prompts.clear();
  EXPECT_EQ(refusal(asked), "ollama: no prompts");
}

TEST(OllamaRequest, OfEmbeddingsHasInputsAndSaysWhatItLeavesOut) {
  Request asked = {
      .kind = Request::Kind::embedding,
      .model = "m",
      .prompts = {"a", "b"},
      .options = {.temperature = 0.5,
                  .context_window = 512,
                  .extra = Json::parse(R"({"dimensions":256,"truncate":false,"num_gpu":0})")},
      .format = Format{},
      .stream = true};
  const WrittenBatch written = write_ollama_request(asked);
  EXPECT_EQ(written.path, "/api/embed");
  EXPECT_EQ(written.bodies.front(),
            R"({"model":"m","input":["a","b"],"dimensions":256,"truncate":false,)"
            R"("options":{"num_ctx":512,"num_gpu":0}})");
  EXPECT_EQ(ignored(asked), (std::vector<std::string>{"temperature", "format"}));
}

TEST(OllamaRequest, SoundIsRefused) {
  EXPECT_EQ(refusal_of({.audio = {{.data = "UklGRg==", .format = "wav"}}}),
            "ollama: message 2, audio: Ollama takes no sound");
}

TEST(OllamaRequest, AnImageMustBeInTheMessage) {
  EXPECT_EQ(refusal_of({.images = {{.url = "https://h/a.png"}}}),
            "ollama: message 2, image: Ollama fetches no images: fetch it first, and send a data "
            "URL");
  EXPECT_EQ(refusal_of({.images = {{.url = "data:image/svg+xml,<svg/>"}}}),
            "ollama: message 2, image: the data URL is not base64");
  EXPECT_EQ(refusal_of({.images = {{.url = "data:image/png;base64"}}}),
            "ollama: message 2, image: the data URL is not base64");
}

TEST(OllamaRequest, OfTheDetailOfImagesIsToldOnce) {
  Request asked = request();
  const Image image{.url = "data:image/png;base64,AA==", .detail = "low"};
  asked.messages.push_back({.images = {image, image}});
  EXPECT_EQ(ignored(asked), std::vector<std::string>{"detail"});
}

TEST(OllamaRequest, ArgumentsMustBeAnObject) {
  const auto calls = [](std::string arguments) {
    return Message{.role = Message::Role::assistant,
                   .tool_calls = {{.name = "f", .arguments = std::move(arguments)}}};
  };
  EXPECT_EQ(refusal_of(calls("[1]")),
            "ollama: message 2, tool call: the arguments of f are no JSON object");
  for (const std::string& wrong :
       {std::string("{\"a\":"), std::string("{\"a\":\"\xFF\"}"), std::string(300, '[')})
    EXPECT_TRUE(refusal_of(calls(wrong)).starts_with("ollama: message 2, tool call: ")) << wrong;
}

TEST(OllamaRequest, WhatCannotBeSentIsNamed) {
  EXPECT_EQ(refusal_of({.role = Message::Role::assistant, .text = "a\xFF"}),
            "ollama: message 2, assistant: the text is not valid UTF-8");
  Request asked = request();
  asked.options.stop = std::vector<std::string>{"\xC0"};
  EXPECT_EQ(refusal(asked), "ollama: option stop: the text is not valid UTF-8");
  asked = request();
  asked.options.temperature = std::numeric_limits<double>::infinity();
  EXPECT_EQ(refusal(asked), "ollama: option temperature: not a finite number");
  asked = request();
  asked.options.extra = Json::parse("[]");
  EXPECT_EQ(refusal(asked), "ollama: extra: not a JSON object");
  asked.options.extra = Json::parse(R"({"options":null})");
  EXPECT_EQ(refusal(asked), "ollama: extra: options is not a JSON object");
  asked = request();
  asked.model.clear();
  EXPECT_EQ(refusal(asked), "ollama: no model given");
  EXPECT_EQ(refusal({.model = "m"}), "ollama: no messages");
  EXPECT_EQ(refusal({.kind = Request::Kind::embedding, .model = "m"}), "ollama: no prompts");
  EXPECT_EQ(refusal({.kind = Request::Kind::embedding, .model = "m", .prompts = {"a", "\xFF"}}),
            "ollama: prompt 2: the text is not valid UTF-8");
}

}  // namespace
}  // namespace mellea
