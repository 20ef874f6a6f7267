#include "mellea/backends/litellm_backend.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "mellea/backends/read_for_test.h"
#include "mellea/net/testing/loopback_server.h"

namespace mellea {
namespace {

class LiteLlmBackend : public testing::Test {
 protected:
  Read ask(Script script, Request request = {.model = "gpt-4o", .messages = {{.text = "Hi"}}}) {
    server_.emplace(std::vector<Script>{std::move(script)});
    const auto backend = make_backend(
        {.backend = "litellm", .base_url = server_->url(), .api_key = "sk-virtual"}, network_);
    EXPECT_EQ(backend->provider(), "litellm");
    return read(*backend->start(std::move(request), {}));
  }

  const std::shared_ptr<Network> network_ = make_network();
  std::optional<LoopbackServer> server_;
};

TEST_F(LiteLlmBackend, KeepsWhatTheProxyTellsInHeaders) {
  const Read answer = ask(Script::answer(
      200, R"({"id":"c1","choices":[{"message":{"content":"Paris"},"finish_reason":"stop"}]})",
      {{"x-litellm-response-cost", "0.0012"},
       {"x-litellm-model-id", "a1"},
       {"x-ratelimit-remaining-requests", "59"},
       {"x-other", "no"}}));
  EXPECT_EQ(answer.what(), "");
  EXPECT_EQ(answer.reply.text, "Paris");
  EXPECT_EQ(answer.reply.response.id, "c1");
  EXPECT_EQ(*answer.reply.response.metadata,
            nlohmann::json::parse(R"({"x-litellm-response-cost":"0.0012","x-litellm-model-id":"a1",
                                      "x-ratelimit-remaining-requests":"59"})"));
  const ReceivedRequest request = server_->requests().at(0);
  EXPECT_EQ(request.path, "/chat/completions");
  EXPECT_EQ(request.header("authorization"), "Bearer sk-virtual");
}

TEST_F(LiteLlmBackend, StreamsAndSendsWhatIsItsOwn) {
  Request request{.model = "gpt-4o", .messages = {{.text = "Hi"}}, .stream = true};
  request.options.extra = Json::parse(R"({"fallbacks":["claude"],"tags":["a"]})");
  const Read answer =
      ask(Script::stream({{"x-litellm-call-id", "7"}})
              .chunk("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"A\"},"
                     "\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
              .end(),
          std::move(request));
  EXPECT_EQ(answer.reply.text, "A");
  EXPECT_EQ((*answer.reply.response.metadata)["x-litellm-call-id"], "7");
  const auto sent = nlohmann::json::parse(server_->requests().at(0).body);
  EXPECT_EQ(sent["fallbacks"], nlohmann::json::parse(R"(["claude"])"));
}

TEST_F(LiteLlmBackend, TellsWhoAnsweredInsteadAndWhatItCost) {
  const Read answer = ask(Script::stream({{"x-litellm-attempted-fallbacks", "1"},
                                          {"x-litellm-attempted-retries", "2"},
                                          {"x-litellm-model-group", "claude"},
                                          {"llm_provider-x-request-id", "req_1"}})
                              .chunk("data: {\"model\":\"claude-3\",\"choices\":[{\"index\":0,"
                                     "\"delta\":{\"content\":\"A\"},\"finish_reason\":\"stop\"}]}"
                                     "\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,"
                                     "\"completion_tokens\":1,\"cost\":0.0005}}\n\n"
                                     "data: [DONE]\n\n")
                              .end());
  EXPECT_EQ(answer.what(), "");
  EXPECT_EQ(answer.reply.response.model, "claude-3");
  EXPECT_EQ(*answer.reply.response.metadata,
            nlohmann::json::parse(R"({"x-litellm-attempted-fallbacks":"1",
                "x-litellm-attempted-retries":"2","x-litellm-model-group":"claude",
                "llm_provider-x-request-id":"req_1",
                "usage":{"prompt_tokens":9,"completion_tokens":1,"cost":0.0005}})"));
}

TEST_F(LiteLlmBackend, PairsPromptsWithAnswersAndEmbeddings) {
  const Read texts =
      ask(Script::answer(200, R"({"choices":[{"index":1,"text":"B"},{"index":0,"text":"A"}]})"),
          {.kind = Request::Kind::completion, .model = "m", .prompts = {"a", "b"}});
  EXPECT_EQ(texts.reply.text, "A");
  EXPECT_EQ(texts.reply.alternatives.at(0).text, "B");
  EXPECT_EQ(server_->requests().at(0).path, "/completions");

  const Read vectors =
      ask(Script::answer(200,
                         R"({"model":"e","data":[{"index":0,"embedding":[1]},)"
                         R"({"index":1,"embedding":[2]}],"usage":{"prompt_tokens":4}})",
                         {{"x-litellm-response-cost", "1e-7"}}),
          {.kind = Request::Kind::embedding, .model = "e", .prompts = {"a", "b"}});
  ASSERT_EQ(vectors.reply.embeddings.size(), 2U);
  EXPECT_EQ(vectors.reply.embeddings[1].values, std::vector<float>{2});
  EXPECT_EQ((*vectors.reply.response.metadata)["x-litellm-response-cost"], "1e-7");
  EXPECT_EQ(server_->requests().at(0).path, "/embeddings");
}

TEST_F(LiteLlmBackend, ItsErrorsAreItsOwn) {
  const Read refused = ask(Script::answer(
      401, R"({"error":{"message":"no such key","code":"401"}})", {{"x-litellm-call-id", "c7"}}));
  EXPECT_EQ(refused.outcome(), "auth");
  EXPECT_EQ(refused.error->details().request_id, "c7");
  EXPECT_EQ(refused.what().find("litellm: POST http://127.0.0.1:"), 0U) << refused.what();
  EXPECT_NE(refused.what().find("check LITELLM_API_KEY"), std::string::npos);
  const auto backend = make_backend({.backend = "litellm", .model = "m"}, network_);
  try {
    static_cast<void>(backend->start({}, {}));
    FAIL() << "it has no messages";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "litellm: no messages");
  }
  EXPECT_EQ(backend->endpoint().port, 4000);
}

}  // namespace
}  // namespace mellea
