// The client against an IAM and a watsonx on loopback, two servers as there are two hosts.
#include "mellea/backends/watsonx_backend.h"

#include <gtest/gtest.h>

#include <future>
#include <latch>
#include <nlohmann/json.hpp>
#include <thread>

#include "mellea/backends/read_for_test.h"
#include "mellea/net/testing/loopback_server.h"

namespace mellea {
namespace {

using namespace std::chrono_literals;

const Headers kSoon = {{"retry-after-ms", "1"}};
const std::string kKey = "canary-api-key-0123456789";

// The first token is canary-token-1..., the next one -2..., and so on.
std::string token(int number) { return "canary-token-" + std::to_string(number) + "-abcdefghij"; }

Script gives(int number) {
  return Script::answer(200, R"({"access_token":")" + token(number) + R"(","expires_in":3600})");
}

std::string event(const std::string& data) {
  return "id: 1\nevent: message\ndata: " + data + "\n\n";
}
std::string says(const std::string& text, const std::string& finish = "null") {
  return event(R"({"id":"c1","model_id":"ibm/g","choices":[{"index":0,"finish_reason":)" + finish +
               R"(,"delta":{"content":")" + text + "\"}}]}");
}
const std::string kEnd =
    says("", R"("stop")") +
    event(R"({"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}})");

Script whole() {
  return Script::answer(200,
                        R"({"id":"c1","model_id":"ibm/g","choices":[{"index":0,"message":)"
                        R"({"content":"Paris."},"finish_reason":"stop"}]})",
                        {{"content-type", "application/json"}});
}
Script stream_of(const std::string& body) { return Script::stream().chunk(body).end(); }
Script expired() {
  return Script::answer(401, R"({"errors":[{"code":"authentication_token_expired","message":)"
                             R"("Failed to authenticate the request due to an expired token"}],)"
                             R"("trace":"tr1","status_code":401})");
}

class WatsonxBackend : public testing::Test {
 protected:
  void serve(std::vector<Script> scripts, std::vector<Script> tokens = {gives(1)}) {
    server_.emplace(std::move(scripts));
    iam_.emplace(std::move(tokens));
    connect({});
  }

  void connect(BackendOptions options) {
    options.backend = "watsonx";
    if (options.base_url.empty()) options.base_url = server_->url();
    options.api_key = kKey;
    if (options.watsonx.space.empty()) options.watsonx.project = "p1";
    options.watsonx.iam_url = iam_->url();
    backend_ = make_backend(options, network_);
  }

  static Request request(bool stream) {
    return {.model = "ibm/g", .messages = {{.text = "Hi"}}, .stream = stream};
  }

  std::unique_ptr<ReplyStream> start(bool stream = true, std::stop_token stop = {}) {
    return backend_->start(request(stream), std::move(stop));
  }

  Read ask(bool stream = true) { return read(*start(stream)); }

  const std::shared_ptr<Network> network_ = make_network();
  std::optional<LoopbackServer> server_;
  std::optional<LoopbackServer> iam_;
  std::shared_ptr<Backend> backend_;
};

TEST_F(WatsonxBackend, AsksWithATokenAndIsAnswered) {
  serve({whole()});
  const Read all = ask(false);
  EXPECT_EQ(all.what(), "");
  EXPECT_EQ(all.reply.text, "Paris.");
  EXPECT_EQ(all.reply.response.model, "ibm/g");
  EXPECT_TRUE(all.notices.empty());
  const ReceivedRequest sent = server_->requests().at(0);
  EXPECT_EQ(sent.method, "POST");
  EXPECT_EQ(sent.path, "/ml/v1/text/chat?version=2024-05-31");
  EXPECT_EQ(sent.header("authorization"), "Bearer " + token(1));
  EXPECT_EQ(sent.header("content-type"), "application/json");
  EXPECT_EQ(sent.header("accept"), "application/json");
  EXPECT_EQ(
      sent.body,
      R"({"model_id":"ibm/g","project_id":"p1","messages":[{"role":"user","content":"Hi"}]})");
  EXPECT_EQ(backend_->provider(), "watsonx");
  EXPECT_EQ(backend_->endpoint().port, server_->port());
}

