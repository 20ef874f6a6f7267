// A real server of another make: what we send is what it understands, and the other way round.
// MELLEA_BACKEND, MELLEA_BASE_URL and MELLEA_MODEL name it, LITELLM_API_KEY is its key if it wants
// one; its model is the one that tools/tiny_gguf.py writes as `agent`.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "mellea/mellea.h"
#include "mellea/telemetry.h"
#include "mellea/telemetry/memory_exporter.h"

namespace mellea {
namespace {

constexpr std::string_view kSentence = "Hello from a tiny local model";

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

BackendOptions the_server() {
  return {.backend = variable("MELLEA_BACKEND"),
          .model = variable("MELLEA_MODEL"),
          .base_url = variable("MELLEA_BASE_URL"),
          .api_key = variable("LITELLM_API_KEY"),
          .proxy = ""};
}

class ServerTest : public ::testing::Test {
 protected:
  Session start() {
    return runtime_.start_session(the_server(),
                                  {.options = {.temperature = 0.0, .max_tokens = 40}});
  }

  Reply ask(Request request) {
    const auto backend = runtime_.backend(the_server());  // a model of this machine goes with it
    const auto stream = backend->start(std::move(request), {});
    Reply reply;
    Chunk chunk;
    for (Next next{}; (next = stream->try_next(chunk)) != Next::end;) {
      if (next == Next::pending)
        stream->wait(Instant::max());
      else
        add(reply, chunk);
    }
    return reply;
  }

