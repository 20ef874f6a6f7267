// What servers do to streams, and what a program gets: the sixteen cases in which C++ clients were
// measured and found wrong. Each goes through the whole library, over real HTTP.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "clock_for_test.h"
#include "mellea/hooks/testing/recorder.h"
#include "mellea/mellea.h"
#include "mellea/net/testing/loopback_server.h"

namespace mellea {
namespace {

using namespace std::chrono_literals;

std::string event_json(std::string_view text, std::string_view finish = "null") {
  return R"({"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":")" +
         std::string(text) + R"("},"finish_reason":)" + std::string(finish) + "}]}";
}
std::string event(std::string_view text) { return "data: " + event_json(text) + "\n\n"; }

const std::string kStop = "data: " + event_json("", R"("stop")") + "\n\n";
const std::string kDone = "data: [DONE]\n\n";
const std::string kEnd = kStop + kDone;

const std::string kWhole =
    R"({"id":"c1","choices":[{"message":{"content":"Paris"},"finish_reason":"stop"}]})";
// A plain answer that a server gives when asked too often.
Script limited() {
  return Script::answer(429, R"({"error":{"message":"slow down"}})", {{"retry-after-ms", "1"}});
}
Script stream_of(const std::string& body) { return Script::stream().chunk(body).end(); }

// What the program got: the text as it came, and what it was told in the end.
struct Got {
  std::string text{};
  std::optional<Error> error{};
};

class StreamConformance : public ::testing::Test {
 protected:
  Session connect_to(std::vector<Script> scripts) {
    server_.emplace(std::move(scripts));
    return runtime_.start_session(
        {.backend = "openai", .model = "m", .base_url = server_->url("/v1")}, {.span = false});
  }

  static Got read(Output output) {
    Got got;
    try {
      while (const std::optional<Chunk> chunk = output.next())
        if (const auto* text = std::get_if<std::string>(&chunk->what)) got.text += *text;
    } catch (const Error& error) {
      got.error = error;
    }
    return got;
  }

  // As one program sees one stream.
  Got ask(Script script, CallOptions options = {.stream = true}) {
    return read(connect_to({std::move(script)}).start_chat("Hi", std::move(options)));
  }

  void TearDown() override {
    EXPECT_TRUE(runtime_.drain(std::chrono::steady_clock::now() + 10s));
    EXPECT_EQ(recorder_->problems(), std::vector<std::string>{});
  }

  const std::shared_ptr<testing::Recorder> recorder_ = std::make_shared<testing::Recorder>();
  std::optional<LoopbackServer> server_;
  Runtime runtime_{{.plugins = {recorder_}}};
};

TEST_F(StreamConformance, TwoEventsInOneChunkAreTwo) {
  const Got got = ask(stream_of(event("A") + event("B") + kEnd));
  EXPECT_FALSE(got.error);
  EXPECT_EQ(got.text, "AB");
}

TEST_F(StreamConformance, NoSpaceIsNeededAfterTheColon) {
  const Got got = ask(stream_of("data:" + event_json("A") + "\n\n" + kEnd));
  EXPECT_FALSE(got.error);
  EXPECT_EQ(got.text, "A");
}

TEST_F(StreamConformance, CommentsArePassedOver) {
  const Got got = ask(stream_of(": keep-alive\n\n" + event("A") + ": keep-alive\n\n: OPENROUTER\n" +
                                event("B") + kEnd));
  EXPECT_FALSE(got.error);
  EXPECT_EQ(got.text, "AB");
}

TEST_F(StreamConformance, LinesMayEndInCarriageReturns) {
  const Got got = ask(stream_of("data: " + event_json("A") + "\r\n\r\ndata: " + event_json("B") +
                                "\r\rdata: [DONE]\r\n\r\n"));
  EXPECT_FALSE(got.error);
  EXPECT_EQ(got.text, "AB");
}

TEST_F(StreamConformance, TheTextMayHaveWhatLooksLikeAField) {
  const Got got = ask(stream_of(event("A data: x") + event(R"(\n\ndata: [DONE]\n\n)") + kEnd));
  EXPECT_FALSE(got.error);
  EXPECT_EQ(got.text, "A data: x\n\ndata: [DONE]\n\n");
}

TEST_F(StreamConformance, OtherFieldsArePassedOver) {
  const Got got =
      ask(stream_of("event: message\nid: 7\nretry: 10\n" + event("A") + "id: 8\n\n" + kEnd));
  EXPECT_FALSE(got.error);
  EXPECT_EQ(got.text, "A");
}

TEST_F(StreamConformance, ACharacterMayComeByteByByte) {
  const Got got =
      ask(Script::stream().chunks(event("n\xC3\xA4m \xF0\x9F\x8C\x8A") + kEnd, 1).end());
  EXPECT_FALSE(got.error);
  EXPECT_EQ(got.text, "n\xC3\xA4m \xF0\x9F\x8C\x8A");
}

TEST_F(StreamConformance, AnEventMayHaveItsDataOnTwoLines) {
  std::string json = event_json("A");
  const auto after_comma = json.find(',') + 1;
  const Got got = ask(stream_of("data: " + json.substr(0, after_comma) +
                                "\ndata: " + json.substr(after_comma) + "\n\n" + kEnd));
  EXPECT_FALSE(got.error);
  EXPECT_EQ(got.text, "A");
}

