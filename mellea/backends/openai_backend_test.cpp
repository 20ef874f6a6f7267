// The client against a server on loopback that does what real ones do, and worse.
#include "mellea/backends/openai_backend.h"

#include <gtest/gtest.h>

#include <future>
#include <nlohmann/json.hpp>
#include <thread>

#include "mellea/backends/read_for_test.h"
#include "mellea/net/testing/loopback_server.h"

namespace mellea {
namespace {

using namespace std::chrono_literals;

std::string says(std::string_view text, std::string_view finish = "null") {
  return R"(data: {"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":")" +
         std::string(text) + R"("},"finish_reason":)" + std::string(finish) + "}]}\n\n";
}

const std::string kWhole =
    R"({"id":"c1","model":"m","choices":[{"message":{"content":"Paris."},"finish_reason":"stop"}]})";
const std::string kStop = says("", R"("stop")");
const std::string kDone = "data: [DONE]\n\n";
const Headers kSoon = {{"retry-after-ms", "1"}};

Script whole() { return Script::answer(200, kWhole, {{"content-type", "application/json"}}); }
Script stream_of(const std::string& body) { return Script::stream().chunk(body).end(); }
Script limited() { return Script::answer(429, R"({"error":{"message":"slow down"}})", kSoon); }

class OpenAiBackend : public testing::Test {
 protected:
  void serve(std::vector<Script> scripts) {
    server_.emplace(std::move(scripts));
    connect({});
  }

  void connect(BackendOptions options) {
    options.backend = "openai";
    options.base_url = server_->url("/v1/");
    backend_ = make_backend(options, network_);
  }

  static Request request(bool stream) {
    return {.model = "m", .messages = {{.text = "Hi"}}, .stream = stream};
  }

  std::unique_ptr<ReplyStream> start(bool stream = true, std::stop_token stop = {}) {
    return backend_->start(request(stream), std::move(stop));
  }

  Read ask(bool stream = true) { return read(*start(stream)); }

  // Reads until the request is about to be sent again.
  static void read_to_retry(ReplyStream& stream) {
    Chunk chunk;
    while (stream.try_next(chunk) == Next::pending) stream.wait(Instant::max());
    ASSERT_TRUE(std::holds_alternative<Notice>(chunk.what));
  }

  std::optional<LoopbackServer> server_;
  const std::shared_ptr<Network> network_ = make_network();
  std::shared_ptr<Backend> backend_;
};

TEST_F(OpenAiBackend, AsksAndIsAnswered) {
  serve({whole()});
  connect({.model = "m", .api_key = "secret"});
  const Read all = ask(false);
  EXPECT_EQ(all.reply.text, "Paris.");
  EXPECT_EQ(all.outcome(), "ok");
  const ReceivedRequest sent = server_->requests().at(0);
  EXPECT_EQ(sent.method, "POST");
  EXPECT_EQ(sent.path, "/v1/chat/completions");
  EXPECT_EQ(sent.header("authorization"), "Bearer secret");
  EXPECT_EQ(sent.header("content-type"), "application/json");
  EXPECT_EQ(sent.body, R"({"model":"m","messages":[{"role":"user","content":"Hi"}]})");
}

TEST_F(OpenAiBackend, StreamsWhateverTheServerWrites) {
  const std::string body =
      ": keep-alive\r\n\r\n" + says("sm\xC3\xB8r") + says("data: x") + kStop + kDone;
  serve({stream_of(body), Script::stream().chunks(body, 1).end()});
  for (int i = 0; i < 2; ++i) {
    const Read all = ask();
    EXPECT_EQ(all.reply.text, "sm\xC3\xB8rdata: x");
    EXPECT_EQ(all.outcome(), "ok");
    EXPECT_EQ(all.reply.response.id, "c1");
  }
}

TEST_F(OpenAiBackend, ManyStreamsUseOneConnection) {
  serve(
      {Script::stream().chunk(says("a") + kStop + kDone).end()});  // the end in a write of its own
  for (int i = 0; i < 20; ++i) EXPECT_EQ(ask().reply.text, "a");
  EXPECT_EQ(server_->connections(), 1);
}

TEST_F(OpenAiBackend, ALimitedCallIsSentAgain) {
  serve({limited(), whole(), limited(), limited(), stream_of(says("Paris.") + kStop + kDone)});
  const Read plain = ask(false);
  EXPECT_EQ(plain.reply.text, "Paris.");
  ASSERT_EQ(plain.notices.size(), 1U);
  EXPECT_EQ(plain.notices[0].kind, Notice::Kind::retry);
  EXPECT_EQ(plain.notices[0].attempt, 1);
  EXPECT_EQ(plain.notices[0].http_status, 429);
  EXPECT_EQ(plain.notices[0].category, Errc::rate_limit);
  EXPECT_EQ(plain.notices[0].delay, 1ms);
  const Read streamed = ask();
  EXPECT_EQ(streamed.reply.text, "Paris.");
  EXPECT_EQ(streamed.notices.size(), 2U);
  EXPECT_EQ(server_->requests().size(), 5U);
}

