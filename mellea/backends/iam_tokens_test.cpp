// Tokens from an IAM on loopback, by a clock that stands still unless it is set.
#include "mellea/backends/iam_tokens.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <latch>
#include <thread>

#include "mellea/net/testing/loopback_server.h"

namespace mellea {
namespace {

using namespace std::chrono_literals;

const Headers kSoon = {{"retry-after-ms", "1"}};

std::string token_body(const std::string& token, const std::string& life = "3600") {
  return R"({"access_token":")" + token + R"(","token_type":"Bearer","expires_in":)" + life + "}";
}
Script gives(const std::string& token, const std::string& life = "3600") {
  return Script::answer(200, token_body(token, life));
}
Script gives_when_released(const std::string& token) {
  const std::string body = token_body(token);
  return Script::raw().hold().bytes(
      "HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
}
Script wrong_key() {
  return Script::answer(
      400, R"({"errorCode":"BXNIM0415E","errorMessage":"Provided API key could not be found."})");
}

class IamTokensTest : public testing::Test {
 protected:
  void serve(std::vector<Script> scripts) {
    server_.emplace(std::move(scripts));
    connect(server_->url());
  }

  void connect(const std::string& url) {
    tokens_ = std::make_unique<IamTokens>(
        BackendOptions{.api_key = "the-key-of-16-and-more", .watsonx = {.iam_url = url}}, network_,
        [this] { return began_ + passed_.load(); });
  }

  // As a reply does: asks, and waits for news, until there is an answer.
  std::string token() {
    for (TokenSource::Wait wait;; wait_for_news(wait))
      if (const std::optional<std::string> token = ask(wait)) return *token;
  }

  std::optional<std::string> ask(TokenSource::Wait& wait) {
    std::vector<Notice> told;
    std::optional<std::string> token;
    std::optional<Error> failure;
    try {
      token = tokens_->token(wait, told);
    } catch (const Error& error) {
      failure = error;
    }
    const std::lock_guard lock(mutex_);
    notices_.insert(notices_.end(), told.begin(), told.end());
    if (failure) throw Error(*failure);
    return token;
  }

  // Of the exchange that is under way.
  void wait_for_news() {
    TokenSource::Wait wait;
    static_cast<void>(ask(wait));
    wait_for_news(wait);
  }

  void wait_for_news(const TokenSource::Wait& wait) {
    const auto news = std::make_shared<std::latch>(1);
    if (tokens_->when_news(wait, [news] { news->count_down(); })) news->wait();
  }

  Error failure() {
    try {
      return Error(Errc::unknown, "there is a token: " + token());
    } catch (const Error& error) {
      return error;
    }
  }

  std::size_t exchanges() const { return server_->requests().size(); }
  void pass(std::chrono::seconds time) { passed_ = passed_.load() + time; }

  const std::shared_ptr<Network> network_ = make_network();
  std::optional<LoopbackServer> server_;
  const Instant began_ = Instant::clock::now();
  std::atomic<std::chrono::seconds> passed_{0s};
  std::mutex mutex_;
  std::vector<Notice> notices_;  // guarded by mutex_
  std::unique_ptr<IamTokens> tokens_;
};

TEST_F(IamTokensTest, AreExchangedForTheKeyAndKept) {
  serve({gives("t1")});
  EXPECT_EQ(token(), "t1");
  EXPECT_EQ(token(), "t1");
  pass(3299s);
  EXPECT_EQ(token(), "t1");
  ASSERT_EQ(exchanges(), 1U);
  const ReceivedRequest sent = server_->requests()[0];
  EXPECT_EQ(sent.method, "POST");
  EXPECT_EQ(sent.path, "/identity/token");
  EXPECT_EQ(sent.header("content-type"), "application/x-www-form-urlencoded");
  EXPECT_EQ(sent.header("accept"), "application/json");
  EXPECT_EQ(sent.body,
            "grant_type=urn%3Aibm%3Aparams%3Aoauth%3Agrant-type%3Aapikey&"
            "apikey=the-key-of-16-and-more");
  EXPECT_TRUE(notices_.empty());
}

TEST_F(IamTokensTest, AreRenewedBeforeTheyExpireAndNobodyWaitsForThat) {
  serve({gives("t1"), gives_when_released("t2")});
  EXPECT_EQ(token(), "t1");
  pass(3300s);
  EXPECT_EQ(token(), "t1");
  ASSERT_TRUE(server_->wait_for_requests(2));
  EXPECT_EQ(token(), "t1");
  pass(299s);
  EXPECT_EQ(token(), "t1");
  EXPECT_TRUE(notices_.empty());
  server_->release();
  pass(1s);  // from now on only the new one is good
  EXPECT_EQ(token(), "t2");
  EXPECT_EQ(exchanges(), 2U);
  ASSERT_EQ(notices_.size(), 1U);
  EXPECT_EQ(notices_[0].kind, Notice::Kind::token_renewed);
  EXPECT_EQ(notices_[0].text, "watsonx: a new token came from " + server_->url("/identity/token"));
}

TEST_F(IamTokensTest, OfAShortLifeAreRenewedInItsLastTenth) {
  serve({gives("t1", "100"), gives("t2")});
  EXPECT_EQ(token(), "t1");
  pass(89s);
  EXPECT_EQ(token(), "t1");
  EXPECT_EQ(exchanges(), 1U);
  pass(1s);
  EXPECT_EQ(token(), "t1");
  ASSERT_TRUE(server_->wait_for_requests(2));
}

TEST_F(IamTokensTest, ThatHaveExpiredAreNotGivenOut) {
  serve({gives("t1"), gives("t2")});
  EXPECT_EQ(token(), "t1");
  pass(3600s);
  EXPECT_EQ(token(), "t2");
}

TEST_F(IamTokensTest, OfALifeThatIsNotToldAreKeptUntilTheyAreRefused) {
  serve({Script::answer(200, R"({"access_token":"t1"})"), gives("t2")});
  EXPECT_EQ(token(), "t1");
  pass(365 * 24h);
  EXPECT_EQ(token(), "t1");
  tokens_->refused("another");
  EXPECT_EQ(token(), "t1");
  tokens_->refused("t1");
  EXPECT_EQ(token(), "t2");
}

TEST_F(IamTokensTest, OfNoLifeServeThoseWhoWaitedForThem) {
  serve({gives("t1", "0"), gives("t2", "0")});
  EXPECT_EQ(token(), "t1");
  EXPECT_EQ(token(), "t2");
  EXPECT_EQ(exchanges(), 2U);
}

TEST_F(IamTokensTest, AreFetchedOnceHoweverManyAsk) {
  constexpr int kThreads = 64;
  serve({gives_when_released("t1")});
  std::latch all_ask(kThreads);
  std::vector<std::future<std::string>> all;
  for (int i = 0; i < kThreads; ++i)
    all.push_back(std::async(std::launch::async, [&] {
      all_ask.arrive_and_wait();
      return token();
    }));
  ASSERT_TRUE(server_->wait_for_requests(1));
  server_->release();
  for (std::future<std::string>& one : all) EXPECT_EQ(one.get(), "t1");
  EXPECT_EQ(exchanges(), 1U);
}

TEST_F(IamTokensTest, AreAskedForAgainIfIamIsBusyOrBroken) {
  serve({Script::answer(429, "", kSoon), Script::answer(503, "", kSoon), gives("t1")});
  EXPECT_EQ(token(), "t1");
  ASSERT_EQ(notices_.size(), 2U);
  EXPECT_EQ(notices_[0].kind, Notice::Kind::retry);
  EXPECT_EQ(notices_[0].http_status, 429);
  EXPECT_EQ(notices_[1].http_status, 503);
}

TEST_F(IamTokensTest, AreAskedForThreeTimesAtMost) {
  serve({Script::answer(500, "", kSoon)});
  const Error error = failure();
  EXPECT_EQ(error.code(), Errc::server_error);
  EXPECT_EQ(std::string(error.what()),
            "watsonx: POST " + server_->url("/identity/token") + ": 500 server_error (3 attempts)");
  EXPECT_EQ(exchanges(), 3U);
}

TEST_F(IamTokensTest, AreNotGivenForAWrongKey) {
  serve({wrong_key(), gives("t1")});
  const Error error = failure();
  EXPECT_EQ(error.code(), Errc::auth);
  EXPECT_EQ(std::string(error.what()),
            "watsonx: POST " + server_->url("/identity/token") +
                ": 400 auth: \"Provided API key could not be found.\": check WATSONX_API_KEY");
  EXPECT_EQ(error.details().provider_code, "BXNIM0415E");
  EXPECT_EQ(exchanges(), 1U);
  EXPECT_EQ(token(), "t1");  // who asks next asks anew
}

TEST_F(IamTokensTest, AreMissedByAllWhoWaitForThem) {
  serve(
      {Script::raw().hold().bytes(
           "HTTP/1.1 400 Bad Request\r\ncontent-length: 26\r\n\r\n{\"errorCode\":\"BXNIM0415E\"}"),
       gives("t1")});
  std::vector<std::vector<Notice>> notices(3);
  std::vector<TokenSource::Wait> waits(3);
  std::latch told(3);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(tokens_->token(waits[i], notices[i]), std::nullopt);
    ASSERT_TRUE(tokens_->when_news(waits[i], [&] { told.count_down(); }));
  }
  ASSERT_TRUE(server_->wait_for_requests(1));
  server_->release();
  told.wait();
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_THROW(
        {
          while (!tokens_->token(waits[i], notices[i])) wait_for_news(waits[i]);
        },
        Error);
  }
  EXPECT_EQ(exchanges(), 1U);
}

TEST_F(IamTokensTest, StayGoodIfTheyCantBeRenewed) {
  serve({gives("t1"), wrong_key(), gives("t2")});
  EXPECT_EQ(token(), "t1");
  pass(3300s);
  EXPECT_EQ(token(), "t1");
  wait_for_news();
  EXPECT_EQ(token(), "t1");
  pass(29s);
  EXPECT_EQ(token(), "t1");
  EXPECT_EQ(exchanges(), 2U);  // it rests after a refusal
  pass(1s);
  EXPECT_EQ(token(), "t1");
  EXPECT_TRUE(server_->wait_for_requests(3));
}

TEST_F(IamTokensTest, AreNotWaitedForByWhoDoesNotAsk) {
  serve({gives_when_released("t1")});
  TokenSource::Wait wait;
  std::vector<Notice> notices;
  EXPECT_EQ(tokens_->token(wait, notices), std::nullopt);
  ASSERT_TRUE(server_->wait_for_requests(1));
  tokens_.reset();
  EXPECT_TRUE(server_->wait_for_close(0));
}

TEST_F(IamTokensTest, ShowTheKeyToNobody) {
  const std::string echo =
      R"({"errorCode":"the-key-of-16-and-more","errorMessage":"no the-key-of-16-and-more","context":)"
      R"({"requestId":"the-key-of-16-and-more"}})";
  serve({Script::answer(503, echo, kSoon), Script::answer(400, echo)});
  const Error error = failure();
  const ErrorDetails& details = error.details();
  ASSERT_EQ(notices_.size(), 1U);
  for (const std::string& text : {std::string(error.what()), details.provider_code,
                                  details.provider_message, details.request_id, notices_[0].text})
    EXPECT_EQ(text.find("the-key"), std::string::npos) << text;
  EXPECT_EQ(details.provider_message, "no ***");
}

TEST_F(IamTokensTest, EndWithTheNetwork) {
  serve({gives_when_released("t1")});
  std::future<Error> waiting = std::async(std::launch::async, [&] { return failure(); });
  ASSERT_TRUE(server_->wait_for_requests(1));
  stop(*network_);
  EXPECT_EQ(waiting.get().code(), Errc::shutdown);
  EXPECT_EQ(failure().code(), Errc::shutdown);
}

TEST_F(IamTokensTest, AreOfTheProcessThatAskedForThem) {
  serve({gives("t1")});
  EXPECT_EQ(token(), "t1");
  const pid_t child = ::fork();
  if (child == 0) ::_exit(failure().code() == Errc::after_fork ? 0 : 1);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(IamTokensTest, ComeFromTheUrlThatIsGiven) {
  serve({gives("t")});
  connect(server_->url("/"));
  token();
  connect(server_->url("/oidc/token?x=1"));
  token();
  EXPECT_EQ(server_->requests()[0].path, "/identity/token");
  EXPECT_EQ(server_->requests()[1].path, "/oidc/token?x=1");
  EXPECT_THROW(connect("iam.cloud.ibm.com"), Error);
}

TEST_F(IamTokensTest, AreAskedForWithAnyKey) {
  serve({gives("t")});
  tokens_ = std::make_unique<IamTokens>(
      BackendOptions{.api_key = "a b&c=\xC3\xA9", .watsonx = {.iam_url = server_->url()}},
      network_);
  token();
  EXPECT_TRUE(server_->requests()[0].body.ends_with("&apikey=a%20b%26c%3D%C3%A9"))
      << server_->requests()[0].body;
}

}  // namespace
}  // namespace mellea
