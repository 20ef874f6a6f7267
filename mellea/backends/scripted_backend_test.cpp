#include "mellea/backends/scripted_backend.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

namespace mellea {
namespace {

using namespace std::chrono_literals;

constexpr Instant kForever = Instant::max();

// What a stream gave, and how it ended: "end", or the word for its error.
struct Read {
  Reply reply{};
  std::string outcome{};
  int chunks = 0;
};

Read read(ReplyStream& stream) {
  Read all;
  Chunk chunk;
  try {
    for (;;) {
      const Next next = stream.try_next(chunk);
      if (next == Next::end) break;
      if (next == Next::pending) {
        stream.wait(kForever);
      } else {
        ++all.chunks;
        add(all.reply, chunk);
      }
    }
    all.outcome = "end";
  } catch (const Error& error) {
    all.outcome = to_string(error.code());
  }
  return all;
}

Read ask(ScriptedBackend& backend, Request request = {}) {
  return read(*backend.start(std::move(request), {}));
}

TEST(ScriptedBackend, SaysItsLinesInOrder) {
  ScriptedBackend backend;
  backend.add(scripted::say("one"));
  backend.add(scripted::say({"t", "wo"}));
  EXPECT_EQ(ask(backend).reply.text, "one");
  const Read second = ask(backend);
  EXPECT_EQ(second.reply.text, "two");
  EXPECT_EQ(second.reply.finish_reasons, std::vector<std::string>{"stop"});
  EXPECT_EQ(second.chunks, 3);
  EXPECT_EQ(second.outcome, "end");
}

TEST(ScriptedBackend, WithoutDelaysEverythingIsReadyAtOnce) {
  ScriptedBackend backend;
  backend.add(scripted::say("now"));
  const auto stream = backend.start({}, {});
  Chunk chunk;
  EXPECT_FALSE(stream->when_ready([] { FAIL() << "was kept"; }));
  EXPECT_EQ(stream->try_next(chunk), Next::chunk);
  EXPECT_EQ(stream->try_next(chunk), Next::chunk);
  EXPECT_EQ(stream->try_next(chunk), Next::end);
  EXPECT_EQ(stream->try_next(chunk), Next::end);
  EXPECT_GE(stream->times().ended, stream->times().sent);
}

TEST(ScriptedBackend, KeepsTheRequestsItGot) {
  ScriptedBackend backend({.echo = true});
  ask(backend, {.model = "a"});
  ask(backend, {.model = "b"});
  ASSERT_EQ(backend.requests().size(), 2U);
  EXPECT_EQ(backend.requests()[1].model, "b");
}

TEST(ScriptedBackend, WithoutALineTheRequestIsRefused) {
  ScriptedBackend backend;
  try {
    ask(backend);
    backend.start({}, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::invalid_request);
    EXPECT_STREQ(error.what(), "scripted: no line left for request 1: add one, or let it echo");
  }
}

TEST(ScriptedBackend, EchoesTheLastUserMessageWordByWord) {
  ScriptedBackend backend({.echo = true});
  const Read echoed =
      ask(backend, {.model = "m",
                    .messages = {{.role = Message::Role::system, .text = "Be kind."},
                                 {.text = "say  it again "},
                                 {.role = Message::Role::assistant, .text = "what?"}},
                    .stream = true});
  EXPECT_EQ(echoed.reply.text, "say  it again ");
  EXPECT_GT(echoed.chunks, 5);
  EXPECT_EQ(echoed.reply.response.model, "m");
  ASSERT_TRUE(echoed.reply.usage);
  EXPECT_EQ(echoed.reply.usage->output_tokens, 4);
}

TEST(ScriptedBackend, AFunctionAnswersFromTheRequest) {
  ScriptedBackend backend(
      [](const Request& request) { return scripted::say("you said " + request.model); });
  EXPECT_EQ(ask(backend, {.model = "x"}).reply.text, "you said x");
}

TEST(ScriptedBackend, AnErrorComesAfterWhatCameBeforeItAndStays) {
  ScriptedBackend backend;
  backend.add(scripted::Line().text("half").fail(Error(Errc::server_error, "scripted: broke")));
  const auto stream = backend.start({}, {});
  EXPECT_EQ(read(*stream).reply.text, "half");
  EXPECT_EQ(read(*stream).outcome, "server_error");
}

TEST(ScriptedBackend, ACutNamesHowManyChunksThereWere) {
  ScriptedBackend backend;
  backend.add(scripted::Line().text("a").text("b").cut());
  const auto stream = backend.start({}, {});
  Chunk chunk;
  stream->try_next(chunk);
  stream->try_next(chunk);
  try {
    stream->try_next(chunk);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::transport_error);
    EXPECT_STREQ(error.what(),
                 "scripted: stream ended without its end mark after 2 chunks: "
                 "the text above is incomplete");
  }
}

TEST(ScriptedBackend, ALineCanRefuseTheRequest) {
  ScriptedBackend backend;
  backend.add(scripted::Line().refuse(Error(Errc::auth, "scripted: no")));
  EXPECT_THROW(backend.start({}, {}), Error);
}

TEST(ScriptedBackend, ToolCallsUsageAndThinkingCanBeScripted) {
  ScriptedBackend backend;
  backend.add(scripted::Line()
                  .thinking("hm")
                  .tool_call({.id = "1", .name = "look", .arguments = "{}"})
                  .usage({.input_tokens = 3})
                  .finish("tool_calls"));
  const Reply reply = ask(backend).reply;
  EXPECT_EQ(reply.thinking, "hm");
  ASSERT_EQ(reply.tool_calls.size(), 1U);
  EXPECT_EQ(reply.tool_calls[0].name, "look");
  EXPECT_EQ(reply.usage->input_tokens, 3);
}

TEST(ScriptedBackend, DelayedChunksAreAwaited) {
  ScriptedBackend backend;
  backend.add(scripted::Line().delay(2ms).text("a").delay(2ms).text("b"));
  const auto stream = backend.start({}, {});
  const Read all = read(*stream);
  EXPECT_EQ(all.reply.text, "ab");
  EXPECT_EQ(stream->times().ended - stream->times().sent, 4ms);
}

TEST(ScriptedBackend, WakesOnceFromItsOwnThread) {
  ScriptedBackend backend;
  backend.add(scripted::Line().delay(1ms).text("a"));
  const auto stream = backend.start({}, {});
  std::promise<std::thread::id> woken;
  ASSERT_TRUE(stream->when_ready([&] { woken.set_value(std::this_thread::get_id()); }));
  EXPECT_NE(woken.get_future().get(), std::this_thread::get_id());
  Chunk chunk;
  EXPECT_EQ(stream->try_next(chunk), Next::chunk);
}

TEST(ScriptedBackend, ACancelWakesAndWhatHadArrivedIsStillRead) {
  ScriptedBackend backend;
  backend.add(scripted::Line().text("a").hang());
  const auto stream = backend.start({}, {});
  Chunk chunk;
  ASSERT_EQ(stream->try_next(chunk), Next::chunk);
  std::promise<void> woken;
  ASSERT_TRUE(stream->when_ready([&] { woken.set_value(); }));
  stream->cancel();
  stream->cancel();
  woken.get_future().wait();
  EXPECT_EQ(read(*stream).outcome, "cancelled");
  EXPECT_EQ(read(*stream).outcome, "cancelled");
}

TEST(ScriptedBackend, WhatHadArrivedBeforeACancelIsGivenOut) {
  ScriptedBackend backend;
  backend.add(scripted::Line().text("a").hang());
  const auto stream = backend.start({}, {});
  stream->cancel();
  const Read all = read(*stream);
  EXPECT_EQ(all.reply.text, "a");
  EXPECT_EQ(all.outcome, "cancelled");
}

TEST(ScriptedBackend, AStopRequestOnAnotherThreadEndsAWait) {
  ScriptedBackend backend;
  backend.add(scripted::Line().hang());
  std::stop_source source;
  const auto stream = backend.start({}, source.get_token());
  std::jthread stopper([&] { source.request_stop(); });
  EXPECT_EQ(read(*stream).outcome, "cancelled");
}

TEST(ScriptedBackend, NothingIsSentAfterAStopRequest) {
  ScriptedBackend backend;
  backend.add(scripted::say("a"));
  std::stop_source source;
  source.request_stop();
  const Read all = read(*backend.start({}, source.get_token()));
  EXPECT_EQ(all.outcome, "cancelled");
  EXPECT_EQ(all.chunks, 0);
}

TEST(ScriptedBackend, LimitsEndAnAnswer) {
  ScriptedBackend backend(
      [](const Request&) { return scripted::Line().text("a").delay(1h).text("b"); });
  EXPECT_EQ(ask(backend, {.limits = {.whole = 2ms}}).outcome, "timeout");
  EXPECT_EQ(ask(backend, {.limits = {.silence = 2ms}}).outcome, "timeout");
  EXPECT_EQ(ask(backend, {.limits = {.silence = 2ms}}).reply.text, "a");
  backend.add(scripted::Line().hang());
  EXPECT_EQ(ask(backend, {.limits = {.first_byte = 1ms}}).outcome, "timeout");
}

TEST(ScriptedBackend, StreamsMayOutliveIt) {
  std::unique_ptr<ReplyStream> stream;
  {
    ScriptedBackend backend;
    backend.add(scripted::Line().delay(1ms).text("late"));
    stream = backend.start({}, {});
  }
  std::promise<void> woken;
  if (stream->when_ready([&] { woken.set_value(); })) woken.get_future().wait();
  EXPECT_EQ(read(*stream).reply.text, "late");
}

TEST(ScriptedBackend, TheLastStreamMayGoOnTheThreadThatWakesIt) {
  std::promise<void> gone;
  struct Holder {
    std::unique_ptr<ReplyStream> stream;
    std::promise<void>* gone;
    ~Holder() {
      stream.reset();
      gone->set_value();
    }
  };
  auto holder = std::make_shared<Holder>();
  holder->gone = &gone;
  {
    ScriptedBackend backend;
    backend.add(scripted::Line().delay(20ms).text("late"));
    holder->stream = backend.start({}, {});
  }
  ReplyStream& stream = *holder->stream;
  ASSERT_TRUE(stream.when_ready([kept = std::move(holder)] {}));
  gone.get_future().wait();
}

TEST(ScriptedBackend, ManyThreadsMayAskAtOnce) {
  ScriptedBackend backend({.echo = true});
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> askers;
    for (int i = 0; i < 8; ++i)
      askers.emplace_back([&backend, &right, i] {
        const std::string word = "word" + std::to_string(i);
        for (int n = 0; n < 50; ++n)
          if (ask(backend, {.messages = {{.text = word}}}).reply.text == word) ++right;
      });
  }
  EXPECT_EQ(right, 400);
}

TEST(MakeBackend, ScriptedEchoes) {
  const auto backend = make_backend({.backend = "scripted"}, nullptr);
  EXPECT_EQ(backend->provider(), "scripted");
  EXPECT_TRUE(backend->endpoint().local);
  const auto stream = backend->start({.messages = {{.text = "hello"}}}, {});
  EXPECT_EQ(read(*stream).reply.text, "hello");
}

}  // namespace
}  // namespace mellea