TEST_F(WatsonxBackend, StreamsAndKeepsItsToken) {
  serve(
      {stream_of(says("sm\xC3\xB8r") + kEnd), Script::stream().chunks(says("a") + kEnd, 1).end()});
  Read all = ask();
  EXPECT_EQ(all.what(), "");
  EXPECT_EQ(all.reply.text, "sm\xC3\xB8r");
  EXPECT_EQ(all.reply.usage->total_tokens, 5);
  all = ask();
  EXPECT_EQ(all.reply.text, "a");
  EXPECT_EQ(server_->requests().at(0).path, "/ml/v1/text/chat_stream?version=2024-05-31");
  EXPECT_EQ(server_->requests().at(0).header("accept"), "text/event-stream");
  EXPECT_EQ(iam_->requests().size(), 1U);
}

TEST_F(WatsonxBackend, GeneratesAndEmbeds) {
  serve({Script::answer(200, R"({"model_id":"m","results":[{"generated_text":" upon a time",)"
                             R"("stop_reason":"max_tokens","generated_token_count":3,)"
                             R"("input_token_count":1}]})"),
         Script::answer(200, R"({"results":[{"embedding":[1,2]},{"embedding":[3]}],)"
                             R"("input_token_count":5})")});
  Read all = read(
      *backend_->start({.kind = Request::Kind::completion, .model = "m", .prompts = {"Once"}}, {}));
  EXPECT_EQ(all.what(), "");
  EXPECT_EQ(all.reply.text, " upon a time");
  EXPECT_EQ(all.reply.finish_reasons, std::vector<std::string>{"length"});
  EXPECT_EQ(all.reply.usage->output_tokens, 3);
  EXPECT_EQ(server_->requests().at(0).path, "/ml/v1/text/generation?version=2024-05-31");
  all = read(*backend_->start(
      {.kind = Request::Kind::embedding, .model = "m", .prompts = {"a", "b"}, .stream = true}, {}));
  EXPECT_EQ(all.what(), "");
  EXPECT_EQ(all.reply.embeddings.at(1).values, std::vector<float>{3});
  EXPECT_EQ(server_->requests().at(1).path, "/ml/v1/text/embeddings?version=2024-05-31");
  EXPECT_EQ(server_->requests().at(1).header("accept"), "application/json");
}

TEST_F(WatsonxBackend, TheKeyGoesToIamAndTheTokenToWatsonx) {
  const auto echo = [](int status, const Headers& headers = {}) {
    return Script::answer(status,
                          R"({"errors":[{"code":")" + token(1) + R"(","message":"got )" + token(1) +
                              R"("}],"trace":")" + token(1) + R"(","status_code":400})",
                          headers);
  };
  serve({echo(503, kSoon), echo(400),
         stream_of(says("a") + "event: error\ndata: {\"errors\":[{\"code\":\"x\",\"message\":\"" +
                   token(1) + "\"}],\"trace\":\"" + token(1) + "\"}\n\n"),
         stream_of("data: {\"choices\":\"" + token(1) + "\"}\n\n")},
        {Script::answer(429, R"({"errorMessage":"busy, )" + kKey + "\"}", kSoon), gives(1)});
  std::vector<std::string> shown;
  for (int i = 0; i < 3; ++i) {
    const Read all = ask();
    ASSERT_TRUE(all.error);
    const ErrorDetails& details = all.error->details();
    shown.insert(shown.end(),
                 {all.what(), details.provider_code, details.provider_message, details.request_id});
    for (const Notice& notice : all.notices) shown.push_back(notice.text);
  }
  EXPECT_EQ(shown.size(), 14U);
  for (const std::string& text : shown) EXPECT_EQ(text.find("canary"), std::string::npos) << text;

  const auto everything = [](const ReceivedRequest& request) {
    std::string all = request.path + '\n' + request.body;
    for (const auto& [name, value] : request.headers) all += '\n' + name + ": " + value;
    return all;
  };
  ASSERT_EQ(iam_->requests().size(), 2U);
  for (const ReceivedRequest& request : iam_->requests()) {
    EXPECT_EQ(everything(request).find("canary-token"), std::string::npos);
    EXPECT_NE(request.body.find(kKey), std::string::npos);
  }
  ASSERT_EQ(server_->requests().size(), 4U);
  for (const ReceivedRequest& request : server_->requests())
    EXPECT_EQ(everything(request).find("api-key"), std::string::npos);
}

