// A real model, run by llama.cpp: what the backend "local" says and counts.
// MELLEA_MODEL names the one that tools/tiny_gguf.py writes as `agent`.
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "mellea/core/schema.h"
#include "mellea/mellea.h"
#include "mellea/telemetry.h"
#include "mellea/telemetry/memory_exporter.h"

namespace mellea {
namespace {

constexpr std::string_view kSentence = "Hello from a tiny local model";

class LocalModelTest : public testing::Test {
 protected:
  static BackendOptions backend() {
    BackendOptions options{.backend = "local",
                           .model = std::getenv("MELLEA_MODEL"),
                           .local = LocalOptions::from_env()};
    options.local->threads = 1;  // more of them wait for each other on a busy machine
    return options;
  }
  Session start() {
    return runtime_.start_session(backend(), {.options = {.temperature = 0.0, .max_tokens = 40}});
  }

  const std::shared_ptr<telemetry::MemoryExporter> spans_ =
      std::make_shared<telemetry::MemoryExporter>();
  Telemetry telemetry_{telemetry::Config{.exporters = {spans_}}};
  Runtime runtime_{{.plugins = telemetry_.plugins()}};
};

TEST_F(LocalModelTest, AnswersPlainAndStreamedAlike) {
  Session session = start();
  const Result plain = session.chat("hi");
  const Result streamed = session.chat("hi", {.stream = true});
  EXPECT_NE(plain.text().find(kSentence), std::string::npos) << plain.text();
  EXPECT_EQ(streamed.text(), plain.text());
  ASSERT_TRUE(plain.usage() && streamed.usage());
  EXPECT_EQ(plain.usage()->input_tokens, streamed.usage()->input_tokens);
  EXPECT_EQ(plain.usage()->output_tokens, streamed.usage()->output_tokens);
  EXPECT_GT(plain.usage()->output_tokens, 0);
  EXPECT_EQ(plain.reply().finish_reasons, std::vector<std::string>{"stop"});
}

TEST_F(LocalModelTest, StopsAtTheMostTokensAndAtAStopText) {
  Session session = start();
  const Result three = session.chat("hi", {.options = {.max_tokens = 3}});
  EXPECT_EQ(three.usage()->output_tokens, 3);
  EXPECT_EQ(three.reply().finish_reasons, std::vector<std::string>{"length"});
  for (const bool stream : {false, true}) {
    const Result stopped = session.chat(
        "hi", {.options = {.stop = std::vector<std::string>{"iny loc"}}, .stream = stream});
    EXPECT_TRUE(stopped.text().ends_with("from a t")) << stopped.text();
    EXPECT_EQ(stopped.reply().finish_reasons, std::vector<std::string>{"stop"});
  }
}

TEST_F(LocalModelTest, CallsAToolAndReadsItsResult) {
  Session session = start();
  CallOptions options{
      .tools = {ToolSpec{
          .name = "get_weather",
          .description = "Weather in a city",
          .parameters = Json::parse(
              R"({"type":"object","properties":{"city":{"type":"string"}},"required":["city"]})")}}};
  for (const bool stream : {false, true}) {
    options.stream = stream;
    const Result asked = session.chat("What is the weather in Paris?", options);
    ASSERT_EQ(asked.tool_calls().size(), 1U) << asked.text();
    EXPECT_EQ(asked.tool_calls()[0].name, "get_weather");
    EXPECT_EQ(Json::parse(asked.tool_calls()[0].arguments)->at("city"), "Paris");
  }
}

TEST_F(LocalModelTest, AnswersInTheFormatThatIsDemanded) {
  const Json schema = Json::parse(
      R"({"type":"object","properties":{"ok":{"type":"boolean"},"n":{"enum":[1,2]}},
          "required":["ok","n"],"additionalProperties":false})");
  const Result result = start().chat(
      "hi", {.options = {.max_tokens = 400}, .format = Format{.name = "answer", .schema = schema}});
  EXPECT_TRUE(Schema(schema).allows(nlohmann::json::parse(result.text()))) << result.text();
}

TEST_F(LocalModelTest, CountsTheTokensOfEachPrompt) {
  const auto backend = runtime_.backend(LocalModelTest::backend());
  const auto count = [&](const std::vector<std::string>& prompts) {
    const auto stream = backend->start({.kind = Request::Kind::completion,
                                        .prompts = prompts,
                                        .options = {.temperature = 0.0, .max_tokens = 5}},
                                       {});
    Reply reply;
    Chunk chunk;
    for (Next next{}; (next = stream->try_next(chunk)) != Next::end;) {
      if (next == Next::chunk)
        add(reply, chunk);
      else
        stream->wait(Instant::max());
    }
    return reply.usage.value_or(Usage{});
  };
  const Usage one = count({"hi"});
  const Usage other = count({"Paris is sunny"});
  const Usage both = count({"hi", "Paris is sunny"});
  EXPECT_EQ(both.input_tokens.value_or(0), *one.input_tokens + *other.input_tokens);
  EXPECT_EQ(both.output_tokens, 10);
}

TEST_F(LocalModelTest, EmbedsTexts) {
  const auto backend = runtime_.backend(LocalModelTest::backend());
  const auto stream =
      backend->start({.kind = Request::Kind::embedding, .prompts = {"hi", "the weather"}}, {});
  Reply reply;
  Chunk chunk;
  for (Next next{}; (next = stream->try_next(chunk)) != Next::end;) {
    if (next == Next::chunk)
      add(reply, chunk);
    else
      stream->wait(Instant::max());
  }
  ASSERT_EQ(reply.embeddings.size(), 2U);
  EXPECT_FALSE(reply.embeddings[0].values.empty());
  EXPECT_NE(reply.embeddings[0].values, reply.embeddings[1].values);
  EXPECT_GT(reply.usage.value_or(Usage{}).input_tokens, 2);
}

TEST_F(LocalModelTest, AnAnswerLeftEarlyFreesTheModel) {
  Session session = start();
  for (int time = 0; time < 8; ++time) {
    Output output = session.start_chat("hi", {.stream = true});
    ASSERT_TRUE(output.next());
  }
  EXPECT_FALSE(session.chat("hi").text().empty());
}

TEST_F(LocalModelTest, APromptLongerThanTheModelKnowsIsRefused) {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "weather ";
  try {
    start().chat(text);
    FAIL() << "was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::context_length) << error.what();
  }
}

TEST_F(LocalModelTest, ACallIsASpanOfThisProcess) {
  start().chat("hi");
  ASSERT_TRUE(runtime_.drain(std::chrono::steady_clock::now() + std::chrono::seconds(5)));
  std::size_t chats = 0;
  for (const auto& span : spans_->take())
    if (span->kind == telemetry::SpanKind::internal && span->find(telemetry::Fact::input_tokens))
      ++chats;
  EXPECT_EQ(chats, 1U);
}

}  // namespace
}  // namespace mellea
