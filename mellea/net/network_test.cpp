#include "mellea/net/network.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <future>
#include <random>
#include <thread>
#include <vector>

#include "mellea/net/answer_queue.h"
#include "mellea/net/exchange_for_test.h"
#include "mellea/net/testing/loopback_server.h"

namespace mellea {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

class NetworkTest : public testing::Test {
 protected:
  std::unique_ptr<HttpExchange> start(const LoopbackServer& server, Limits limits = {}) {
    return network_.start({.url = server.url("/v1/chat"), .body = shared("{}"), .limits = limits});
  }
  Outcome run(HttpRequest request) { return finish(*network_.start(std::move(request))); }
  Outcome run(const LoopbackServer& server) { return finish(*start(server)); }

  Network network_;
};

TEST_F(NetworkTest, GivesTheWholeAnswer) {
  LoopbackServer server({Script::answer(201, "hello", {{"X-Request-Id", "r1"}, {"Empty", ""}})});
  const auto exchange = start(server);
  const Outcome outcome = finish(*exchange);
  EXPECT_EQ(outcome.head.status, 201);
  EXPECT_EQ(outcome.head.header("x-request-id"), "r1");
  EXPECT_EQ(outcome.head.header("empty"), "");
  EXPECT_EQ(outcome.head.header("absent"), "");
  EXPECT_EQ(outcome.body, "hello");
  EXPECT_FALSE(outcome.error) << outcome.what();
  EXPECT_EQ(exchange->try_next(), HttpNext::end);
  const HttpTimes times = exchange->times();
  EXPECT_GT(times.sent, Instant{});
  EXPECT_LE(times.sent, outcome.stamps.at(0));
  EXPECT_LE(outcome.stamps.at(0), times.ended);
  EXPECT_EQ(times.paused, 0ns);
}

TEST_F(NetworkTest, SendsWhatItIsGiven) {
  LoopbackServer server({Script::answer(200, "")});
  run({.url = server.url("/a/b?c=d"),
       .headers = {{"Authorization", "Bearer k"},
                   {"Content-Type", "application/json"},
                   {"X-None", ""}},
       .body = shared("{\"a\":1}")});
  run({.method = "GET", .url = server.url("/models")});
  run({.method = "DELETE", .url = server.url("/x")});
  run({.url = server.url("/empty")});
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 4U);
  EXPECT_EQ(requests[0].method, "POST");
  EXPECT_EQ(requests[0].path, "/a/b?c=d");
  EXPECT_EQ(requests[0].header("authorization"), "Bearer k");
  EXPECT_EQ(requests[0].header("content-type"), "application/json");
  EXPECT_EQ(requests[0].body, "{\"a\":1}");
  EXPECT_EQ(requests[1].method, "GET");
  EXPECT_EQ(requests[2].method, "DELETE");
  EXPECT_EQ(requests[3].method, "POST");
  EXPECT_EQ(requests[3].header("content-length"), "0");
  for (const auto& request : requests) {
    EXPECT_EQ(request.header("expect"), "");
    EXPECT_EQ(request.header("accept-encoding"), "");
  }
}

TEST_F(NetworkTest, SendsALargeBodyWhole) {
  LoopbackServer server({Script::answer(200, "ok")});
  const auto body = shared(std::string(5'000'000, 'b'));
  const auto exchange = network_.start({.url = server.url(), .body = body});
  EXPECT_EQ(finish(*exchange).body, "ok");
  EXPECT_EQ(server.requests().at(0).body, *body);
  EXPECT_LE(exchange->times().sent, exchange->times().ended);
}

TEST_F(NetworkTest, GivesPiecesInOrderAsTheyArrive) {
  LoopbackServer server(
      {Script::stream().chunk("one ").hold().chunk("two ").hold().chunk("three").end()});
  const auto exchange = start(server);
  ASSERT_EQ(next(*exchange), HttpNext::head);
  std::vector<Instant> stamps;
  for (const char* expected : {"one ", "two ", "three"}) {
    ASSERT_EQ(next(*exchange), HttpNext::bytes);
    EXPECT_EQ(exchange->bytes(), expected);
    stamps.push_back(exchange->at());
    server.release();
  }
  EXPECT_EQ(next(*exchange), HttpNext::end);
  EXPECT_LT(stamps[0], stamps[1]);
  EXPECT_LT(stamps[1], stamps[2]);
}

TEST_F(NetworkTest, InformationalHeadsAndTrailersAreNotTheHead) {
  LoopbackServer server({Script::raw()
                             .bytes("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")
                             .bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n")
                             .bytes("2\r\nhi\r\n0\r\nA: trailer\r\n\r\n")});
  const Outcome outcome = run(server);
  EXPECT_EQ(outcome.head.status, 200);
  EXPECT_EQ(outcome.head.headers.size(), 2U);
  EXPECT_EQ(outcome.head.header("a"), "b");
  EXPECT_EQ(outcome.body, "hi");
}

TEST_F(NetworkTest, FollowsNoRedirect) {
  LoopbackServer elsewhere({Script::answer(200, "")});
  for (const int status : {301, 302, 303, 307, 308}) {
    LoopbackServer server({Script::answer(status, "moved", {{"Location", elsewhere.url("/")}})});
    const Outcome outcome = run(server);
    EXPECT_EQ(outcome.head.status, status);
    EXPECT_EQ(outcome.body, "moved");
    EXPECT_EQ(server.requests().size(), 1U);
  }
  EXPECT_EQ(elsewhere.connections(), 0);
}