TEST_F(StreamConformance, AnErrorInTheStreamShowsTheServersMessageAfterTheText) {
  const Got got =
      ask(stream_of(event("A") + R"(data: {"error":{"message":"the engine fell over","code":500}})"
                                 "\n\n"));
  EXPECT_EQ(got.text, "A");
  ASSERT_TRUE(got.error);
  EXPECT_EQ(got.error->code(), Errc::server_error);
  EXPECT_NE(std::string(got.error->what()).find("the engine fell over"), std::string::npos);
  EXPECT_EQ(got.error->partial_text(), "A");
}

TEST_F(StreamConformance, ALostConnectionRepeatsNoText) {
  const Got got = ask(Script::stream().chunk(event("A")).cut());
  EXPECT_EQ(got.text, "A");
  ASSERT_TRUE(got.error);
  EXPECT_EQ(got.error->code(), Errc::transport_error);
  EXPECT_EQ(got.error->partial_text(), "A");
  EXPECT_EQ(server_->requests().size(), 1U);
}

TEST_F(StreamConformance, AStreamWithoutItsEndIsAnErrorThatKeepsTheText) {
  const Got got = ask(stream_of(event("A")));
  EXPECT_EQ(got.text, "A");
  ASSERT_TRUE(got.error);
  EXPECT_EQ(got.error->code(), Errc::transport_error);
  EXPECT_EQ(got.error->partial_text(), "A");
}

TEST_F(StreamConformance, ARefusedStreamShowsTheServersMessage) {
  const Got got = ask(
      Script::answer(500, R"({"error":{"message":"no GPU today"}})", {{"retry-after-ms", "1"}}));
  ASSERT_TRUE(got.error);
  EXPECT_EQ(got.error->code(), Errc::server_error);
  EXPECT_EQ(got.error->details().status, 500);
  EXPECT_NE(std::string(got.error->what()).find("no GPU today"), std::string::npos);
}

TEST_F(StreamConformance, APlainCallIsSentAgainWhenTheServerSaysSo) {
  Session session = connect_to({limited(), Script::answer(200, kWhole)});
  EXPECT_EQ(session.chat("Hi").text(), "Paris");
  EXPECT_EQ(recorder_->count("generation_retry"), 1U);
}

TEST_F(StreamConformance, AStreamIsSentAgainWhenTheServerSaysSo) {
  Session session = connect_to({limited(), stream_of(event("A") + kEnd)});
  const Got got = read(session.start_chat("Hi", {.stream = true}));
  EXPECT_FALSE(got.error);
  EXPECT_EQ(got.text, "A");
  EXPECT_EQ(recorder_->count("generation_retry"), 1U);
}

// A server that is silent for 33 s in the middle of its answer. The second call makes the network's
// thread look at the time.
class SilentStream : public StreamConformance {
 protected:
  Got ask_and_wait(Limits limits) {
    Session session =
        connect_to({Script::stream().chunk(event("A")).hold().chunk(event("B") + kEnd).end(),
                    Script::answer(200, kWhole)});
    Output output = session.start_chat("Hi", {.stream = true, .limits = limits});
    while (output.partial_text().empty()) output.next();
    put_clock_forward(33s);
    EXPECT_EQ(session.chat("Hi").text(), "Paris");
    server_->release();
    return read(std::move(output));
  }
};

TEST_F(SilentStream, IsNoTimeout) {
  const Got got = ask_and_wait({});
  EXPECT_FALSE(got.error);
  EXPECT_EQ(got.text, "B");
}

TEST_F(SilentStream, IsATimeoutForThoseWhoAskForOne) {
  const Got got = ask_and_wait({.silence = 30s});
  ASSERT_TRUE(got.error);
  EXPECT_EQ(got.error->code(), Errc::timeout);
  EXPECT_NE(std::string(got.error->what()).find("silent for 30 s"), std::string::npos);
  EXPECT_EQ(got.error->partial_text(), "A");
}

// The server would say no more: whoever waited for it would wait for ever.
TEST_F(StreamConformance, LeavingEarlyWaitsForNothingAndClosesTheConnection) {
  Session session = connect_to({Script::stream().chunk(event("A")).hang()});
  {
    Output output = session.start_chat("Hi", {.stream = true});
    while (output.partial_text().empty()) output.next();
  }
  EXPECT_TRUE(server_->wait_for_close(0));
}

// Nor is anything more of an answer paid for that has failed a check.
TEST_F(StreamConformance, AChunkThatFailsItsCheckClosesTheConnection) {
  const Session session = connect_to({Script::stream().chunk(event("Fine. Bad. ")).hang()});
  Stream stream =
      session.stream("Hi", {.chunking = Chunking::sentence(), .checks = {{not_contains("Bad")}}});
  EXPECT_EQ(stream.next(), "Fine.");
  EXPECT_EQ(stream.next(), std::nullopt);
  EXPECT_FALSE(stream.ok());
  EXPECT_TRUE(server_->wait_for_close(0));
  EXPECT_EQ(server_->requests().size(), 1U);
}

TEST_F(StreamConformance, AnAnswerThatIsAskedForAgainIsAskedForOnANewConnection) {
  const Session session =
      connect_to({Script::stream().chunk(event("Bad. ")).hang(), stream_of(event("Good.") + kEnd)});
  Stream stream = session.stream(
      "Hi", {.chunking = Chunking::sentence(), .checks = {{not_contains("Bad")}}, .retries = 1});
  EXPECT_EQ(stream.next(), "Good.");
  EXPECT_EQ(stream.attempt(), 2);
  EXPECT_EQ(stream.next(), std::nullopt);
  EXPECT_TRUE(stream.ok());
  EXPECT_TRUE(server_->wait_for_close(0));
}

}  // namespace
}  // namespace mellea