TEST_F(WatsonxBackend, ATokenThatHasExpiredIsRenewedAndTheRequestSentAgain) {
  serve({whole(), expired(), whole()}, {gives(1), gives(2)});
  EXPECT_EQ(ask(false).reply.text, "Paris.");
  const Read all = ask(false);
  EXPECT_EQ(all.what(), "");
  EXPECT_EQ(all.reply.text, "Paris.");
  ASSERT_EQ(all.notices.size(), 2U);
  EXPECT_EQ(all.notices[0].kind, Notice::Kind::retry);
  EXPECT_EQ(all.notices[0].http_status, 401);
  EXPECT_EQ(all.notices[1].kind, Notice::Kind::token_renewed);
  EXPECT_EQ(server_->requests().at(1).header("authorization"), "Bearer " + token(1));
  EXPECT_EQ(server_->requests().at(2).header("authorization"), "Bearer " + token(2));
}

TEST_F(WatsonxBackend, AServerThatTakesNoTokenIsAskedTwice) {
  serve({expired()}, {gives(1), gives(2), gives(3)});
  const Read all = ask();
  EXPECT_EQ(all.outcome(), "auth");
  EXPECT_EQ(all.what(),
            "watsonx: POST " + server_->url("/ml/v1/text/chat_stream") +
                ": 401 auth: \"Failed to authenticate the request due to an expired token\" "
                "(request tr1): check WATSONX_API_KEY, and that its owner may use the project");
  EXPECT_EQ(server_->requests().size(), 2U);
  EXPECT_EQ(iam_->requests().size(), 2U);
}

TEST_F(WatsonxBackend, AWrongKeySaysSo) {
  serve({whole()}, {Script::answer(400, R"({"errorCode":"BXNIM0415E","errorMessage":)"
                                        R"("Provided API key could not be found."})")});
  const Read all = ask();
  EXPECT_EQ(all.outcome(), "auth");
  EXPECT_EQ(all.what(),
            "watsonx: POST " + iam_->url("/identity/token") +
                ": 400 auth: \"Provided API key could not be found.\": check WATSONX_API_KEY");
  EXPECT_TRUE(server_->requests().empty());
}

TEST_F(WatsonxBackend, AnIamThatIsBusyIsAskedAgain) {
  serve({whole()}, {Script::answer(429, "", kSoon), gives(1)});
  const Read all = ask(false);
  EXPECT_EQ(all.reply.text, "Paris.");
  ASSERT_EQ(all.notices.size(), 1U);
  EXPECT_EQ(all.notices[0].http_status, 429);
}

TEST_F(WatsonxBackend, OneTokenServesAllThreads) {
  constexpr int kThreads = 64;
  serve({whole()}, {Script::raw().hold().bytes("HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n"
                                               R"({"access_token":"t"})")});
  std::latch all_ask(kThreads);
  std::vector<std::future<Read>> all;
  for (int i = 0; i < kThreads; ++i)
    all.push_back(std::async(std::launch::async, [&] {
      all_ask.arrive_and_wait();
      return ask(false);
    }));
  ASSERT_TRUE(iam_->wait_for_requests(1));
  iam_->release();
  for (std::future<Read>& one : all) EXPECT_EQ(one.get().reply.text, "Paris.");
  EXPECT_EQ(iam_->requests().size(), 1U);
  EXPECT_EQ(server_->requests().size(), 64U);
}