TEST_F(NetworkTest, UsesOneConnectionForAllThatComesInTurn) {
  LoopbackServer server([](const ReceivedRequest& request) {
    return request.path == "/stream" ? Script::stream().chunk("a").chunk("b").end()
                                     : Script::answer(200, "ab");
  });
  for (int i = 0; i < 50; ++i)
    ASSERT_EQ(run({.url = server.url(i % 2 == 0 ? "/stream" : "/plain")}).body, "ab");
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(NetworkTest, AFinishedStreamLeavesItsConnectionForTheNext) {
  LoopbackServer server(
      {Script::stream().chunk("[DONE]").hold().end(), Script::answer(200, "two")});
  auto exchange = start(server);
  ASSERT_EQ(next(*exchange), HttpNext::head);
  ASSERT_EQ(next(*exchange), HttpNext::bytes);
  const Instant last = exchange->at();
  exchange->finish();
  EXPECT_EQ(exchange->try_next(), HttpNext::end);
  EXPECT_EQ(exchange->times().ended, last);
  exchange.reset();
  server.release();
  EXPECT_EQ(run({.url = server.url(), .delay = 70ms}).body, "two");
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(NetworkTest, ARequestWaitsAMomentForAConnectionThatIsAboutToBeFree) {
  LoopbackServer server(
      {Script::stream().chunk("[DONE]").hold().end(), Script::answer(200, "two")});
  auto exchange = start(server);
  ASSERT_EQ(next(*exchange), HttpNext::head);
  ASSERT_EQ(next(*exchange), HttpNext::bytes);
  exchange->finish();
  const auto second = start(server);
  server.release();
  EXPECT_EQ(finish(*second).body, "two");
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(NetworkTest, ARequestDoesNotWaitForLongForAnAnswerThatDoesNotEnd) {
  LoopbackServer server({Script::stream().chunk("[DONE]").hang(), Script::answer(200, "two")});
  const auto exchange = start(server);
  ASSERT_EQ(next(*exchange), HttpNext::head);
  ASSERT_EQ(next(*exchange), HttpNext::bytes);
  exchange->finish();
  EXPECT_EQ(run(server).body, "two");
  EXPECT_EQ(server.connections(), 2);
}

TEST_F(NetworkTest, AFinishedStreamThatDoesNotEndIsClosedAfterTheGrace) {
  LoopbackServer server({Script::stream().chunk("[DONE]").hang()});
  const auto exchange = start(server);
  ASSERT_EQ(next(*exchange), HttpNext::head);
  ASSERT_EQ(next(*exchange), HttpNext::bytes);
  const Instant finished = steady_clock::now();
  exchange->finish();
  const auto closed = server.wait_for_close(0);
  ASSERT_TRUE(closed);
  EXPECT_GE(*closed - finished, 100ms);
}

TEST_F(NetworkTest, CancelClosesTheSocketAndWakesTheReader) {
  LoopbackServer server({Script::stream().chunk("x").hang()});
  const auto exchange = start(server);
  auto reader = std::async(std::launch::async, [&] { return finish(*exchange); });
  ASSERT_TRUE(server.wait_for_requests(1));
  exchange->cancel();
  EXPECT_EQ(reader.get().code(), Errc::cancelled);
  EXPECT_TRUE(server.wait_for_close(0));
  EXPECT_THROW(exchange->try_next(), Error);
}

TEST_F(NetworkTest, DroppingAnExchangeClosesItsSocket) {
  LoopbackServer server({Script::raw().hang()});
  auto exchange = start(server);
  ASSERT_TRUE(server.wait_for_requests(1));
  exchange.reset();
  EXPECT_TRUE(server.wait_for_close(0));
}

TEST_F(NetworkTest, WhatHadArrivedIsReadBeforeACancel) {
  LoopbackServer server({Script::stream().chunk("x").hang()});
  const auto exchange = start(server);
  ASSERT_EQ(next(*exchange), HttpNext::head);
  exchange->wait(steady_clock::now() + kPatience);
  exchange->cancel();
  const Outcome outcome = finish(*exchange);
  EXPECT_EQ(outcome.body, "x");
  EXPECT_EQ(outcome.code(), Errc::cancelled);
}

TEST_F(NetworkTest, CancelsWhileConnecting) {
  const FullListener listener;
  const auto exchange = network_.start({.url = listener.url()});
  auto reader = std::async(std::launch::async, [&] { return finish(*exchange); });
  exchange->cancel();
  EXPECT_EQ(reader.get().what(), listener.authority() + ": cancelled");
}

TEST_F(NetworkTest, ACancelBeforeTheDelayIsOverSendsNothing) {
  LoopbackServer server({Script::answer(200, "")});
  const auto exchange = network_.start({.url = server.url(), .delay = 1h});
  EXPECT_EQ(exchange->try_next(), HttpNext::pending);
  exchange->cancel();
  EXPECT_EQ(finish(*exchange).code(), Errc::cancelled);
  EXPECT_EQ(server.connections(), 0);
}

TEST_F(NetworkTest, SendsAfterTheDelay) {
  LoopbackServer server({Script::answer(200, "late")});
  const Instant started = steady_clock::now();
  EXPECT_EQ(run({.url = server.url(), .delay = 30ms}).body, "late");
  EXPECT_GE(server.requests().at(0).at - started, 30ms);
}

TEST_F(NetworkTest, ConnectHasItsTime) {
  const FullListener listener;
  const Outcome outcome = run({.url = listener.url(), .limits = {.connect = 50ms}});
  EXPECT_EQ(outcome.code(), Errc::timeout);
  EXPECT_EQ(outcome.what(), "connect to " + listener.authority() + ": no answer within 50 ms");
  EXPECT_TRUE(outcome.error->retryable());
}

TEST_F(NetworkTest, TheFirstByteHasItsTime) {
  LoopbackServer server({Script::raw().hang()});
  const auto exchange = start(server, {.first_byte = 50ms});
  const Outcome outcome = finish(*exchange);
  EXPECT_EQ(outcome.code(), Errc::timeout);
  EXPECT_EQ(outcome.what(),
            "127.0.0.1:" + std::to_string(server.port()) + ": no answer within 50 ms");
  EXPECT_GE(exchange->times().ended - exchange->times().sent, 50ms);
  EXPECT_TRUE(server.wait_for_close(0));
}

TEST_F(NetworkTest, SilenceHasItsTime) {
  LoopbackServer server({Script::stream().chunk("some").wait(20ms).chunk(" text").hang()});
  const Outcome outcome = finish(*start(server, {.silence = 100ms}));
  EXPECT_EQ(outcome.body, "some text");
  EXPECT_EQ(outcome.code(), Errc::timeout);
  EXPECT_EQ(outcome.what(), "127.0.0.1:" + std::to_string(server.port()) +
                                ": silent for 100 ms after 9 bytes of the answer");
}

TEST_F(NetworkTest, BytesThatKeepComingAreNotSilence) {
  Script script = Script::stream();
  for (int i = 0; i < 20; ++i) script.chunk("x").wait(20ms);
  LoopbackServer server({script.end()});
  const Outcome outcome = finish(*start(server, {.first_byte = 200ms, .silence = 200ms}));
  EXPECT_EQ(outcome.body.size(), 20U);
  EXPECT_FALSE(outcome.error) << outcome.what();
}

TEST_F(NetworkTest, TheWholeHasItsTime) {
  LoopbackServer server({Script::stream().chunk("x").hang()});
  const Outcome whole = finish(*start(server, {.whole = 50ms}));
  EXPECT_EQ(whole.code(), Errc::timeout);
  EXPECT_EQ(whole.body, "x");
  const Outcome until = run({.url = server.url(), .until = steady_clock::now() + 50ms});
  EXPECT_EQ(until.code(), Errc::timeout);
  const Outcome delayed =
      run({.url = server.url(), .until = steady_clock::now() + 20ms, .delay = 1h});
  EXPECT_EQ(delayed.code(), Errc::timeout);
}

TEST_F(NetworkTest, RefusedIsAClearError) {
  const std::string authority = "127.0.0.1:" + std::to_string(closed_port());
  const Outcome outcome = run({.url = "http://" + authority});
  EXPECT_EQ(outcome.code(), Errc::transport_error);
  EXPECT_EQ(outcome.what(), "connect to " + authority + ": refused");
  EXPECT_TRUE(outcome.error->retryable());
}

TEST_F(NetworkTest, AnUnknownHostIsAClearError) {
  EXPECT_EQ(run({.url = "http://nosuch.invalid/"}).what(), "no such host: nosuch.invalid");
}

// What a server can do wrong, what of its answer is still read, and what the error says.
struct Wrong {
  std::string name;
  Script script;
  std::string body;
  std::string what;  // how the error goes on after the server's name
  bool retryable = true;
};
void PrintTo(const Wrong& wrong, std::ostream* out) { *out << wrong.name; }

class WrongAnswerTest : public testing::TestWithParam<Wrong> {};

TEST_P(WrongAnswerTest, IsAnErrorAfterWhatHadArrived) {
  const Wrong& wrong = GetParam();
  LoopbackServer server({wrong.script});
  Network network;
  const auto exchange = network.start({.url = server.url(), .body = shared("{}"), .max_body = 100});
  const Outcome outcome = finish(*exchange);
  EXPECT_EQ(outcome.body, wrong.body);
  EXPECT_EQ(outcome.code(), Errc::transport_error);
  EXPECT_EQ(outcome.retryable(), wrong.retryable);
  EXPECT_TRUE(outcome.what().starts_with(server.authority() + ": " + wrong.what)) << outcome.what();
  EXPECT_THROW(exchange->try_next(), Error);
}

constexpr std::string_view kLength = "HTTP/1.1 200 OK\r\nContent-Length: ";

// The connection ends, at every place of an answer where it can.
std::vector<Wrong> lost_connections() {
  struct Place {
    std::string name;
    Script before;
    std::string body;
    std::string lost_after;
  };
  const std::vector<Place> places = {
      {"before the answer", Script::raw(), "", "the request"},
      {"within the status line", Script::raw().bytes("HTTP/1.1 20"), "", "the request"},
      {"after the status line", Script::raw().bytes("HTTP/1.1 200 OK\r\n"), "", "the request"},
      {"within a header", Script::raw().bytes("HTTP/1.1 200 OK\r\nA: b"), "", "the request"},
      {"after an informational head",
       Script::raw().bytes("HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n"), "", "the request"},
      {"after the head", Script::raw().bytes(std::string(kLength) + "9\r\n\r\n"), "",
       "the head of the answer"},
      {"after the head of a stream", Script::stream(), "", "the head of the answer"},
      {"within a length", Script::raw().bytes(std::string(kLength) + "9\r\n\r\nhalf"), "half",
       "4 bytes of the answer"},
      {"within a chunk's size", Script::stream().chunk("half").bytes("1"), "half",
       "4 bytes of the answer"},
      {"after a chunk's size", Script::stream().chunk("half").bytes("a\r\n"), "half",
       "4 bytes of the answer"},
      {"within a chunk", Script::stream().bytes("a\r\nhalf"), "half", "4 bytes of the answer"},
      {"after a chunk's bytes", Script::stream().bytes("1\r\nh"), "h", "1 byte of the answer"},
      {"between chunks", Script::stream().chunk("half"), "half", "4 bytes of the answer"},
      {"within the last chunk", Script::stream().chunk("half").bytes("0\r\n"), "half",
       "4 bytes of the answer"},
      {"within the trailers", Script::stream().chunk("half").bytes("0\r\nA: b\r\n"), "half",
       "4 bytes of the answer"},
  };
  std::vector<Wrong> all;
  for (const Place& place : places) {
    const std::string what = "connection lost after " + place.lost_after;
    Script closed = place.before;
    Script reset = place.before;
    all.push_back({"closed ", closed.wait(5ms).cut(), place.body, what});
    all.push_back({"reset ", reset.wait(5ms).reset(), place.body, what});
    all[all.size() - 2].name += place.name;
    all.back().name += place.name;
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Lost, WrongAnswerTest, testing::ValuesIn(lost_connections()));

Script plainly(std::string_view bytes) { return Script::raw().bytes(std::string(bytes)).hang(); }

INSTANTIATE_TEST_SUITE_P(
    Malformed, WrongAnswerTest,
    testing::Values(
        Wrong{"another protocol", plainly("SSH-2.0-OpenSSH_9.2\r\n"), "",
              "the answer is not HTTP: ", false},
        Wrong{"TLS in the clear", plainly("\x15\x03\x01\x02\x02\x46"), "",
              "the answer is not HTTP: ", false},
        Wrong{"zero bytes", plainly(std::string_view("\0\0\0\0\0\0\0\0", 8)), "",
              "the answer is not HTTP: ", false},
        Wrong{"a body without a head", plainly("{\"error\": \"oops\"}"), "",
              "the answer is not HTTP: ", false},
        Wrong{"no status", plainly("HTTP/1.1 OK\r\n\r\n"), "", "the answer is not HTTP: ", false},
        Wrong{"a version of its own", plainly("HTTP/7.3 200 OK\r\n\r\n"), "",
              "the answer is not HTTP: ", false},
        Wrong{"a length that is no number", plainly("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"),
              "", "the answer is not HTTP: ", false},
        Wrong{"a negative length", plainly("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"), "",
              "the answer is not HTTP: ", false},
        Wrong{"a chunk's size that is no number", Script::stream().bytes("zz\r\nhello\r\n").hang(),
              "", "the answer is not HTTP: ", false},
        Wrong{"a chunk's size that is too large",
              Script::stream().bytes("fffffffffffffffff\r\nhello\r\n").hang(), "",
              "the answer is not HTTP: ", false},
        Wrong{"a chunk longer than it says", Script::stream().bytes("2\r\nhello\r\n").hang(), "he",
              "the answer is not HTTP: ", false},
        Wrong{"a long answer", Script::answer(200, std::string(101, 'x')), "",
              "the answer is over 100 bytes", false},
        Wrong{"a long stream",
              Script::stream()
                  .chunk(std::string(60, 'x'))
                  .wait(10ms)
                  .chunk(std::string(60, 'x'))
                  .end(),
              std::string(60, 'x'), "the answer is over 100 bytes", false}));

// What is unusual and still right.
struct Odd {
  const char* name;
  Script script;
  int status;
  std::string body;
  int connections;  // for two such requests
};
void PrintTo(const Odd& odd, std::ostream* out) { *out << odd.name; }

class OddAnswerTest : public NetworkTest, public testing::WithParamInterface<Odd> {};

TEST_P(OddAnswerTest, IsAnAnswer) {
  const Odd& odd = GetParam();
  LoopbackServer server({odd.script});
  for (int i = 0; i < 2; ++i) {
    const Outcome outcome = run(server);
    EXPECT_FALSE(outcome.error) << outcome.what();
    EXPECT_EQ(outcome.head.status, odd.status);
    EXPECT_EQ(outcome.body, odd.body);
  }
  EXPECT_EQ(server.connections(), odd.connections);
}

INSTANTIATE_TEST_SUITE_P(
    Answers, OddAnswerTest,
    testing::Values(
        Odd{"HTTP/1.0 without a length", Script::raw().bytes("HTTP/1.0 200 OK\r\n\r\nall").cut(),
            200, "all", 2},
        Odd{"without a length", Script::raw().bytes("HTTP/1.1 200 OK\r\n\r\nall").cut(), 200, "all",
            2},
        Odd{"without a body", Script::raw().bytes("HTTP/1.1 204 No Content\r\n\r\n"), 204, "", 1},
        Odd{"empty", Script::answer(200, ""), 200, "", 1},
        Odd{"an empty stream", Script::stream().end(), 200, "", 1},
        Odd{"longer than it says", Script::raw().bytes(std::string(kLength) + "2\r\n\r\nhello"),
            200, "he", 2},
        Odd{"one that closes", Script::answer(200, "all", {{"Connection", "close"}}).cut(), 200,
            "all", 2},
        Odd{"a chunk with an extension", Script::stream().bytes("3;a=b\r\nall\r\n").end(), 200,
            "all", 1},
        Odd{"no words after the status",
            Script::raw().bytes("HTTP/1.1 200\r\n").bytes("Content-Length: 3\r\n\r\nall"), 200,
            "all", 1},
        Odd{"line ends of one character",
            Script::raw().bytes("HTTP/1.1 200 OK\nContent-Length: 3\n\nall"), 200, "all", 1},
        Odd{"several informational heads",
            Script::raw()
                .bytes("HTTP/1.1 100 Continue\r\n\r\n")
                .bytes("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")
                .bytes("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nall"),
            200, "all", 1}));

TEST_F(NetworkTest, AConnectionThatIsLostBeforeTheRequestIsRead) {
  for (const Script& greeting : {Script::raw().cut(), Script::raw().reset()}) {
    LoopbackServer server({Script::answer(200, "")}, {.greeting = greeting});
    const Outcome outcome = run(server);
    EXPECT_EQ(outcome.code(), Errc::transport_error);
    EXPECT_TRUE(outcome.retryable()) << outcome.what();
  }
}

// Larger than what the sockets hold.
const std::shared_ptr<const std::string> kLargeBody = shared(std::string(24U << 20U, 'b'));

TEST_F(NetworkTest, AConnectionThatIsLostWhileTheRequestIsSent) {
  for (const Script& greeting :
       {Script::raw().read(1'000'000).cut(), Script::raw().read(1'000'000).reset()}) {
    LoopbackServer server({Script::answer(200, "")}, {.greeting = greeting});
    const Outcome outcome = run({.url = server.url(), .body = kLargeBody});
    EXPECT_EQ(outcome.code(), Errc::transport_error);
    EXPECT_TRUE(outcome.retryable());
    EXPECT_EQ(outcome.what(), server.authority() + ": connection lost after the request");
  }
}

TEST_F(NetworkTest, AnAnswerToARequestThatIsNotYetSentIsRead) {
  LoopbackServer server({Script::raw()},
                        {.greeting = Script::raw()
                                         .read(1'000'000)
                                         .bytes("HTTP/1.1 413 Too Large\r\nConnection: close\r\n"
                                                "Content-Length: 4\r\n\r\nbig!")
                                         .hang()});
  const Outcome outcome = run({.url = server.url(), .body = kLargeBody});
  EXPECT_FALSE(outcome.error) << outcome.what();
  EXPECT_EQ(outcome.head.status, 413);
  EXPECT_EQ(outcome.body, "big!");
}

TEST_F(NetworkTest, ARequestThatNobodyTakesHasTheTimeOfTheFirstByte) {
  LoopbackServer server({Script::raw()}, {.greeting = Script::raw().read(1'000'000).hang()});
  const Outcome outcome =
      run({.url = server.url(), .body = kLargeBody, .limits = {.first_byte = 100ms}});
  EXPECT_EQ(outcome.code(), Errc::timeout);
  EXPECT_EQ(outcome.what(), server.authority() + ": no answer within 100 ms");
}

TEST_F(NetworkTest, ARequestThatIsTakenSlowlyIsNotLate) {
  Script slow;
  for (int i = 0; i < 8; ++i) slow.read(3U << 20U).wait(100ms);
  LoopbackServer server({Script::answer(200, "ok")}, {.greeting = slow});
  const Outcome outcome =
      run({.url = server.url(), .body = kLargeBody, .limits = {.first_byte = 500ms}});
  EXPECT_EQ(outcome.body, "ok") << outcome.what();
}

TEST_F(NetworkTest, EveryHangHasItsLimit) {
  for (const Script& script :
       {Script::raw().bytes("HTTP/1.1 200 OK\r\n"), Script::raw().bytes("HTTP/1.1 200 OK\r\nA: b"),
        Script::stream(), Script::stream().bytes("a"), Script::stream().bytes("a\r\nhalf"),
        Script::stream().chunk("half").bytes("0\r\n")}) {
    Script hangs = script;
    LoopbackServer server({hangs.hang()});
    const Outcome outcome = finish(*start(server, {.silence = 50ms}));
    EXPECT_EQ(outcome.code(), Errc::timeout);
    EXPECT_FALSE(outcome.retryable());
    EXPECT_TRUE(outcome.what().starts_with(server.authority() + ": silent for 50 ms after "))
        << outcome.what();
  }
}

Script trickle(std::string_view bytes, Script script = Script::raw()) {
  for (const char byte : bytes) script.bytes(std::string(1, byte)).wait(2ms);
  return script;
}

TEST_F(NetworkTest, AnAnswerMayComeByteByByte) {
  LoopbackServer server({trickle("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nall"),
                         trickle("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                 "3\r\nall\r\n0\r\n\r\n")});
  EXPECT_EQ(run(server).body, "all");
  EXPECT_EQ(run(server).body, "all");
}

TEST_F(NetworkTest, TheFirstByteIsThatOfAWholeLine) {
  Script endless;
  for (int i = 0; i < 2000; ++i) endless.bytes(i == 0 ? "HTTP/1.1 200 " : "x").wait(2ms);
  LoopbackServer server({endless});
  EXPECT_EQ(finish(*start(server, {.first_byte = 100ms})).code(), Errc::timeout);
}

TEST_F(NetworkTest, AHeadThatComesSlowlyIsNotLate) {
  Script slow = Script::raw().bytes("HTTP/1.1 200 OK\r\n");
  for (int i = 0; i < 20; ++i) slow.bytes("A: b\r\n").wait(20ms);
  LoopbackServer server({slow.bytes("Content-Length: 3\r\n\r\nall")});
  const Outcome outcome = finish(*start(server, {.first_byte = 200ms, .silence = 200ms}));
  EXPECT_EQ(outcome.body, "all") << outcome.what();
}

TEST_F(NetworkTest, EndlessInformationalHeadsAreAnError) {
  std::string heads;
  for (int i = 0; i < 10'000; ++i) heads += "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
  LoopbackServer server({Script::raw().bytes(heads).hang()});
  const Outcome outcome = run(server);
  EXPECT_EQ(outcome.code(), Errc::transport_error);
  EXPECT_FALSE(outcome.retryable());
  EXPECT_TRUE(outcome.what().starts_with(server.authority() + ": ")) << outcome.what();
  EXPECT_NE(outcome.what().find("head"), std::string::npos) << outcome.what();
}

TEST_F(NetworkTest, AHugeHeadIsAnError) {
  Script script = Script::raw().bytes("HTTP/1.1 200 OK\r\n");
  for (int i = 0; i < 300; ++i)
    script.bytes("X-" + std::to_string(i) + ": " + std::string(1024, 'x') + "\r\n");
  LoopbackServer server({script.bytes("Content-Length: 0\r\n\r\n")});
  const Outcome outcome = run(server);
  EXPECT_EQ(outcome.code(), Errc::transport_error);
  EXPECT_NE(outcome.what().find("the head of the answer is over 256 KiB"), std::string::npos)
      << outcome.what();
}

TEST_F(NetworkTest, AHugeHeaderIsAnError) {
  LoopbackServer server(
      {Script::raw().bytes("HTTP/1.1 200 OK\r\nX: " + std::string(400'000, 'x'))});
  EXPECT_EQ(run(server).code(), Errc::transport_error);
}

TEST_F(NetworkTest, AStreamThatNobodyReadsIsHeldBackAndNotSilent) {
  std::string body(8U << 20U, ' ');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>('a' + i % 23);
  const Script stream = Script::stream().chunks(body, 4000).end();
  LoopbackServer server([&stream](const ReceivedRequest& request) {
    return request.path == "/ping" ? Script::answer(200, "") : stream;
  });
  const auto exchange = start(server, {.first_byte = 1s, .silence = 1s});
  ASSERT_EQ(next(*exchange), HttpNext::head);
  // The loop goes on reading all this time, and longer than the limit for silence.
  const Instant since = steady_clock::now();
  while (steady_clock::now() < since + 1500ms) run({.url = server.url("/ping")});

  const Instant now = steady_clock::now();
  std::string read;
  std::size_t held = 0;  // what had arrived before anybody read
  while (next(*exchange) == HttpNext::bytes) {
    read += exchange->bytes();
    if (exchange->at() < now) held += exchange->bytes().size();
  }
  EXPECT_LE(held, AnswerQueue::kBound + (16U << 10U));
  EXPECT_TRUE(read == body);
  EXPECT_GT(exchange->times().paused, 1s);
}

TEST_F(NetworkTest, WakesOnceWhenThereIsSomething) {
  LoopbackServer server({Script::raw().hold().bytes(std::string(kLength) + "0\r\n\r\n")});
  const auto exchange = start(server);
  std::promise<std::thread::id> woken;
  ASSERT_TRUE(exchange->when_ready([&woken] { woken.set_value(std::this_thread::get_id()); }));
  server.release();
  EXPECT_NE(woken.get_future().get(), std::this_thread::get_id());
  EXPECT_FALSE(exchange->when_ready([] { FAIL(); }));
  EXPECT_EQ(exchange->try_next(), HttpNext::head);
}

TEST_F(NetworkTest, ACancelWakes) {
  LoopbackServer server({Script::raw().hang()});
  const auto exchange = start(server);
  std::promise<void> woken;
  ASSERT_TRUE(exchange->when_ready([&woken] { woken.set_value(); }));
  exchange->cancel();
  woken.get_future().get();
  EXPECT_FALSE(exchange->when_ready([] { FAIL(); }));
  EXPECT_EQ(finish(*exchange).code(), Errc::cancelled);
}

TEST(NetworkStopTest, FailsWhatIsOpen) {
  LoopbackServer server({Script::stream().chunk("x").hang()});
  std::unique_ptr<HttpExchange> open;
  std::unique_ptr<HttpExchange> waiting;
  {
    Network network;
    open = network.start({.url = server.url()});
    waiting = network.start({.url = server.url(), .delay = 1h});
    ASSERT_TRUE(server.wait_for_requests(1));
    network.stop();
    network.stop();
    try {
      network.start({.url = server.url()});
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::shutdown);
    }
  }
  EXPECT_EQ(finish(*open).code(), Errc::shutdown);
  EXPECT_EQ(finish(*waiting).code(), Errc::shutdown);
  EXPECT_TRUE(server.wait_for_close(0));
  open->cancel();
}

TEST(NetworkDiagnosticTest, HearsOfAWakeThatThrows) {
  std::promise<std::string> heard;
  Network network([&heard](const Notice& notice) { heard.set_value(notice.text); });
  LoopbackServer server({Script::raw().hold().cut()});
  const auto exchange = network.start({.url = server.url()});
  ASSERT_TRUE(exchange->when_ready([] { throw std::runtime_error("broken"); }));
  server.release();
  EXPECT_EQ(heard.get_future().get(), "broken");
}

TEST(NetworkDiagnosticTest, WhatIsThrownAtTheLoopDoesNotEndIt) {
  std::atomic<int> heard = 0;
  Network network([&heard](const Notice& notice) {
    ++heard;
    throw std::runtime_error(notice.text);
  });
  LoopbackServer server({Script::raw().hold().cut(), Script::answer(200, "on it goes")});
  const auto exchange = network.start({.url = server.url()});
  ASSERT_TRUE(exchange->when_ready([] { throw 42; }));
  server.release();
  EXPECT_EQ(finish(*exchange).code(), Errc::transport_error);
  EXPECT_EQ(finish(*network.start({.url = server.url()})).body, "on it goes");
  EXPECT_EQ(heard, 1);
}

TEST_F(NetworkTest, Http2IsNotSpokenInTheClear) {
  LoopbackServer server({Script::answer(200, "plain")});
  EXPECT_EQ(run({.url = server.url(), .http2 = true}).body, "plain");
  EXPECT_EQ(server.requests().at(0).header("upgrade"), "");
}

TEST_F(NetworkTest, RefusesWhatIsNoRequest) {
  for (const char* url : {"localhost:1234", "ftp://h/", "http://"})
    EXPECT_THROW(network_.start({.url = url}), Error) << url;
  const Headers bad = {{"A", "b\r\nC: d"}};
  EXPECT_THROW(network_.start({.url = "http://127.0.0.1", .headers = bad}), Error);
}

// Runs `in_child` in a forked process, which must say true.
template <typename Function>
bool true_in_child(Function in_child) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(in_child() ? 0 : 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

template <typename Function>
bool throws_after_fork(Function function) {
  try {
    function();
  } catch (const Error& error) {
    return error.code() == Errc::after_fork;
  }
  return false;
}

TEST(NetworkForkTest, TheChildTouchesNothingAndTheParentGoesOn) {
  LoopbackServer server({Script::stream().chunk("one").hold().chunk("two").end()});
  auto network = std::make_unique<Network>();
  auto exchange = network->start({.url = server.url()});
  ASSERT_EQ(next(*exchange), HttpNext::head);
  EXPECT_TRUE(true_in_child([&] {
    bool good = throws_after_fork([&] { exchange->try_next(); }) &&
                throws_after_fork([&] { network->start({.url = server.url()}); });
    exchange->wait(Instant::max());
    good = good && !exchange->when_ready([] {});
    exchange->cancel();
    exchange->finish();
    network->stop();
    exchange.reset();
    network.reset();
    return good;
  }));
  server.release();
  EXPECT_EQ(finish(*exchange).body, "onetwo");
}

// The child makes its own, while what it inherited is open and the parent's loop is busy.
TEST(NetworkForkTest, TheChildMayMakeItsOwnWhileTheParentsStreamsGoOn) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the thread sanitizer allows no new threads after a fork";
#endif
  LoopbackServer server([](const ReceivedRequest& request) {
    if (request.path == "/plain") return Script::answer(200, "child");
    Script script = Script::stream();
    for (int i = 0; i < 400; ++i) script.chunk("x").wait(1ms);
    return script.end();
  });
  auto network = std::make_unique<Network>();
  std::vector<std::unique_ptr<HttpExchange>> streams;
  for (int i = 0; i < 8; ++i) streams.push_back(network->start({.url = server.url("/stream")}));
  for (const auto& stream : streams) ASSERT_EQ(next(*stream), HttpNext::head);
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(true_in_child([&] {
      streams.clear();
      network.reset();
      Network own;
      return finish(*own.start({.url = server.url("/plain")})).body == "child";
    }));
  }
  for (const auto& stream : streams) EXPECT_EQ(finish(*stream).body, std::string(400, 'x'));
}

volatile std::sig_atomic_t signals_seen = 0;
pthread_t signal_thread{};

// While it lives, signals are counted, and who ran the handler is kept.
class SignalHandler {
 public:
  explicit SignalHandler(int number) : number_(number) {
    signals_seen = 0;
    struct sigaction action = {};
    action.sa_handler = [](int) {
      signal_thread = ::pthread_self();
      signals_seen = signals_seen + 1;
    };
    ::sigaction(number_, &action, &before_);
  }
  ~SignalHandler() { ::sigaction(number_, &before_, nullptr); }

 private:
  const int number_;
  struct sigaction before_ = {};
};

// A signal to the process, which this thread does not want, goes to whoever takes it.
TEST(NetworkSignalTest, TheLoopsThreadTakesNone) {
  LoopbackServer server({Script::raw().hold().bytes(std::string(kLength) + "0\r\n\r\n")});
  Network network;
  const auto exchange = network.start({.url = server.url()});
  ASSERT_TRUE(server.wait_for_requests(1));
  const SignalHandler handler(SIGUSR1);
  sigset_t usr1;
  sigset_t before;
  ::sigemptyset(&usr1);
  ::sigaddset(&usr1, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &usr1, &before);
  ::kill(::getpid(), SIGUSR1);
  std::promise<sigset_t> blocked;
  ASSERT_TRUE(exchange->when_ready([&blocked] {
    sigset_t mask;
    ::pthread_sigmask(SIG_BLOCK, nullptr, &mask);
    blocked.set_value(mask);
  }));
  server.release();
  const sigset_t mask = blocked.get_future().get();
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGALRM, SIGCHLD, SIGUSR1, SIGPROF})
    EXPECT_EQ(::sigismember(&mask, number), 1) << number;
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT})
    EXPECT_EQ(::sigismember(&mask, fault), 0) << fault;
  EXPECT_EQ(signals_seen, 0);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);  // now it comes, here
  EXPECT_EQ(signals_seen, 1);
  EXPECT_TRUE(::pthread_equal(signal_thread, ::pthread_self()));
}

TEST(NetworkSignalTest, AServerThatIsGoneRaisesNoSigpipe) {
  const SignalHandler handler(SIGPIPE);
  for (int i = 0; i < 5; ++i) {
    LoopbackServer server({Script::raw()}, {.greeting = Script::raw().read(100'000).reset()});
    Network network;
    EXPECT_EQ(finish(*network.start({.url = server.url(), .body = kLargeBody})).code(),
              Errc::transport_error);
  }
  EXPECT_EQ(signals_seen, 0);
}

TEST_F(NetworkTest, WhenTheServerDiesEachStreamFailsOnceAndKeepsItsText) {
  constexpr std::size_t kStreams = 200;
  auto server = std::make_unique<LoopbackServer>(
      std::vector<Script>{Script::stream().chunk("some ").chunk("text").hang()});
  std::vector<std::unique_ptr<HttpExchange>> streams;
  for (std::size_t i = 0; i < kStreams; ++i) streams.push_back(start(*server));
  std::vector<std::string> texts(kStreams);
  for (std::size_t i = 0; i < kStreams; ++i) {
    ASSERT_EQ(next(*streams[i]), HttpNext::head);
    while (texts[i] != "some text" && next(*streams[i]) == HttpNext::bytes)
      texts[i] += streams[i]->bytes();
  }
  std::atomic<int> wakes = 0;
  for (const auto& stream : streams)
    ASSERT_TRUE(stream->when_ready([&wakes] {
      ++wakes;
      wakes.notify_one();
    }));
  server.reset();
  for (int seen = 0; (seen = wakes) < static_cast<int>(kStreams);) wakes.wait(seen);
  for (const auto& stream : streams) {
    const Outcome outcome = finish(*stream);
    EXPECT_EQ(outcome.body, "");
    EXPECT_EQ(outcome.code(), Errc::transport_error);
    EXPECT_TRUE(outcome.what().ends_with("connection lost after 9 bytes of the answer"))
        << outcome.what();
  }
  EXPECT_EQ(wakes, static_cast<int>(kStreams));
}

TEST(NetworkStopTest, InTheMiddleOfManyStreamsEndsThemAll) {
  Script script = Script::stream();
  for (int i = 0; i < 10'000; ++i) script.chunk("piece ").wait(1ms);
  LoopbackServer server({script});
  Network network;
  std::vector<std::unique_ptr<HttpExchange>> streams;
  for (int i = 0; i < 200; ++i) streams.push_back(network.start({.url = server.url()}));
  std::vector<std::future<Outcome>> readers;
  for (std::size_t i = 0; i < 4; ++i)
    readers.push_back(std::async(std::launch::async, [&, i] { return finish(*streams[i]); }));
  ASSERT_EQ(next(*streams[100]), HttpNext::head);
  std::jthread canceller([&] {
    for (std::size_t i = 4; i < 100; ++i) streams[i]->cancel();
  });
  network.stop();
  canceller.join();
  for (auto& reader : readers) EXPECT_EQ(reader.get().code(), Errc::shutdown);
  for (std::size_t i = 4; i < streams.size(); ++i) {
    const Errc code = finish(*streams[i]).code();
    EXPECT_TRUE(code == Errc::shutdown || (i < 100 && code == Errc::cancelled)) << to_string(code);
  }
}

// Several that nobody reads, beside one that is read: each holds no more than its bound.
TEST_F(NetworkTest, ReadersThatSleepHoldUpNobodyElse) {
  const std::string much(2U << 20U, 'm');
  const Script stream = Script::stream().chunks(much, 4000).end();
  LoopbackServer server([&](const ReceivedRequest& request) {
    return request.path == "/ping" ? Script::answer(200, "pong") : stream;
  });
  std::vector<std::unique_ptr<HttpExchange>> sleepers;
  for (int i = 0; i < 20; ++i) sleepers.push_back(start(server));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(finish(*start(server)).body, much);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(run({.url = server.url("/ping")}).body, "pong");
  const Instant now = steady_clock::now();
  for (const auto& sleeper : sleepers) {
    const Outcome outcome = finish(*sleeper);
    EXPECT_TRUE(outcome.body == much);
    EXPECT_GT(outcome.stamps.back(), now);
    EXPECT_GT(sleeper->times().paused, 0ns);
  }
}

TEST_F(NetworkTest, ManyStreamsAtOnce) {
  LoopbackServer server([](const ReceivedRequest&) {
    Script script = Script::stream();
    for (int i = 0; i < 20; ++i) script.chunk("piece ").wait(1ms);
    return script.end();
  });
  std::vector<std::unique_ptr<HttpExchange>> exchanges;
  for (int i = 0; i < 500; ++i) exchanges.push_back(start(server));
  for (const auto& exchange : exchanges) EXPECT_EQ(finish(*exchange).body.size(), 120U);
}

TEST_F(NetworkTest, ThreadsMayStartReadAndCancelAtRandom) {
  LoopbackServer server([](const ReceivedRequest&) {
    return Script::stream().chunk("a").wait(1ms).chunk("b").wait(1ms).chunk("c").end();
  });
  std::atomic<int> whole = 0;
  const auto work = [&](unsigned seed) {
    std::minstd_rand random(seed);
    for (int i = 0; i < 40; ++i) {
      const auto exchange = start(server);
      std::jthread canceller;
      if (random() % 3 == 0) canceller = std::jthread([&exchange] { exchange->cancel(); });
      if (random() % 4 == 0) continue;
      if (random() % 4 == 0) static_cast<void>(exchange->when_ready([] {}));
      const Outcome outcome = finish(*exchange);
      if (!outcome.error && outcome.body == "abc") ++whole;
      EXPECT_TRUE(outcome.body == "abc" || outcome.code() == Errc::cancelled) << outcome.what();
    }
  };
  {
    std::vector<std::jthread> threads;
    for (unsigned seed = 1; seed <= 6; ++seed) threads.emplace_back(work, seed);
  }
  EXPECT_GT(whole, 0);
}

}  // namespace
}  // namespace mellea
