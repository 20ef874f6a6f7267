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

TEST_F(LiteLlmBackend, ItsErrorsAreItsOwn) {
  const Read refused =
      ask(Script::answer(401, R"({"error":{"message":"no such key","code":"401"}})"));
  EXPECT_EQ(refused.outcome(), "auth");
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