TEST_F(WatsonxBackend, StartsAtOnceAndIsCancelledWhileItWaitsForAToken) {
  serve({whole()}, {Script::raw().hang()});
  const auto cancelled = start();
  ASSERT_TRUE(iam_->wait_for_requests(1));
  std::future<Read> reader = std::async(std::launch::async, [&] { return read(*cancelled); });
  cancelled->cancel();
  EXPECT_EQ(reader.get().outcome(), "cancelled");
  std::stop_source source;
  const auto stopped = start(true, source.get_token());
  source.request_stop();
  EXPECT_EQ(read(*stopped).outcome(), "cancelled");
  EXPECT_TRUE(server_->requests().empty());
  EXPECT_EQ(iam_->requests().size(), 1U);  // one exchange, for who comes next
}

TEST_F(WatsonxBackend, TheTokenIsPartOfTheWholeTime) {
  serve({whole()}, {Script::raw().hang()});
  Request asked = request(false);
  asked.limits.whole = 20ms;
  const Read all = read(*backend_->start(asked, {}));
  EXPECT_EQ(all.outcome(), "timeout");
  EXPECT_EQ(all.what(), "watsonx: no token when its time was up");
}

TEST_F(WatsonxBackend, AStreamOutlivesItsBackend) {
  serve({whole()}, {Script::raw().hold().bytes("HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n"
                                               R"({"access_token":"t"})")});
  const auto stream = start(false);
  ASSERT_TRUE(iam_->wait_for_requests(1));
  backend_.reset();
  iam_->release();
  EXPECT_EQ(read(*stream).reply.text, "Paris.");
}

TEST_F(WatsonxBackend, AStreamWithoutItsEndIsAnError) {
  serve({stream_of(says("half"))});
  const Read all = ask();
  EXPECT_EQ(all.reply.text, "half");
  EXPECT_EQ(all.outcome(), "transport_error");
}

TEST_F(WatsonxBackend, ABusyServerIsAskedAgain) {
  serve({Script::answer(429, R"({"errors":[{"code":"rate_limit_reached_requests"}]})", kSoon),
         stream_of(says("a") + kEnd)});
  const Read all = ask();
  EXPECT_EQ(all.reply.text, "a");
  ASSERT_EQ(all.notices.size(), 1U);
  EXPECT_EQ(all.notices[0].category, Errc::rate_limit);
}

TEST_F(WatsonxBackend, WhatItCantHonourIsTold) {
  serve({whole()});
  Request asked = request(false);
  asked.options.top_k = 3;
  const Read all = read(*backend_->start(asked, {}));
  ASSERT_EQ(all.notices.size(), 1U);
  EXPECT_EQ(all.notices[0].kind, Notice::Kind::option_ignored);
  EXPECT_EQ(all.notices[0].name, "top_k");
}

TEST_F(WatsonxBackend, ItsHeadersGoToWatsonxOnly) {
  serve({whole()});
  connect({.headers = {{"x-team", "search"}}});
  ask(false);
  EXPECT_EQ(server_->requests().at(0).header("x-team"), "search");
  EXPECT_EQ(iam_->requests().at(0).header("x-team"), "");
}

TEST_F(WatsonxBackend, TellsWhichModelsThereAre) {
  serve({Script::answer(200, R"({"resources":[{"model_id":"ibm/a"},{"model_id":"ibm/b"}]})")});
  EXPECT_EQ(backend_->models({}), (std::vector<std::string>{"ibm/a", "ibm/b"}));
  const ReceivedRequest sent = server_->requests().at(0);
  EXPECT_EQ(sent.path, "/ml/v1/foundation_model_specs?limit=200&version=2024-05-31");
  EXPECT_EQ(sent.header("authorization"), "Bearer " + token(1));
}

TEST_F(WatsonxBackend, ACloudPakTakesTheKeyItself) {
  serve({whole()});
  connect({.watsonx = {.user = "me"}});
  EXPECT_EQ(ask(false).reply.text, "Paris.");
  EXPECT_EQ(server_->requests().at(0).header("authorization"),
            "ZenApiKey bWU6Y2FuYXJ5LWFwaS1rZXktMDEyMzQ1Njc4OQ==");
  EXPECT_TRUE(iam_->requests().empty());
}

