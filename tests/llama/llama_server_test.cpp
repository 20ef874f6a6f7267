// A real server of another make: what we send is what it understands, and the other way round.
// MELLEA_LLAMA_URL names it; its model is the one that tools/tiny_gguf.py writes as `agent`.
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "mellea/mellea.h"
#include "mellea/telemetry.h"
#include "mellea/telemetry/memory_exporter.h"

namespace mellea {
namespace {

constexpr std::string_view kSentence = "Hello from a tiny local model";

class LlamaServerTest : public ::testing::Test {
 protected:
  Session start() {
    return runtime_.start_session(
        {.backend = "openai", .model = "tiny", .base_url = std::getenv("MELLEA_LLAMA_URL")},
        {.options = {.temperature = 0.0, .max_tokens = 40}});
  }

  std::shared_ptr<telemetry::MemoryExporter> spans_ = std::make_shared<telemetry::MemoryExporter>();
  Telemetry telemetry_{telemetry::Config{.exporters = {spans_}}};
  Runtime runtime_{{.plugins = telemetry_.plugins()}};
};

TEST_F(LlamaServerTest, AnswersPlainAndStreamedAlike) {
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
    EXPECT_FALSE(result.reply().response.id.empty());
  }
}

TEST_F(LlamaServerTest, CallsAToolAndReadsItsResult) {
  Session session = start();
  const CallOptions with_tools{
      .tools = {
          {.name = "get_weather",
           .description = "Weather in a city",
           .parameters = Json::parse(
               R"({"type":"object","properties":{"city":{"type":"string"}},"required":["city"]})")}}};
  for (const bool stream : {false, true}) {
    CallOptions options = with_tools;
    options.stream = stream;
    const Result asked = session.chat("What is the weather in Paris?", options);
    ASSERT_EQ(asked.tool_calls().size(), 1U) << asked.text();
    EXPECT_EQ(asked.tool_calls()[0].name, "get_weather");
    EXPECT_EQ(Json::parse(asked.tool_calls()[0].arguments)->at("city"), "Paris");
  }
}

TEST_F(LlamaServerTest, AnAnswerLeftEarlyFreesTheServer) {
  Session session = start();
  for (int time = 0; time < 8; ++time) {  // twice as many as the server has places
    Output output = session.start_chat("hi", {.stream = true});
    ASSERT_TRUE(output.next());
  }
  EXPECT_FALSE(session.chat("hi").text().empty());
}

TEST_F(LlamaServerTest, ARequestThatTheServerRefusesSaysWhy) {
  try {
    start().chat("hi", {.options = {.extra = Json::parse(R"({"messages":"no list"})")}});
    FAIL() << "was accepted";
  } catch (const Error& error) {
    EXPECT_GE(error.details().status, 400);
    EXPECT_FALSE(error.details().provider_message.empty());
  }
}

TEST_F(LlamaServerTest, ListsItsModels) {
  EXPECT_FALSE(runtime_.backend({.backend = "openai", .base_url = std::getenv("MELLEA_LLAMA_URL")})
                   ->models({})
                   .empty());
}

TEST_F(LlamaServerTest, EveryCallIsASpanWithItsUsage) {
  start().chat("hi");
  ASSERT_TRUE(runtime_.drain(std::chrono::steady_clock::now() + std::chrono::seconds(5)));
  std::size_t chats = 0;
  for (const auto& span : spans_->take())
    if (span->name == "chat tiny" && span->find(telemetry::Fact::input_tokens)) ++chats;
  EXPECT_EQ(chats, 1U);
}

}  // namespace
}  // namespace mellea
