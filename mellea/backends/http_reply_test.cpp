// Replies that wait for a token before they are asked for. All else of them is tested with the
// backends.
#include "mellea/backends/http_reply.h"

#include <gtest/gtest.h>

#include <future>
#include <latch>
#include <mutex>
#include <thread>

#include "mellea/backends/models_reply.h"
#include "mellea/backends/read_for_test.h"
#include "mellea/net/testing/loopback_server.h"

namespace mellea {
namespace {

using namespace std::chrono_literals;

// Has the token that it is given.
class HandedOver final : public TokenSource {
 public:
  std::optional<std::string> token(Wait& wait, std::vector<Notice>& notices) override {
    const std::lock_guard lock(mutex_);
    wait.news = news_;
    if (std::exchange(retried_, false))
      notices.push_back({.kind = Notice::Kind::retry, .text = "watsonx: try later"});
    if (failure_) throw Error(*failure_);
    if (token_.empty()) return {};
    return token_;
  }

  bool when_news(const Wait& wait, std::function<void()> wake) override {
    const std::lock_guard lock(mutex_);
    if (wait.news != news_) return false;
    wakes_.push_back(std::move(wake));
    return true;
  }

  void refused(std::string_view token) override {
    const std::lock_guard lock(mutex_);
    if (token_ == token) token_ = after_;
    refused_.emplace_back(token);
  }

  void give(const std::string& token) {
    say([&] { token_ = token; });
  }
  void fail(const Error& error) {
    say([&] { failure_ = error; });
  }
  void tell_of_a_retry() {
    const std::lock_guard lock(mutex_);
    retried_ = true;
  }
  void say_nothing_new() {
    say([] {});
  }
  void give_after_a_refusal(const std::string& token) { after_ = token; }
  std::vector<std::string> all_refused() const { return refused_; }

 private:
  template <class Change>
  void say(const Change& change) {
    std::vector<std::function<void()>> wakes;
    {
      const std::lock_guard lock(mutex_);
      change();
      ++news_;
      wakes.swap(wakes_);
    }
    for (const auto& wake : wakes) wake();
  }

  std::mutex mutex_;
  std::uint64_t news_ = 0;
  std::string token_{};
  std::string after_{};  // of a refusal
  std::optional<Error> failure_{};
  bool retried_ = false;
  std::vector<std::string> refused_{};
  std::vector<std::function<void()>> wakes_{};
};

const std::string kNames = R"({"data":[{"id":"a"}]})";

Script fine() { return Script::answer(200, kNames); }
Script expired() {
  return Script::answer(401, R"({"error":{"message":"too old: secret-token-1"}})");
}

class HttpReplyWithAToken : public testing::Test {
 protected:
  void serve(std::vector<Script> scripts) { server_.emplace(std::move(scripts)); }

  std::unique_ptr<ReplyStream> start(Limits limits = {}, std::stop_token stop = {}) {
    HttpCall call{.names = names_,
                  .make_decoder = [names = names_] { return make_models_decoder(names, {}); }};
    call.request.method = "GET";
    call.request.url = server_->url("/models");
    call.request.limits = limits;
    call.tokens = tokens_;
    return start_http_reply(network_, std::move(call), std::move(stop));
  }

  std::vector<std::string> tokens_sent() const {
    std::vector<std::string> all;
    for (const ReceivedRequest& request : server_->requests())
      all.emplace_back(request.header("authorization"));
    return all;
  }