TEST_F(OpenAiBackend, AStreamThatIsRefusedShowsTheServersMessage) {
  serve({Script::answer(500, R"({"error":{"message":"The engine burnt"}})",
                        {{"retry-after-ms", "1"}, {"x-request-id", "req_1"}})});
  const Read all = ask();
  EXPECT_EQ(all.outcome(), "server_error");
  EXPECT_EQ(all.what(),
            "openai: POST " + server_->url("/v1/chat/completions") +
                ": 500 server_error: \"The engine burnt\" (request req_1) (3 attempts)");
  EXPECT_EQ(all.error->details().request_id, "req_1");
  EXPECT_EQ(server_->requests().size(), 3U);
}

TEST_F(OpenAiBackend, WhatWouldFailAgainIsNotSentAgain) {
  serve({Script::answer(401, R"({"error":{"message":"no"}})"),
         Script::answer(429, R"({"error":{"code":"insufficient_quota"}})", kSoon),
         Script::answer(503, "", {{"retry-after-ms", "1"}, {"x-should-retry", "false"}}),
         Script::answer(429, R"({"error":"slow"})", {{"retry-after", "120"}})});
  EXPECT_EQ(ask().outcome(), "auth");
  EXPECT_EQ(ask().outcome(), "rate_limit");
  EXPECT_EQ(ask().outcome(), "server_error");
  const Read last = ask();
  EXPECT_TRUE(last.what().ends_with("429 rate_limit: \"slow\" (the server asks to wait 120 s)"));
  EXPECT_EQ(last.error->details().retry_after, 120s);
  EXPECT_EQ(server_->requests().size(), 4U);
}

TEST_F(OpenAiBackend, AnErrorInTheStreamKeepsTheText) {
  serve({stream_of(says("half") + "data: {\"error\":{\"message\":\"gone\"}}\n\n")});
  const Read all = ask();
  EXPECT_EQ(all.reply.text, "half");
  EXPECT_EQ(all.outcome(), "server_error");
  EXPECT_NE(all.what().find("\"gone\""), std::string::npos);
}

TEST_F(OpenAiBackend, AfterALostConnectionNoTextIsRepeated) {
  serve({Script::stream().chunk(says("half")).cut(), whole()});
  const Read all = ask();
  EXPECT_EQ(all.reply.text, "half");
  EXPECT_EQ(all.outcome(), "transport_error");
  EXPECT_TRUE(all.what().ends_with("the text above is incomplete")) << all.what();
  EXPECT_EQ(server_->requests().size(), 1U);
}

TEST_F(OpenAiBackend, AStreamWithoutItsEndIsAnError) {
  serve({stream_of(says("a") + says("b"))});
  const Read all = ask();
  EXPECT_EQ(all.reply.text, "ab");
  EXPECT_EQ(
      all.what(),
      "openai: stream ended without its end mark after 2 chunks: the text above is incomplete");
}

TEST_F(OpenAiBackend, SilenceIsNoErrorUnlessLimited) {
  serve({Script::stream().chunk(says("a")).wait(30ms).chunk(says("b") + kStop + kDone).end(),
         Script::stream().chunk(says("a")).hang()});
  EXPECT_EQ(ask().reply.text, "ab");
  Request asked = request(true);
  asked.limits.silence = 30ms;
  const Read all = read(*backend_->start(asked, {}));
  EXPECT_EQ(all.outcome(), "timeout");
  EXPECT_EQ(all.reply.text, "a");
}

TEST_F(OpenAiBackend, TheWholeLimitHoldsForAllAttempts) {
  serve(
      {Script::answer(429, "", {{"retry-after", "30"}}), Script::stream().chunk(says("a")).hang()});
  Request asked = request(true);
  asked.limits.whole = 20s;
  EXPECT_EQ(read(*backend_->start(asked, {})).outcome(), "rate_limit");
  asked.limits.whole = 50ms;
  EXPECT_EQ(read(*backend_->start(asked, {})).outcome(), "timeout");
}

TEST_F(OpenAiBackend, LeavingEarlyClosesTheConnection) {
  serve({Script::stream().chunk(says("a")).hang()});
  Chunk chunk;
  auto stream = start();
  while (stream->try_next(chunk) == Next::pending) stream->wait(Instant::max());
  stream.reset();
  EXPECT_TRUE(server_->wait_for_close(0));
}