  std::shared_ptr<telemetry::MemoryExporter> spans_ = std::make_shared<telemetry::MemoryExporter>();
  Telemetry telemetry_{telemetry::Config{.exporters = {spans_}}};
  Runtime runtime_{{.plugins = telemetry_.plugins()}};
};

TEST_F(ServerTest, AnswersPlainAndStreamedAlike) {
  Session session = start();
  const Result plain = session.chat("hi");
  const Result streamed = session.chat("hi", {.stream = true});
  EXPECT_NE(plain.text().find(kSentence), std::string::npos) << plain.text();
  EXPECT_EQ(streamed.text(), plain.text());
  for (const Result& result : {plain, streamed}) {
    ASSERT_TRUE(result.usage());
    EXPECT_GT(result.usage()->input_tokens, 0);
    EXPECT_GT(result.usage()->output_tokens, 0);
    EXPECT_EQ(result.reply().finish_reasons, std::vector<std::string>{"stop"});
    EXPECT_FALSE(result.reply().response.model.empty());
  }
}

TEST_F(ServerTest, StopsWhereTheAnswerIsLongEnough) {
  const Result result = start().chat("hi", {.options = {.max_tokens = 2}});
  EXPECT_EQ(result.reply().finish_reasons, std::vector<std::string>{"length"});
  EXPECT_EQ(result.usage()->output_tokens, 2);
}

TEST_F(ServerTest, CallsAToolAndReadsItsResult) {
  const ToolSpec weather{
      .name = "get_weather",
      .description = "Weather in a city",
      .parameters = Json::parse(
          R"({"type":"object","properties":{"city":{"type":"string"}},"required":["city"]})")};
  for (const bool stream : {false, true}) {
    Request asked{.model = variable("MELLEA_MODEL"),
                  .messages = {{.text = "What is the weather in Paris?"}},
                  .options = {.temperature = 0.0, .max_tokens = 60},
                  .tools = {weather},
                  .stream = stream};
    const Reply wish = ask(asked);
    ASSERT_EQ(wish.tool_calls.size(), 1U) << wish.text;
    EXPECT_EQ(wish.tool_calls[0].name, "get_weather");
    EXPECT_FALSE(wish.tool_calls[0].id.empty());
    EXPECT_EQ(Json::parse(wish.tool_calls[0].arguments)->at("city"), "Paris");
    EXPECT_EQ(wish.finish_reasons, std::vector<std::string>{"tool_calls"});

    asked.messages.push_back({.role = Message::Role::assistant, .tool_calls = wish.tool_calls});
    asked.messages.push_back({.role = Message::Role::tool,
                              .text = "sunny",
                              .tool_call_id = wish.tool_calls[0].id,
                              .tool_name = "get_weather"});
    EXPECT_NE(ask(asked).text.find(kSentence), std::string::npos);
  }
}

TEST_F(ServerTest, AnswersInTheFormatThatIsAskedFor) {
  const Format format{
      .name = "verdict",
      .schema = Json::parse(
          R"({"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"],)"
          R"("additionalProperties":false})")};
  const Result result = start().chat("Is it?", {.format = format});
  EXPECT_TRUE(Json::parse(result.text())->at("ok").is_boolean()) << result.text();
}

TEST_F(ServerTest, CompletesEachPromptOfABatch) {
  Request asked{.kind = Request::Kind::completion,
                .model = variable("MELLEA_MODEL"),
                .prompts = {"Hello", "Once upon"},
                .options = {.temperature = 0.0, .max_tokens = 4}};
  const Reply both = ask(asked);
  EXPECT_FALSE(both.text.empty());
  ASSERT_EQ(both.alternatives.size(), 1U);
  asked.prompts = {"Once upon"};
  EXPECT_EQ(ask(asked).text, both.alternatives[0].text);
}

TEST_F(ServerTest, AnAnswerLeftEarlyFreesTheServer) {
  Session session = start();
  for (int time = 0; time < 8; ++time) {  // twice as many as the server has places
    Output output = session.start_chat("hi", {.stream = true});
    ASSERT_TRUE(output.next());
  }
  EXPECT_FALSE(session.chat("hi").text().empty());
}

TEST_F(ServerTest, ARequestThatTheServerRefusesSaysWhy) {
  try {
    start().chat("hi", {.options = {.extra = Json::parse(R"({"messages":"no list"})")}});
    FAIL() << "was accepted";
  } catch (const Error& error) {
    EXPECT_GE(error.details().status, 400);
    EXPECT_FALSE(error.details().provider_message.empty());
  }
}

TEST_F(ServerTest, ListsItsModels) {
  const std::vector<std::string> models = runtime_.backend(the_server())->models({});
  EXPECT_TRUE(std::any_of(models.begin(), models.end(), [](const std::string& name) {
    return name.find(variable("MELLEA_MODEL")) != name.npos;
  }));
}

TEST_F(ServerTest, EveryCallIsASpanWithItsUsage) {
  start().chat("hi");
  ASSERT_TRUE(runtime_.drain(std::chrono::steady_clock::now() + std::chrono::seconds(5)));
  std::size_t chats = 0;
  for (const auto& span : spans_->take())
    if (span->name == "chat " + model_name(the_server()) &&
        span->find(telemetry::Fact::input_tokens))
      ++chats;
  EXPECT_EQ(chats, 1U);
}

// Of a server that was started for them.
class EmbeddingServerTest : public ServerTest {};

TEST_F(EmbeddingServerTest, EmbedsEachPrompt) {
  const Reply reply = ask({.kind = Request::Kind::embedding,
                           .model = variable("MELLEA_MODEL"),
                           .prompts = {"a", "some other text", "a"}});
  ASSERT_EQ(reply.embeddings.size(), 3U);
  EXPECT_FALSE(reply.embeddings[0].values.empty());
  EXPECT_EQ(reply.embeddings[0].values.size(), reply.embeddings[1].values.size());
  EXPECT_NE(reply.embeddings[0].values, reply.embeddings[1].values);
}

// Of a LiteLLM proxy.
class LiteLlmServerTest : public ServerTest {};

TEST_F(LiteLlmServerTest, WhatItTellsInHeadersIsKept) {
  const Result result = start().chat("hi");
  ASSERT_TRUE(result.reply().response.metadata);
  EXPECT_TRUE(result.reply().response.metadata->contains("x-litellm-call-id"));
}

TEST_F(LiteLlmServerTest, AModelThatItDoesNotKnowIsNamed) {
  try {
    ask({.model = "unknown", .messages = {{.text = "hi"}}});
    FAIL() << "was accepted";
  } catch (const Error& error) {
    EXPECT_NE(error.details().provider_message.find("unknown"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace mellea
