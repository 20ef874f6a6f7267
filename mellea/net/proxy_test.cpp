// Through a proxy, which is the loopback server.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <map>
#include <string>
#include <vector>

#include "mellea/net/exchange_for_test.h"
#include "mellea/net/network.h"
#include "mellea/net/testing/loopback_server.h"

namespace mellea {
namespace {

using namespace std::chrono_literals;

// The variables that libcurl reads, as the test wants them and no others.
class Environment {
 public:
  explicit Environment(const std::map<std::string, std::string>& variables) {
    for (const char* name : {"http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy",
                             "ALL_PROXY", "no_proxy", "NO_PROXY"}) {
      if (const char* const value = ::getenv(name)) before_[name] = value;
      ::unsetenv(name);
    }
    for (const auto& [name, value] : variables) {
      ::setenv(name.c_str(), value.c_str(), 1);
      names_.push_back(name);
    }
  }
  ~Environment() {
    for (const std::string& name : names_) ::unsetenv(name.c_str());
    for (const auto& [name, value] : before_) ::setenv(name.c_str(), value.c_str(), 1);
  }

 private:
  std::map<std::string, std::string> before_;
  std::vector<std::string> names_;
};

std::string with_password(const LoopbackServer& server) {
  return "http://me:s3cret@" + server.authority();
}

class ProxyTest : public testing::Test {
 protected:
  Outcome run(HttpRequest request) { return finish(*network_.start(std::move(request))); }