TEST_F(OpenAiBackend, ACancelEndsTheWaitForARetry) {
  serve({Script::answer(503, "", {{"retry-after", "50"}}), whole()});
  const auto stream = start();
  read_to_retry(*stream);
  std::jthread canceller([&] { stream->cancel(); });
  EXPECT_EQ(read(*stream).outcome(), "cancelled");
  EXPECT_EQ(read(*stream).outcome(), "cancelled");
  EXPECT_EQ(server_->requests().size(), 1U);
}

TEST_F(OpenAiBackend, AStopRequestCancels) {
  serve({Script::stream().chunk(says("a")).hang()});
  std::stop_source source;
  const auto stream = start(true, source.get_token());
  ASSERT_TRUE(server_->wait_for_requests(1));
  std::jthread stopper([&] { source.request_stop(); });
  EXPECT_EQ(read(*stream).outcome(), "cancelled");
  EXPECT_EQ(read(*start(true, source.get_token())).outcome(), "cancelled");
}

TEST_F(OpenAiBackend, ARefusedConnectionIsTriedAgain) {
  serve({whole()});
  const std::string url = server_->url();
  server_.reset();
  backend_ = make_backend({.backend = "openai", .base_url = url}, network_);
  const auto stream = start();
  Chunk chunk;
  while (stream->try_next(chunk) == Next::pending) stream->wait(Instant::max());
  const Notice& notice = std::get<Notice>(chunk.what);
  EXPECT_EQ(notice.category, Errc::transport_error);
  EXPECT_EQ(notice.http_status, 0);
  EXPECT_EQ(notice.text, "openai: connect to " + url.substr(7) + ": refused");
  stream->cancel();
  EXPECT_EQ(read(*stream).outcome(), "cancelled");
}

TEST_F(OpenAiBackend, WakesWhenThereIsSomethingToRead) {
  serve({limited(), Script::stream().hold().chunk(says("a") + kStop).hold().chunk(kDone).end()});
  const auto stream = start();
  Reply reply;
  Chunk chunk;
  for (bool over = false; !over;) {
    std::promise<void> woken;
    if (stream->when_ready([&] { woken.set_value(); })) {
      server_->release();
      woken.get_future().wait();
    }
    for (Next next{}; (next = stream->try_next(chunk)) != Next::pending;) {
      over = next == Next::end;
      if (over) break;
      add(reply, chunk);
    }
  }
  EXPECT_EQ(reply.text, "a");
  EXPECT_GT(stream->times().ended, stream->times().sent);
}

TEST_F(OpenAiBackend, AfterItsNetworkStoppedItIsShutDown) {
  serve({Script::stream().chunk(says("a")).hang()});
  const auto stream = start();
  ASSERT_TRUE(server_->wait_for_requests(1));
  stop(*network_);
  EXPECT_EQ(read(*stream).outcome(), "shutdown");
  try {
    start();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::shutdown);
    EXPECT_TRUE(std::string_view(error.what()).starts_with("openai: "));
  }
}

TEST_F(OpenAiBackend, HeadersOfARequestReplaceThoseOfTheBackend) {
  serve({whole()});
  connect({.api_key = "secret", .headers = {{"X-Team", "a"}, {"accept", "x/y"}}});
  Request asked = request(false);
  asked.headers = {{"x-team", "b"}, {"Authorization", "Basic other"}};
  read(*backend_->start(asked, {}));
  const ReceivedRequest sent = server_->requests().at(0);
  const auto times = [&](std::string_view name) {
    return std::count_if(sent.headers.begin(), sent.headers.end(),
                         [&](const auto& header) { return header.first == name; });
  };
  EXPECT_EQ(sent.header("x-team"), "b");
  EXPECT_EQ(sent.header("authorization"), "Basic other");
  EXPECT_EQ(sent.header("accept"), "x/y");
  for (const char* name : {"x-team", "authorization", "accept"}) EXPECT_EQ(times(name), 1) << name;
}

TEST_F(OpenAiBackend, NeitherQueryNorPasswordIsShown) {
  server_.emplace(std::vector<Script>{Script::answer(404, R"({"error":"x"})")});
  std::string url = server_->url("/openai?api-version=1&key=secret");
  url.insert(7, "me:secret@");
  backend_ = make_backend({.backend = "openai", .base_url = url}, network_);
  const Read all = ask();
  EXPECT_EQ(all.outcome(), "not_found");
  EXPECT_EQ(all.what().find("secret"), std::string::npos) << all.what();
  EXPECT_EQ(server_->requests().at(0).path, "/openai/chat/completions?api-version=1&key=secret");
}

