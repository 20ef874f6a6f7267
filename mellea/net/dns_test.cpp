// Names that take their time, and names that are not there. The test answers for those that end in
// .test, in the place of the C library.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <netdb.h>

#include <condition_variable>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/net/exchange_for_test.h"
#include "mellea/net/network.h"
#include "mellea/net/testing/loopback_server.h"

namespace mellea {
namespace {

using namespace std::chrono_literals;

// Lookups of *.slow.test hang until they are let go; then they find 127.0.0.1.
class Lookups {
 public:
  void hang() {
    std::unique_lock lock(mutex_);
    ++hanging_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !held_; });
    --hanging_;
    changed_.notify_all();
  }
  void hold() {
    const std::scoped_lock lock(mutex_);
    held_ = true;
  }
  void let_go() {
    std::unique_lock lock(mutex_);
    held_ = false;
    changed_.notify_all();
    changed_.wait(lock, [this] { return hanging_ == 0; });
  }
  bool wait_until_hanging(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return hanging_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int hanging_ = 0;  // guarded by mutex_
  bool held_ = false;
};
Lookups lookups;  // the C library's function has no argument for it

}  // namespace
}  // namespace mellea

extern "C" int getaddrinfo(const char* name, const char* service, const addrinfo* hints,
                           addrinfo** found) {
  using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  const std::string_view asked = name == nullptr ? "" : name;
  if (asked.ends_with(".missing.test")) return EAI_NONAME;
  if (!asked.ends_with(".slow.test")) return real(name, service, hints, found);
  mellea::lookups.hang();
  return real("127.0.0.1", service, hints, found);
}

namespace mellea {
namespace {

// A lookup goes on until the test is over: what waited for one would hang for good.
class DnsTest : public testing::Test {
 protected:
  DnsTest() { lookups.hold(); }
  ~DnsTest() override { lookups.let_go(); }

  // Returns once its name is being looked up.
  std::unique_ptr<HttpExchange> start_slow(Limits limits = {}) {
    auto exchange = network_->start({.url = "http://a.slow.test:1/", .limits = limits});
    EXPECT_TRUE(lookups.wait_until_hanging(1));
    return exchange;
  }

  std::unique_ptr<Network> network_ = std::make_unique<Network>();
};

TEST_F(DnsTest, ANameThatIsNotThereIsNamed) {
  const Outcome outcome = finish(*network_->start({.url = "http://a.missing.test/v1"}));
  EXPECT_EQ(outcome.code(), Errc::transport_error);
  EXPECT_EQ(outcome.what(), "no such host: a.missing.test");
  EXPECT_TRUE(outcome.retryable());
}

TEST_F(DnsTest, ANameThatIsFoundLateIsStillUsed) {
  LoopbackServer server({Script::answer(200, "late")});
  const auto exchange =
      network_->start({.url = "http://b.slow.test:" + std::to_string(server.port()) + "/"});
  ASSERT_TRUE(lookups.wait_until_hanging(1));
  lookups.let_go();
  EXPECT_EQ(finish(*exchange).body, "late");
}

TEST_F(DnsTest, ACancelDoesNotWaitForTheName) {
  const auto exchange = start_slow();
  exchange->cancel();
  EXPECT_EQ(finish(*exchange).what(), "a.slow.test:1: cancelled");
  // The loop has not waited either, while the lookup goes on.
  LoopbackServer server({Script::answer(200, "here")});
  EXPECT_EQ(finish(*network_->start({.url = server.url()})).body, "here");
}

TEST_F(DnsTest, TheLimitForConnectingHolds) {
  const auto exchange = start_slow({.connect = 50ms});
  const Outcome outcome = finish(*exchange);
  EXPECT_EQ(outcome.code(), Errc::timeout);
  EXPECT_EQ(outcome.what(), "connect to a.slow.test:1: no answer within 50 ms");
  EXPECT_TRUE(outcome.retryable());
}

TEST_F(DnsTest, OtherStreamsGoOnMeanwhileAndAfterACancel) {
  LoopbackServer server(
      {Script::stream().chunk("one ").hold().chunk("two ").hold().chunk("three").end(),
       Script::answer(200, "another")});
  const auto stream = network_->start({.url = server.url()});
  ASSERT_EQ(next(*stream), HttpNext::head);
  ASSERT_EQ(next(*stream), HttpNext::bytes);
  const auto slow = start_slow();
  server.release();
  ASSERT_EQ(next(*stream), HttpNext::bytes);
  EXPECT_EQ(stream->bytes(), "two ");
  slow->cancel();
  EXPECT_EQ(finish(*network_->start({.url = server.url()})).body, "another");
  server.release();
  EXPECT_EQ(finish(*stream).body, "three");
}

TEST_F(DnsTest, TheNetworkStopsAtOnce) {
  const auto exchange = start_slow();
  network_.reset();
  EXPECT_EQ(finish(*exchange).code(), Errc::shutdown);
}

TEST_F(DnsTest, ManyNamesHangAtOnce) {
  constexpr int kMany = 100;
  std::vector<std::unique_ptr<HttpExchange>> exchanges;
  for (int i = 0; i < kMany; ++i) {
    exchanges.push_back(network_->start({.url = "http://" + std::to_string(i) + ".slow.test:1/"}));
  }
  ASSERT_TRUE(lookups.wait_until_hanging(kMany));
  for (int i = 0; i < kMany / 2; ++i) exchanges[static_cast<std::size_t>(i)]->cancel();
  for (int i = 0; i < kMany / 2; ++i)
    EXPECT_EQ(finish(*exchanges[static_cast<std::size_t>(i)]).code(), Errc::cancelled);
  network_.reset();
  for (int i = kMany / 2; i < kMany; ++i)
    EXPECT_EQ(finish(*exchanges[static_cast<std::size_t>(i)]).code(), Errc::shutdown);
}

}  // namespace
}  // namespace mellea