  Network network_;
};

TEST_F(ProxyTest, OfTheRequestIsGivenTheWholeUrl) {
  LoopbackServer proxy({Script::answer(200, "by proxy")});
  const Outcome outcome = run({.url = "http://model.test/v1?a=b",
                               .headers = {{"Authorization", "Bearer k"}},
                               .body = shared("{}"),
                               .proxy = with_password(proxy)});
  EXPECT_EQ(outcome.body, "by proxy") << outcome.what();
  const ReceivedRequest seen = proxy.requests().at(0);
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.path, "http://model.test/v1?a=b");
  EXPECT_EQ(seen.header("host"), "model.test");
  EXPECT_EQ(seen.header("authorization"), "Bearer k");
  EXPECT_EQ(seen.header("proxy-authorization"), "Basic bWU6czNjcmV0");
  EXPECT_EQ(seen.body, "{}");
}

TEST_F(ProxyTest, OfTheEnvironmentIsUsedWhenTheRequestNamesNone) {
  LoopbackServer proxy({Script::answer(200, "by proxy")});
  for (const char* variable : {"http_proxy", "all_proxy", "ALL_PROXY"}) {
    const Environment environment({{variable, proxy.url()}});
    EXPECT_EQ(run({.url = "http://model.test/"}).body, "by proxy") << variable;
  }
  EXPECT_EQ(proxy.requests().size(), 3U);
}

TEST_F(ProxyTest, NoProxyIsRespected) {
  LoopbackServer proxy({Script::answer(200, "by proxy")});
  LoopbackServer server({Script::answer(200, "directly")});
  for (const char* names : {"127.0.0.1", "example.org,127.0.0.1", "*"}) {
    const Environment environment({{"http_proxy", proxy.url()}, {"no_proxy", names}});
    EXPECT_EQ(run({.url = server.url()}).body, "directly") << names;
  }
  const Environment environment({{"http_proxy", proxy.url()}, {"no_proxy", "example.org"}});
  EXPECT_EQ(run({.url = server.url()}).body, "by proxy");
}

TEST_F(ProxyTest, OfTheRequestGoesBeforeTheEnvironment) {
  LoopbackServer wrong({Script::answer(200, "the wrong proxy")});
  LoopbackServer right({Script::answer(200, "the right proxy")});
  LoopbackServer server({Script::answer(200, "directly")});
  const Environment environment({{"http_proxy", wrong.url()}, {"no_proxy", "example.org"}});
  EXPECT_EQ(run({.url = "http://example.org/", .proxy = right.url()}).body, "the right proxy");
  EXPECT_EQ(run({.url = server.url(), .proxy = ""}).body, "directly");
}

TEST_F(ProxyTest, ThatIsNoUrlIsNamedWithoutItsPassword) {
  for (const char* bad : {"http://me:s3cret@proxy:31x8", "gopher://me:s3cret@proxy:1"}) {
    const Outcome outcome = run({.url = "http://model.test/", .proxy = bad});
    EXPECT_EQ(outcome.code(), Errc::invalid_request) << outcome.what();
    EXPECT_FALSE(outcome.retryable());
    EXPECT_TRUE(outcome.what().starts_with("model.test:80: the proxy")) << outcome.what();
    EXPECT_EQ(outcome.what().find("s3cret"), std::string::npos) << outcome.what();
  }
}

TEST_F(ProxyTest, ThatCanNotBeReachedIsNamedWithoutItsPassword) {
  const std::string port = std::to_string(closed_port());
  for (const char* scheme : {"http", "https"}) {
    const Outcome outcome = run({.url = std::string(scheme) + "://model.test/",
                                 .proxy = "http://me:s3cret@127.0.0.1:" + port});
    EXPECT_EQ(outcome.code(), Errc::transport_error);
    EXPECT_TRUE(outcome.retryable());
    EXPECT_TRUE(outcome.what().starts_with("connect to model.test:")) << outcome.what();
    EXPECT_NE(outcome.what().find("refused"), std::string::npos) << outcome.what();
    EXPECT_NE(outcome.what().find(port), std::string::npos) << outcome.what();
    EXPECT_EQ(outcome.what().find("s3cret"), std::string::npos) << outcome.what();
  }
  const Outcome missing =
      run({.url = "http://model.test/", .proxy = "http://me:s3cret@gone.missing.test:1"});
  EXPECT_EQ(missing.what(), "model.test:80: Could not resolve proxy: gone.missing.test");
  EXPECT_TRUE(missing.retryable());
}

// What a proxy may say to CONNECT, and what we make of it.
TEST_F(ProxyTest, ThatOpensNoTunnelSaysWhy) {
  struct Answer {
    int status;
    std::string what;
    bool retryable;
  };
  for (const Answer& answer : std::vector<Answer>{
           {407, "the proxy refused with status 407: it wants a user and a password", false},
           {403, "the proxy refused with status 403", false},
           {502, "the proxy refused with status 502", true}}) {
    LoopbackServer proxy(
        {Script::answer(answer.status, "no", {{"Proxy-Authenticate", "Basic realm=\"x\""}})});
    const Outcome outcome = run({.url = "https://model.test/v1",
                                 .headers = {{"Authorization", "Bearer k"}},
                                 .body = shared("{}"),
                                 .proxy = with_password(proxy)});
    EXPECT_EQ(outcome.code(), Errc::transport_error);
    EXPECT_EQ(outcome.what(), "model.test:443: " + answer.what);
    EXPECT_EQ(outcome.retryable(), answer.retryable);
    EXPECT_EQ(outcome.head.status, 0);  // it is not the server's
    const ReceivedRequest seen = proxy.requests().at(0);
    EXPECT_EQ(seen.method, "CONNECT");
    EXPECT_EQ(seen.path, "model.test:443");
    EXPECT_EQ(seen.header("authorization"), "");
    EXPECT_EQ(seen.header("proxy-authorization"), "Basic bWU6czNjcmV0");
    EXPECT_EQ(seen.body, "");
  }
}

TEST_F(ProxyTest, ThatHangsUpInsteadOfOpeningATunnel) {
  for (const Script& script : {Script::raw().cut(), Script::raw().bytes("HTTP/1.1 200").cut()}) {
    LoopbackServer proxy({script});
    const Outcome outcome = run({.url = "https://model.test/v1", .proxy = proxy.url()});
    EXPECT_EQ(outcome.code(), Errc::transport_error);
    EXPECT_TRUE(outcome.what().starts_with("model.test:443: ")) << outcome.what();
  }
}

TEST_F(ProxyTest, ATunnelIsPartOfConnecting) {
  LoopbackServer proxy({Script::raw().hang()});
  const Outcome outcome =
      run({.url = "https://model.test/v1", .limits = {.connect = 50ms}, .proxy = proxy.url()});
  EXPECT_EQ(outcome.code(), Errc::timeout);
  EXPECT_TRUE(outcome.retryable());
  EXPECT_EQ(outcome.what(), "connect to model.test:443: no answer within 50 ms");
}

}  // namespace
}  // namespace mellea