  const std::shared_ptr<const RequestNames> names_ = std::make_shared<const RequestNames>(
      RequestNames{.provider = "watsonx", .request = "GET /models", .auth_hint = "check the key"});
  const std::shared_ptr<HandedOver> tokens_ = std::make_shared<HandedOver>();
  std::optional<LoopbackServer> server_;
  const std::shared_ptr<Network> network_ = make_network();
};

using Sent = std::vector<std::string>;

TEST_F(HttpReplyWithAToken, IsAskedForWithIt) {
  serve({fine()});
  tokens_->give("secret-token-1");
  const Read all = read(*start());
  EXPECT_EQ(all.what(), "");
  EXPECT_EQ(all.reply.text, "a");
  EXPECT_EQ(tokens_sent(), Sent{"Bearer secret-token-1"});
}

TEST_F(HttpReplyWithAToken, StartsAndWaitsUntilItIsThere) {
  serve({fine()});
  const auto stream = start();
  Chunk chunk;
  EXPECT_EQ(stream->try_next(chunk), Next::pending);
  stream->wait(Instant::clock::now());  // does not wait for the token
  std::future<Read> reader = std::async(std::launch::async, [&] { return read(*stream); });
  tokens_->say_nothing_new();
  tokens_->give("secret-token-1");
  EXPECT_EQ(reader.get().reply.text, "a");
  EXPECT_EQ(tokens_sent(), Sent{"Bearer secret-token-1"});
}

TEST_F(HttpReplyWithAToken, TellsWhenToReadOn) {
  serve({fine()});
  const auto stream = start();
  const auto woken = std::make_shared<std::latch>(1);
  ASSERT_TRUE(stream->when_ready([woken] { woken->count_down(); }));
  tokens_->give("secret-token-1");
  woken->wait();
  EXPECT_EQ(read(*stream).reply.text, "a");
}

TEST_F(HttpReplyWithAToken, HearsOfATokenThatCameWhileNobodyRead) {
  serve({fine()});
  const auto stream = start();
  tokens_->give("secret-token-1");
  EXPECT_EQ(read(*stream).reply.text, "a");
}

TEST_F(HttpReplyWithAToken, FailsIfThereIsNone) {
  serve({fine()});
  const auto stream = start();
  tokens_->fail(Error(Errc::auth, "watsonx: no such key"));
  const Read all = read(*stream);
  EXPECT_EQ(all.outcome(), "auth");
  EXPECT_EQ(all.what(), "watsonx: no such key");
  EXPECT_EQ(read(*start()).what(), "watsonx: no such key");  // the stream tells, not its start
  EXPECT_TRUE(server_->requests().empty());
}

TEST_F(HttpReplyWithAToken, TellsWhatHappenedBeforeItFailed) {
  serve({fine()});
  const auto stream = start();
  tokens_->tell_of_a_retry();
  tokens_->fail(Error(Errc::auth, "watsonx: no such key"));
  const Read all = read(*stream);
  EXPECT_EQ(all.outcome(), "auth");
  EXPECT_EQ(all.notices.size(), 1U);
}

TEST_F(HttpReplyWithAToken, SaysWhyThereWasNoneWhenItsTimeWasUp) {
  serve({fine()});
  tokens_->tell_of_a_retry();
  const Read all = read(*start({.whole = 20ms}));
  EXPECT_EQ(all.outcome(), "timeout");
  EXPECT_EQ(all.what(), "watsonx: no token when its time was up: watsonx: try later");
}

TEST_F(HttpReplyWithAToken, WaitsNoLongerThanItsTime) {
  serve({fine()});
  const Read all = read(*start({.whole = 20ms}));
  EXPECT_EQ(all.outcome(), "timeout");
  EXPECT_EQ(all.what(), "watsonx: no token when its time was up");
  const auto silent = start({.whole = 20ms});
  const auto woken = std::make_shared<std::latch>(1);
  if (silent->when_ready([woken] { woken->count_down(); })) woken->wait();
  EXPECT_EQ(read(*silent).outcome(), "timeout");
  EXPECT_TRUE(server_->requests().empty());
}

TEST_F(HttpReplyWithAToken, IsCancelledWhileItWaits) {
  serve({fine()});
  const auto cancelled = start();
  std::jthread canceller([&] { cancelled->cancel(); });
  EXPECT_EQ(read(*cancelled).outcome(), "cancelled");
  std::stop_source source;
  const auto stopped = start({}, source.get_token());
  std::jthread stopper([&] { source.request_stop(); });
  EXPECT_EQ(read(*stopped).outcome(), "cancelled");
  const auto third = start();
  const auto wake = std::make_shared<std::latch>(1);
  ASSERT_TRUE(third->when_ready([wake] { wake->count_down(); }));
  third->cancel();
  wake->wait();
  tokens_->give("secret-token-1");
  EXPECT_EQ(read(*third).outcome(), "cancelled");
  EXPECT_TRUE(server_->requests().empty());
}

TEST_F(HttpReplyWithAToken, EndsWithTheNetwork) {
  serve({fine()});
  const auto stream = start();
  std::jthread stopper([&] { network_->stop(); });
  EXPECT_EQ(read(*stream).outcome(), "shutdown");
}

TEST_F(HttpReplyWithAToken, IsAskedForAgainIfItsTokenIsRefused) {
  serve({expired(), fine()});
  tokens_->give("secret-token-1");
  tokens_->give_after_a_refusal("secret-token-2");
  const Read all = read(*start());
  EXPECT_EQ(all.what(), "");
  EXPECT_EQ(all.reply.text, "a");
  EXPECT_EQ(tokens_sent(), (Sent{"Bearer secret-token-1", "Bearer secret-token-2"}));
  EXPECT_EQ(tokens_->all_refused(), Sent{"secret-token-1"});
  ASSERT_EQ(all.notices.size(), 1U);
  EXPECT_EQ(all.notices[0].kind, Notice::Kind::retry);
  EXPECT_EQ(all.notices[0].attempt, 1);
  EXPECT_EQ(all.notices[0].http_status, 401);
  EXPECT_EQ(all.notices[0].category, Errc::auth);
  EXPECT_EQ(all.notices[0].delay, 0ms);
}

TEST_F(HttpReplyWithAToken, IsAskedForAgainOnceOnly) {
  serve({expired()});
  tokens_->give("secret-token-1");
  tokens_->give_after_a_refusal("secret-token-1");
  const Read all = read(*start());
  EXPECT_EQ(all.outcome(), "auth");
  EXPECT_TRUE(all.what().ends_with("401 auth: \"too old: ***\": check the key")) << all.what();
  EXPECT_EQ(server_->requests().size(), 2U);
}

TEST_F(HttpReplyWithAToken, WaitsForTheNextAfterARefusal) {
  serve({expired(), fine()});
  tokens_->give("secret-token-1");
  const auto stream = start();
  std::future<Read> reader = std::async(std::launch::async, [&] { return read(*stream); });
  ASSERT_TRUE(server_->wait_for_requests(1));
  tokens_->give("secret-token-2");  // before or after it was refused: 1 is not sent again
  EXPECT_EQ(reader.get().reply.text, "a");
  EXPECT_EQ(tokens_sent(), (Sent{"Bearer secret-token-1", "Bearer secret-token-2"}));
}

TEST_F(HttpReplyWithAToken, ARefusedTokenTakesNoneOfTheRetries) {
  const Script busy = Script::answer(503, "", {{"retry-after-ms", "1"}});
  serve({expired(), busy, busy, fine()});
  tokens_->give("secret-token-1");
  tokens_->give_after_a_refusal("secret-token-2");
  const Read all = read(*start());
  EXPECT_EQ(all.reply.text, "a");
  ASSERT_EQ(all.notices.size(), 3U);
  EXPECT_EQ(all.notices[2].attempt, 3);
}

TEST_F(HttpReplyWithAToken, ShowsItToNobody) {
  const std::string echo = R"({"error":{"message":"bad secret-token-1","code":"secret-token-1"}})";
  serve({Script::answer(503, echo, {{"retry-after-ms", "1"}, {"x-request-id", "secret-token-1"}}),
         Script::answer(400, echo, {{"x-request-id", "secret-token-1"}})});
  tokens_->give("secret-token-1");
  const Read all = read(*start());
  EXPECT_EQ(all.outcome(), "invalid_request");
  const ErrorDetails& details = all.error->details();
  ASSERT_EQ(all.notices.size(), 1U);
  for (const std::string& text : {all.what(), details.provider_code, details.provider_message,
                                  details.request_id, all.notices[0].text})
    EXPECT_EQ(text.find("secret"), std::string::npos) << text;
}

}  // namespace
}  // namespace mellea