TEST_F(WatsonxBackend, ATokenOfTheCallersOwnIsSentAsItIs) {
  serve({whole()});
  connect({.headers = {{"Authorization", "Bearer mine"}}});
  EXPECT_EQ(ask(false).reply.text, "Paris.");
  Request asked = request(false);
  asked.headers = {{"authorization", "Bearer of this request"}};
  read(*backend_->start(asked, {}));
  connect({});
  read(*backend_->start(asked, {}));
  const std::vector<ReceivedRequest> all = server_->requests();
  EXPECT_EQ(all.at(0).header("authorization"), "Bearer mine");
  EXPECT_EQ(all.at(1).header("authorization"), "Bearer of this request");
  EXPECT_EQ(all.at(2).header("authorization"), "Bearer of this request");
  EXPECT_TRUE(iam_->requests().empty());
}

TEST_F(WatsonxBackend, TheVersionAndAQueryAreSent) {
  serve({whole()});
  for (const auto& [url, version] : {std::pair<std::string, std::string>{"", "2025-02-11"},
                                     {"/proxy/?a=1", ""},
                                     {"/?version=2023-05-29", ""}}) {
    connect({.base_url = server_->url() + url, .watsonx = {.api_version = version}});
    ask(false);
  }
  const std::vector<ReceivedRequest> all = server_->requests();
  EXPECT_EQ(all.at(0).path, "/ml/v1/text/chat?version=2025-02-11");
  EXPECT_EQ(all.at(1).path, "/proxy/ml/v1/text/chat?a=1&version=2024-05-31");
  EXPECT_EQ(all.at(2).path, "/ml/v1/text/chat?version=2023-05-29");
}

std::string refusal(BackendOptions options, Errc code = Errc::invalid_request) {
  options.backend = "watsonx";
  try {
    make_backend(options, make_network());
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code);
    return error.what();
  }
  return "";
}

TEST(MakeWatsonxBackend, NamesWhatIsMissing) {
  EXPECT_EQ(refusal({.api_key = "k"}),
            "watsonx: no URL: set WATSONX_URL to that of your region, or to its name: au-syd, "
            "ca-tor, eu-de, eu-gb, jp-tok, us-south");
  EXPECT_EQ(refusal({.base_url = "eu-de"}, Errc::auth), "watsonx: no API key: set WATSONX_API_KEY");
  EXPECT_EQ(refusal({.base_url = "eu-de", .api_key = "k"}), "");
  EXPECT_EQ(refusal({.base_url = "eu-dee", .api_key = "k"}),
            "watsonx: unknown region \"eu-dee\": did you mean \"eu-de\"?");
  EXPECT_EQ(refusal({.base_url = "mars", .api_key = "k"}),
            "watsonx: unknown region \"mars\": known are au-syd, ca-tor, eu-de, eu-gb, jp-tok, "
            "us-south");
  EXPECT_EQ(refusal({.base_url = "eu-de", .api_key = "k", .watsonx = {.api_version = "now"}}),
            "watsonx: the API version is no date: \"now\": write 2024-05-31");
  EXPECT_NE(refusal({.base_url = "h.example.com", .api_key = "k"}), "");
  EXPECT_NE(refusal({.base_url = "eu-de", .api_key = "k", .watsonx = {.iam_url = "iam"}}), "");
}

TEST(MakeWatsonxBackend, ARegionIsItsHost) {
  EXPECT_EQ(watsonx_url("us-south"), "https://us-south.ml.cloud.ibm.com");
  EXPECT_EQ(watsonx_url("https://cpd.example.com/x"), "https://cpd.example.com/x");
  EXPECT_EQ(
      make_backend({.backend = "watsonx", .base_url = "jp-tok", .api_key = "k"}, make_network())
          ->endpoint()
          .address,
      "jp-tok.ml.cloud.ibm.com");
}

}  // namespace
}  // namespace mellea