TEST_F(OpenAiBackend, EmbedsEachPrompt) {
  serve(
      {Script::answer(200, R"({"data":[{"index":1,"embedding":[2]},{"index":0,"embedding":[1]}]})"),
       Script::answer(200, R"({"data":[{"index":0,"embedding":[1]}]})")});
  const Request asked{.kind = Request::Kind::embedding, .model = "e", .prompts = {"a", "b"}};
  const Read both = read(*backend_->start(asked, {}));
  EXPECT_EQ(both.what(), "");
  ASSERT_EQ(both.reply.embeddings.size(), 2U);
  EXPECT_EQ(both.reply.embeddings[1].values, std::vector<float>{2});
  EXPECT_EQ(server_->requests().at(0).path, "/v1/embeddings");
  EXPECT_EQ(read(*backend_->start(asked, {})).outcome(), "parse_error");
}

TEST_F(OpenAiBackend, PairsPromptsAndAnswersByTheirIndex) {
  serve({Script::answer(200, R"({"choices":[{"index":1,"text":"B"},{"index":0,"text":"A"}]})"),
         Script::answer(200, R"({"choices":[{"index":0,"text":"A"}]})")});
  const Request asked{.kind = Request::Kind::completion, .model = "m", .prompts = {"a", "b"}};
  const Read both = read(*backend_->start(asked, {}));
  EXPECT_EQ(both.reply.text, "A");
  EXPECT_EQ(both.reply.alternatives.at(0).text, "B");
  EXPECT_NE(read(*backend_->start(asked, {})).what().find("no answer 1 of 2"), std::string::npos);
}

TEST_F(OpenAiBackend, HandsOnHowTheServerIsReached) {
  server_.emplace(std::vector<Script>{whole()});
  backend_ = make_backend({.backend = "openai",
                           .model = "m",
                           .base_url = "http://model.test/v1",
                           .proxy = server_->url()},
                          network_);
  EXPECT_EQ(ask().outcome(), "ok");
  EXPECT_EQ(server_->requests().at(0).path, "http://model.test/v1/chat/completions");

  BackendOptions options{.backend = "openai",
                         .model = "m",
                         .base_url = "https://" + server_->authority() + "/v1",
                         .certificate_file = "/no/such/me.pem",
                         .key_file = "/no/such/key.pem"};
  backend_ = make_backend(options, network_);
  const Read no_certificate = ask();
  EXPECT_EQ(no_certificate.outcome(), "invalid_request");
  for (const std::string& file : {options.certificate_file, options.key_file})
    EXPECT_NE(no_certificate.what().find(file), std::string::npos) << no_certificate.what();

  options.certificate_file.clear();
  options.key_file.clear();
  options.ca_file = "/no/such/ca.pem";
  backend_ = make_backend(options, network_);
  EXPECT_NE(ask().what().find(options.ca_file), std::string::npos);
}

TEST_F(OpenAiBackend, TellsWhatTheServerHas) {
  serve({Script::answer(200, R"({"data":[{"id":"a"},{"id":"b"}]})"),
         Script::answer(401, R"({"error":"no"})")});
  EXPECT_EQ(backend_->models({}), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(server_->requests().at(0).path, "/v1/models");
  EXPECT_EQ(server_->requests().at(0).method, "GET");
  EXPECT_THROW(backend_->models({}), Error);
  EXPECT_EQ(backend_->endpoint().address, "127.0.0.1");
  EXPECT_EQ(backend_->endpoint().port, server_->port());
  EXPECT_EQ(backend_->provider(), "openai");
}

std::string refusal(const BackendOptions& options, Errc code) {
  try {
    make_backend(options, make_network());
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code);
    return error.what();
  }
  return "";
}

TEST(MakeBackend, NamesTheNearestKnownOne) {
  EXPECT_EQ(refusal({.backend = "opnai"}, Errc::invalid_request),
            "unknown backend \"opnai\": did you mean \"openai\"?");
  EXPECT_EQ(refusal({.backend = "zzz"}, Errc::invalid_request),
            "unknown backend \"zzz\": known are huggingface, litellm, local, ollama, openai, "
            "scripted, watsonx");
  EXPECT_EQ(refusal({}, Errc::invalid_request),
            "no backend given: known are huggingface, litellm, local, ollama, openai, scripted, "
            "watsonx");
}

TEST(MakeBackend, AKeyIsDemandedByOpenAiItselfOnly) {
  EXPECT_EQ(refusal({.backend = "openai"}, Errc::auth), "openai: no API key: set OPENAI_API_KEY");
  EXPECT_EQ(refusal({.backend = "openai", .api_key = "k"}, Errc::unknown), "");
  EXPECT_EQ(
      refusal({.backend = "openai", .headers = {{"Authorization", "Bearer k"}}}, Errc::unknown),
      "");
  EXPECT_EQ(refusal({.backend = "openai", .base_url = "http://127.0.0.1:1"}, Errc::unknown), "");
  EXPECT_NE(refusal({.backend = "openai", .base_url = "127.0.0.1:1"}, Errc::invalid_request), "");
}

}  // namespace
}  // namespace mellea
