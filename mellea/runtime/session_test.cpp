#include "mellea/runtime/session.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "mellea/runtime/session_for_test.h"

namespace mellea {
namespace {

using namespace std::chrono_literals;
using scripted::Line;
using scripted::say;

TEST_F(SessionTest, ACallTellsEachMomentOnceAndInOrder) {
  script(say("Paris."));
  {
    Session session = start();
    EXPECT_EQ(session.chat("The capital of France?").text(), "Paris.");
    session.end();
  }
  EXPECT_EQ(heard(), (Names{"call_begin", "session_pre_init", "session_post_init", "call_begin",
                            "component_pre_execute", "generation_pre_call", "generation_event",
                            "generation_event", "generation_post_call", "component_post_success",
                            "session_cleanup"}));
}

TEST_F(SessionTest, AResultHasTheReplyTheUsageAndTheTimes) {
  script(Line().text("a").text("b").usage({.input_tokens = 3, .output_tokens = 2}).finish("stop"));
  const Result result = start().instruct("say ab");
  EXPECT_EQ(result.text(), "ab");
  EXPECT_EQ(result.usage()->output_tokens, 2);
  EXPECT_EQ(result.reply().finish_reasons, (Names{"stop"}));
  EXPECT_NE(result.times().first_content, Instant{});
  EXPECT_LE(result.times().started, result.times().first_content);
  EXPECT_LE(result.times().first_content, result.times().ended);
  EXPECT_EQ(result.scope().kind(), Kind::generation);
}

TEST_F(SessionTest, TimesAreThoseOfArrivalHoweverLateItIsRead) {
  script(Line().text("a").text("b").finish("stop"));
  const Output output = start().start_chat("say ab", {.stream = true});
  const Instant all_was_there = Instant::clock::now();
  const Times times = output.wait().times();
  EXPECT_LE(times.first_chunk, all_was_there);
  EXPECT_LE(times.first_content, all_was_there);
  EXPECT_LE(times.ended, all_was_there);
}

TEST_F(SessionTest, AnErrorReachesTheCallerWithTheTextThatHadArrived) {
  script(Line().text("half").fail(Error(Errc::server_error, "scripted: 500")));
  const Error error = error_of([&] { start().chat("hi"); });
  EXPECT_EQ(error.code(), Errc::server_error);
  EXPECT_EQ(error.partial_text(), "half");
}

TEST_F(SessionTest, AnErrorIsThrownAgainAtEachRead) {
  script(Line().text("half").fail(Error(Errc::server_error, "scripted: 500")));
  Output output = start().start_chat("hi");
  EXPECT_TRUE(output.next());
  for (int time = 0; time < 3; ++time)
    EXPECT_EQ(error_of([&] { output.next(); }).code(), Errc::server_error);
  EXPECT_EQ(error_of([&] { output.wait(); }).code(), Errc::server_error);
  EXPECT_EQ(recorder_->count("generation_error"), 1U);
}

TEST_F(SessionTest, ARequestThatCannotBeSentEndsItsOperations) {
  script(Line().refuse(Error(Errc::invalid_request, "scripted: no")));
  EXPECT_EQ(error_of([&] { start().chat("hi"); }).code(), Errc::invalid_request);
  drain();
  EXPECT_EQ(recorder_->count("generation_error"), 1U);
  EXPECT_EQ(recorder_->count("component_post_error"), 1U);
}

TEST_F(SessionTest, WhatABackendThrowsThatIsNoErrorBecomesOne) {
  backend_ = std::make_shared<ScriptedBackend>(
      [](const Request&) -> Line { throw std::runtime_error("boom"); });
  const Error error = error_of([&] { start().chat("hi"); });
  EXPECT_EQ(error.code(), Errc::unknown);
  EXPECT_STREQ(error.what(), "scripted: boom");
}

TEST_F(SessionTest, ABlockAtTheActionSendsNothing) {
  make_runtime({stops<ComponentPreExecute>()});
  const Error error = error_of([&] { start().chat("hi"); });
  EXPECT_EQ(error.code(), Errc::blocked);
  EXPECT_STREQ(error.what(), "plugin lambda: not today");
  EXPECT_EQ(error.details().plugin, "lambda");
  EXPECT_EQ(error.details().block_code, "closed");
  EXPECT_TRUE(backend_->requests().empty());
  EXPECT_EQ(recorder_->count("generation_pre_call"), 0U);
  EXPECT_EQ(recorder_->count("component_post_error"), 1U);
}

TEST_F(SessionTest, ABlockAtTheGenerationSendsNothing) {
  make_runtime({stops<GenerationPreCall>()});
  EXPECT_EQ(error_of([&] { start().chat("hi"); }).code(), Errc::blocked);
  EXPECT_TRUE(backend_->requests().empty());
  EXPECT_EQ(recorder_->count("generation_error"), 1U);
}

TEST_F(SessionTest, ABlockAfterTheReplyFailsTheOutputForGood) {
  make_runtime({stops<GenerationPostCall>()});
  script(say("secret"));
  Output output = start().start_chat("hi");
  EXPECT_EQ(std::get<std::string>(output.next()->what), "secret");  // not recalled
  EXPECT_EQ(error_of([&] {
              while (output.next()) {
              }
            }).code(),
            Errc::blocked);
  EXPECT_EQ(error_of([&] { output.wait(); }).code(), Errc::blocked);
  EXPECT_EQ(recorder_->count("generation_post_call"), 0U);
  EXPECT_EQ(recorder_->count("generation_error"), 1U);
  EXPECT_EQ(recorder_->count("component_post_error"), 1U);
}

TEST_F(SessionTest, ABlockedSessionDoesNotStart) {
  make_runtime({stops<SessionPreInit>()});
  EXPECT_EQ(error_of([&] { start(); }).code(), Errc::blocked);
  EXPECT_EQ(recorder_->count("session_cleanup"), 1U);
  EXPECT_EQ(recorder_->count("session_post_init"), 0U);
}

TEST_F(SessionTest, APluginMayChangeTheModelTheOptionsAndTheRequest) {
  make_runtime({plugin([](Subscriber& hooks) {
    hooks.transform<SessionPreInit>([](SessionPreInit& event) { event.model = "other"; });
    hooks.transform<ComponentPreExecute>(
        [](ComponentPreExecute& event) { event.options.edit().temperature = 0.5; });
    hooks.transform<GenerationPreCall>([](GenerationPreCall& event) {
      event.request.edit().messages.back().text += "!";
      event.headers.emplace_back("x-seen", "yes");
    });
  })});
  script(say("ok"));
  start().chat("hi");
  const Request sent = backend_->requests().at(0);
  EXPECT_EQ(sent.model, "other");
  EXPECT_EQ(*sent.options.temperature, 0.5);
  EXPECT_EQ(sent.messages.back().text, "hi!");
  EXPECT_EQ(sent.headers, (Headers{{"x-seen", "yes"}}));
}

TEST_F(SessionTest, ADroppedOutputIsCancelledByItsConsumer) {
  script(Line().text("a").hang());
  {
    Output output = start().start_chat("hi");
    EXPECT_TRUE(output.next());
  }
  drain();
  EXPECT_EQ(outcomes("generation"), (Names{"cancelled consumer"}));
  EXPECT_EQ(outcomes("action"), (Names{"cancelled consumer"}));
}

TEST_F(SessionTest, CopiesOfAnOutputAreTheSameCall) {
  script(Line().text("a").delay(1ms).text("b"));
  Output first = start().start_chat("hi");
  auto second = std::make_unique<Output>(first);
  EXPECT_TRUE(second->next());
  second.reset();
  EXPECT_EQ(first.wait().text(), "ab");
}

TEST_F(SessionTest, AStopTokenCancelsForTheCaller) {
  script(Line().text("a").hang());
  std::stop_source stop;
  Output output = start().start_chat("hi", {.stop = stop.get_token()});
  EXPECT_TRUE(output.next());
  stop.request_stop();
  const Error error = error_of([&] { output.wait(); });
  EXPECT_EQ(error.code(), Errc::cancelled);
  EXPECT_EQ(error.partial_text(), "a");
  EXPECT_EQ(outcomes("generation"), (Names{"cancelled caller"}));
}

TEST_F(SessionTest, AStopRequestedBeforeTheCallCancelsIt) {
  script(Line().hang());
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(error_of([&] { start().chat("hi", {.stop = stop.get_token()}); }).code(),
            Errc::cancelled);
  drain();
  EXPECT_EQ(outcomes("action"), (Names{"cancelled caller"}));
}

TEST_F(SessionTest, TheFirstReasonToCancelStays) {
  script(Line().hang());
  Output output = start().start_chat("hi");
  output.cancel(CancelReason::superseded);
  output.cancel(CancelReason::consumer);
  EXPECT_EQ(error_of([&] { output.wait(); }).code(), Errc::cancelled);
  EXPECT_EQ(outcomes("generation"), (Names{"cancelled superseded"}));
}

TEST_F(SessionTest, ACancelThatComesAfterTheWholeReplyChangesNothing) {
  script(say("all"));
  Output output = start().start_chat("hi");
  EXPECT_EQ(output.wait().text(), "all");
  output.cancel();
  EXPECT_EQ(output.wait().text(), "all");
}

TEST_F(SessionTest, ADeadlineIsATimeout) {
  script(Line().text("a").hang());
  const Error error = error_of([&] { start().chat("hi", {.until = in(20ms)}); });
  EXPECT_EQ(error.code(), Errc::timeout);
  EXPECT_EQ(error.partial_text(), "a");
  EXPECT_EQ(outcomes("generation"), (Names{"error timeout"}));
}

TEST_F(SessionTest, WaitingWithAnEndLeavesTheCallRunning) {
  script(Line().text("a").hang());
  Output output = start().start_chat("hi");
  EXPECT_EQ(error_of([&] { output.wait(in(5ms)); }).code(), Errc::timeout);
  EXPECT_FALSE(output.done());
  EXPECT_EQ(output.partial_text(), "a");
}

TEST_F(SessionTest, ManyThreadsMayWaitForOneOutput) {
  script(Line().text("a").delay(5ms).text("b"));
  Output output = start().start_chat("hi");
  std::vector<std::future<std::string>> waiters;
  for (int at = 0; at < 8; ++at)
    waiters.push_back(std::async(std::launch::async, [&] { return output.wait().text(); }));
  for (auto& waiter : waiters) EXPECT_EQ(waiter.get(), "ab");
  EXPECT_EQ(recorder_->count("generation_post_call"), 1U);
}

TEST_F(SessionTest, OneReadsWhileAnotherWaits) {
  Line line;
  for (int at = 0; at < 200; ++at) line.text("x");
  script(line);
  Output output = start().start_chat("hi");
  ASSERT_TRUE(output.next());
  auto waiter = std::async(std::launch::async, [&] { return output.wait().text().size(); });
  int chunks = 1;
  while (output.next()) ++chunks;
  EXPECT_EQ(waiter.get(), 200U);
  EXPECT_EQ(chunks, 200);
}

TEST_F(SessionTest, TryNextNeverBlocksAndRunsNoPluginCode) {
  const auto here = std::this_thread::get_id();
  std::atomic<int> on_this_thread{0};
  make_runtime({plugin([&](Subscriber& hooks) {
    hooks.observe<GenerationEvent>([&](const GenerationEvent&) {
      if (std::this_thread::get_id() == here) ++on_this_thread;
    });
    hooks.observe<GenerationPostCall>([&](const GenerationPostCall&) {
      if (std::this_thread::get_id() == here) ++on_this_thread;
    });
  })});
  script(Line().text("a").delay(1ms).text("b").delay(1ms).text("c"));
  Output output = start().start_chat("hi");
  const std::string text = polled(output);
  EXPECT_EQ(text, "abc");
  EXPECT_EQ(on_this_thread, 0);
  EXPECT_EQ(recorder_->count("generation_post_call"), 1U);
}

TEST_F(SessionTest, AWakeAlsoComesForACancel) {
  script(Line().hang());
  Output output = start().start_chat("hi");
  Chunk chunk;
  ASSERT_EQ(output.try_next(chunk), Next::pending);
  std::promise<void> ready;
  ASSERT_TRUE(output.when_ready([&] { ready.set_value(); }));
  output.cancel();
  ready.get_future().wait();
  EXPECT_EQ(error_of([&] { output.wait(); }).code(), Errc::cancelled);
}

TEST_F(SessionTest, AChatContextRemembersAndASimpleOneDoesNot) {
  for (const Context& context : {Context::chat(), Context::simple()}) {
    script(say("one"));
    script(say("two"));
    Session session = start({.context = context});
    session.chat("1");
    session.chat("2");
    const std::size_t expected = context.kind() == Context::Kind::chat ? 3 : 1;
    EXPECT_EQ(backend_->requests().back().messages.size(), expected);
    EXPECT_EQ(session.context().size(), context.kind() == Context::Kind::chat ? 4U : 0U);
  }
}

TEST_F(SessionTest, AFailedTurnIsNotRemembered) {
  script(Line().text("ha").fail(Error(Errc::server_error, "scripted: 500")));
  Session session = start({.context = Context::chat()});
  EXPECT_THROW(session.chat("1"), Error);
  EXPECT_EQ(session.context().size(), 0U);
}

TEST_F(SessionTest, AResetForgetsAndStartsAnotherConversation) {
  std::vector<std::string> conversations;
  make_runtime({plugin([&](Subscriber& hooks) {
    hooks.observe<GenerationPreCall>([&](const GenerationPreCall& call) {
      conversations.push_back(*call.target->conversation);
    });
  })});
  script(say("one"));
  script(say("two"));
  Session session = start({.context = Context::chat(), .conversation = "c1"});
  session.chat("1");
  session.reset();
  session.chat("2");
  EXPECT_EQ(backend_->requests().back().messages.size(), 1U);
  ASSERT_EQ(conversations.size(), 2U);
  EXPECT_EQ(conversations[0], "c1");
  EXPECT_NE(conversations[1], "c1");
  EXPECT_EQ(recorder_->count("session_reset"), 1U);
}

TEST_F(SessionTest, PluginsOfAViewHearThatViewOnly) {
  auto extra = std::make_shared<testing::Recorder>();
  script(say("one"));
  script(say("two"));
  Session session = start();
  session.chat("1");
  session.with(Plugins{extra}).chat("2");
  EXPECT_EQ(extra->count("generation_post_call"), 1U);
  EXPECT_EQ(recorder_->count("generation_post_call"), 2U);
}

TEST_F(SessionTest, LabelsAreInheritedAndTheNearestWin) {
  Labels seen;
  make_runtime({plugin([&](Subscriber& hooks) {
    hooks.observe<GenerationPreCall>(
        [&](const GenerationPreCall& call) { seen = call.scope.labels(); });
  })});
  script(say("x"));
  Session session = start({.labels = {{"tenant", "t1"}, {"tier", "free"}}});
  session.with(Labels{{"tier", "paid"}}).chat("1", {.labels = {{"attempt", std::int64_t{2}}}});
  EXPECT_EQ(seen, (Labels{{"tenant", "t1"}, {"tier", "paid"}, {"attempt", std::int64_t{2}}}));
}

TEST_F(SessionTest, ACallWithinAnotherIsBelowIt) {
  runtime_ = std::make_unique<Runtime>();  // unrecorded: the tool is never announced
  script(say("x"));
  Session session = start();
  const Scope tool = session.scope().child(Kind::tool);
  Id parent;
  const auto look = plugin([&](Subscriber& hooks) {
    hooks.observe<ComponentPreExecute>(
        [&](const ComponentPreExecute& call) { parent = call.scope.parent(); });
  });
  session.with(Plugins{look}).within({.scope = tool, .stop = {}}).chat("1");
  EXPECT_EQ(parent, tool.id());
}

TEST_F(SessionTest, TheCallersOriginIsTakenUpUnlessTheSessionBeganThere) {
  const auto at = [](char digit) {
    return std::make_shared<const Origin>(Origin{
        .traceparent = "00-" + std::string(32, digit) + "-" + std::string(16, digit) + "-01"});
  };
  std::shared_ptr<const Origin> current = at('1');
  std::vector<std::string> origins;
  make_runtime({plugin([&](Subscriber& hooks) {
    hooks.transform<CallBegin>([&](CallBegin& call) {
      if (!call.origin) call.origin = current;
    });
    hooks.observe<ComponentPreExecute>([&](const ComponentPreExecute& call) {
      origins.push_back(call.scope.origin() ? call.scope.origin()->traceparent.substr(3, 1) : "");
    });
  })});
  for (int at_call = 0; at_call < 4; ++at_call) script(say("x"));
  Session session = start();
  session.chat("where the session began");
  current = at('2');
  session.chat("in a request of its own");
  session.chat("as the caller says", {.origin = at('3')});
  current = std::make_shared<const Origin>(Origin{.traceparent = "rubbish"});
  session.chat("nowhere");
  EXPECT_EQ(origins, (Names{"", "2", "3", ""}));
}

TEST_F(SessionTest, LabelsThatAPluginFindsAtTheEntryAreOnAllThatTheCallDoes) {
  Labels found;
  std::vector<Labels> seen;
  make_runtime({plugin([&](Subscriber& hooks) {
                 hooks.transform<CallBegin>([&](CallBegin& call) { call.labels = found; });
                 hooks.observe<GenerationPreCall>(
                     [&](const GenerationPreCall& call) { seen.push_back(call.scope.labels()); });
                 hooks.observe<GenerationBatchPreCall>([&](const GenerationBatchPreCall& call) {
                   seen.push_back(call.scope.labels());
                 });
               })},
               {.labels = {{"env", "test"}}});
  for (int at_call = 0; at_call < 4; ++at_call) script(say("x"));
  found = {{"tenant", "a"}, {"env", "theirs"}};
  Session session = start({.labels = {{"plan", "pro"}}});
  found = {{"tenant", "b"}, {"env", "theirs"}, {"plan", "theirs"}, {"user", "bob"}};
  session.chat("a caller of its own");
  session.chat("the program says so itself", {.labels = {{"user", "alice"}}});
  session.generate_raw({"a batch"});
  found = {};
  session.clone().chat("what the session was begun with");
  const Labels own = {{"env", "test"}, {"plan", "pro"}};
  const auto with = [&](Labels more) {
    more.insert(own.begin(), own.end());
    return more;
  };
  ASSERT_EQ(seen.size(), 4U);
  EXPECT_EQ(seen[0], with({{"tenant", "b"}, {"user", "bob"}}));
  EXPECT_EQ(seen[1], with({{"tenant", "b"}, {"user", "alice"}}));
  EXPECT_EQ(seen[2], with({{"tenant", "b"}, {"user", "bob"}}));
  EXPECT_EQ(seen[3], with({{"tenant", "a"}}));
}

TEST_F(SessionTest, ASessionOutlivedByItsCallEndsAfterIt) {
  script(Line().text("a").delay(2ms).text("b"));
  Output output = start().start_chat("hi");
  EXPECT_EQ(output.wait().text(), "ab");
  drain();
  EXPECT_EQ(heard().back(), "session_cleanup");
}

TEST_F(SessionTest, EndingASessionCancelsWhatRuns) {
  script(Line().hang());
  Session session = start();
  Output output = session.start_chat("hi");
  session.end();
  EXPECT_EQ(error_of([&] { output.wait(); }).code(), Errc::cancelled);
  EXPECT_EQ(error_of([&] { session.chat("more"); }).code(), Errc::shutdown);
  drain();
  EXPECT_EQ(outcomes("action"), (Names{"cancelled parent"}));
  EXPECT_EQ(outcomes("session"), (Names{"cancelled parent"}));
}

TEST_F(SessionTest, TheEndOfTheRuntimeEndsEverything) {
  script(Line().text("a").hang());
  script(Line().hang());
  std::optional<Session> session = start();
  Output read = session->start_chat("1");
  Output waited = session->start_chat("2");
  EXPECT_TRUE(read.next());
  auto waiter =
      std::async(std::launch::async, [&] { return error_of([&] { waited.wait(); }).code(); });
  runtime_.reset();
  EXPECT_EQ(waiter.get(), Errc::shutdown);
  EXPECT_EQ(error_of([&] {
              while (read.next()) {
              }
            }).code(),
            Errc::shutdown);
  EXPECT_EQ(error_of([&] { session->chat("3"); }).code(), Errc::shutdown);
  EXPECT_EQ(outcomes("action"), (Names{"cancelled shutdown", "cancelled shutdown"}));
}

TEST_F(SessionTest, AnEndedOutputOutlivesItsRuntime) {
  script(say("kept"));
  Output output = start().start_chat("hi");
  output.wait();
  runtime_.reset();
  EXPECT_EQ(output.wait().text(), "kept");
}

TEST_F(SessionTest, TheEndOfARuntimeWithoutPluginsIsAsQuick) {
  auto runtime = std::make_unique<Runtime>();
  script(Line().text("a").hang());
  Output output = runtime->start_session(backend_, "demo").start_chat("hi");
  const auto before = std::chrono::steady_clock::now();
  runtime.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - before, 2s);
  EXPECT_EQ(error_of([&] { output.wait(); }).code(), Errc::shutdown);
}

TEST_F(SessionTest, AnOutputThatNobodyReadsAnyMoreIsDoneSoonAfterACancel) {
  Runtime bare;
  script(Line().hang());
  Output output = bare.start_session(backend_, "demo").start_chat("hi");
  output.cancel();
  EXPECT_TRUE(output.done());
}

TEST_F(SessionTest, AReplyThatHasArrivedIsRememberedThoughNobodyReadsItPluginsOrNot) {
  Runtime bare;
  for (Runtime* runtime : {runtime_.get(), &bare}) {
    script(say("x"));
    Session session = runtime->start_session(backend_, "demo", {.context = Context::chat()});
    { Output unread = session.start_chat("hi"); }
    EXPECT_TRUE(runtime->drain(in(5s)));
    EXPECT_EQ(session.context().size(), 2U);
  }
  EXPECT_EQ(outcomes("generation"), (Names{"ok"}));
}

TEST_F(SessionTest, ATurnFromBeforeAResetIsNoPartOfWhatFollows) {
  script(Line().text("secret").delay(1ms).finish());
  Session session = start({.context = Context::chat()});
  Output earlier = session.start_chat("one");
  session.reset();
  earlier.wait();
  EXPECT_EQ(session.context().size(), 0U);
}

TEST_F(SessionTest, AnEndBeyondAllTimeIsNone) {
  script(Line().delay(1ms).text("ok").finish());
  EXPECT_EQ(start().chat("hi", {.until = Instant::max()}).text(), "ok");
}

TEST_F(SessionTest, TheTimeThatPluginsTakeCountsTowardsTheEnd) {
  make_runtime({plugin([](Subscriber& hooks) {
    hooks.observe<GenerationPreCall>([](const GenerationPreCall& call) {
      while (std::chrono::steady_clock::now() < call.at + 30ms) std::this_thread::yield();
    });
  })});
  script(Line().delay(25ms).text("late").finish());
  EXPECT_EQ(error_of([&] { start().chat("hi", {.until = in(30ms)}); }).code(), Errc::timeout);
}

TEST_F(SessionTest, AReaderIsWokenForWhatAWaiterTakes) {
  script(Line().delay(2ms).text("a").delay(2ms).text("b").finish());
  Output output = start().start_chat("hi");
  Chunk first;
  EXPECT_EQ(output.try_next(first), Next::pending);  // from now on chunks are kept for the reader
  auto waiter = std::async(std::launch::async, [&] { return output.wait().text(); });
  const std::string text = polled(output);
  EXPECT_EQ(waiter.get(), "ab");
  EXPECT_EQ(text, "ab");
}

TEST_F(SessionTest, ADropKeepsItsReasonWhenTheSessionEndsAtOnce) {
  script(Line().text("a").hang());
  Session session = start();
  {
    Output output = session.start_chat("hi");
    EXPECT_TRUE(output.next());
  }
  session.end();
  drain();
  EXPECT_EQ(outcomes("action"), (Names{"cancelled consumer"}));
  EXPECT_EQ(outcomes("session"), (Names{"ok"}));
}

TEST_F(SessionTest, AStreamThatThrowsWhatIsNoErrorEndsItsCall) {
  class Throwing : public Backend, public ReplyStream {
   public:
    std::string_view provider() const override { return "throwing"; }
    Endpoint endpoint() const override { return {}; }
    std::unique_ptr<ReplyStream> start(Request, std::stop_token) override {
      return std::make_unique<Throwing>();
    }
    std::vector<std::string> models(std::stop_token) override { return {}; }
    Next try_next(Chunk&) override { return Next::pending; }
    void wait(Instant) override { throw std::runtime_error("in wait"); }
    bool when_ready(std::function<void()>) override { throw std::runtime_error("in when_ready"); }
    void cancel() noexcept override {}
    StreamTimes times() const override { throw std::runtime_error("in times"); }
  };
  Session session = runtime_->start_session(std::make_shared<Throwing>(), "m");
  Output output = session.start_chat("hi");
  EXPECT_FALSE(output.when_ready([] {}));
  EXPECT_STREQ(error_of([&] { output.wait(); }).what(), "throwing: in wait");
  EXPECT_EQ(outcomes("action"), (Names{"error unknown"}));
}

TEST_F(SessionTest, AStuckHandlerIsLeftBehindAndReported) {
  struct Gate {
    std::promise<void> open;
    std::shared_future<void> opened = open.get_future().share();
    std::promise<void> left;
  };
  const auto gate = std::make_shared<Gate>();
  std::atomic<int> reported{0};
  auto runtime = std::make_unique<Runtime>(
      RuntimeOptions{.plugins = {plugin([gate](Subscriber& hooks) {
                       hooks.observe<GenerationPostCall>([gate](const GenerationPostCall&) {
                         gate->opened.wait();
                         gate->left.set_value();
                       });
                     })},
                     .shutdown = 50ms,
                     .on_diagnostic = [&](const Notice& notice) {
                       if (notice.kind == Notice::Kind::left_behind) ++reported;
                     }});
  script(Line().text("a").hang());
  { Output output = runtime->start_session(backend_, "demo").start_chat("hi"); }
  const auto before = std::chrono::steady_clock::now();
  runtime.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - before, 4s);
  EXPECT_EQ(reported, 1);
  gate->open.set_value();
  gate->left.get_future().wait();
}

TEST_F(SessionTest, AReaderIsNotHeldUpByAHandlerThatWasLeftBehind) {
  struct Gate {
    std::promise<void> open;
    std::shared_future<void> opened = open.get_future().share();
  };
  const auto gate = std::make_shared<Gate>();
  auto runtime = std::make_unique<Runtime>(
      RuntimeOptions{.plugins = {plugin([gate](Subscriber& hooks) {
                       hooks.observe<GenerationPostCall>(
                           [gate](const GenerationPostCall&) { gate->opened.wait(); });
                     })},
                     .shutdown = 50ms});
  script(say("all"));
  Output output = runtime->start_session(backend_, "demo").start_chat("hi");
  Chunk chunk;
  while (output.try_next(chunk) == Next::chunk) {
  }
  runtime.reset();
  EXPECT_EQ(error_of([&] { output.wait(); }).code(), Errc::shutdown);
  EXPECT_EQ(error_of([&] { output.next(); }).code(), Errc::shutdown);
  EXPECT_FALSE(output.when_ready([] {}));
  gate->open.set_value();
  while (!output.done()) std::this_thread::yield();
}

TEST_F(SessionTest, AChildOfForkMayNotUseWhatItInherited) {
  script(Line().text("a").hang());
  Session session = start();
  Output output = session.start_chat("hi");
  ASSERT_TRUE(output.next());
  const pid_t child = ::fork();
  if (child == 0) {
    const auto refuses = [](auto call) {
      try {
        call();
      } catch (const Error& error) {
        return error.code() == Errc::after_fork;
      }
      return false;
    };
    const bool right = refuses([&] { output.next(); }) && refuses([&] { output.wait(); }) &&
                       refuses([&] { session.chat("hi"); }) &&
                       refuses([&] { runtime_->start_session(backend_, "m"); });
    { const Output gone = std::move(output); }
    { const Session gone = std::move(session); }
    runtime_.reset();
    bool works = true;
#if !defined(__SANITIZE_THREAD__)  // which allows no threads here
    Runtime fresh;
    auto backend = std::make_shared<ScriptedBackend>();
    backend->add(say("from the child"));
    works = fresh.start_session(backend, "m").chat("hi").text() == "from the child";
#endif
    ::_exit(right && works ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  output.cancel();
}

TEST_F(SessionTest, ManyThreadsMayCallOneSession) {
  backend_ = std::make_shared<ScriptedBackend>(
      [](const Request& request) { return say(request.messages.back().text); });
  Session session = start({.context = Context::chat()});
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < 8; ++thread)
    threads.emplace_back([&, thread] {
      for (int call = 0; call < 20; ++call) {
        const std::string text = std::to_string(thread) + "." + std::to_string(call);
        EXPECT_EQ(session.chat(text).text(), text);
      }
    });
  threads.clear();
  EXPECT_EQ(session.context().size(), 2U * 8U * 20U);
}

TEST_F(SessionTest, RetriesAndOtherNoticesReachPlugins) {
  script(Line()
             .chunk({.what = Notice{.kind = Notice::Kind::retry, .text = "again", .attempt = 1}})
             .chunk({.what = Notice{.kind = Notice::Kind::option_ignored, .text = "no top_k"}})
             .text("ok"));
  start().chat("hi");
  EXPECT_EQ(recorder_->count("generation_retry"), 1U);
  std::lock_guard lock(mutex_);
  EXPECT_EQ(notices_, (Names{"no top_k"}));
}

TEST_F(SessionTest, ASessionNeedsAModelAndAKnownBackend) {
  EXPECT_EQ(error_of([&] { runtime_->start_session(backend_, ""); }).code(), Errc::invalid_request);
  const Error unknown =
      error_of([&] { runtime_->start_session({.backend = "opnai", .model = "m"}); });
  EXPECT_STREQ(unknown.what(), "unknown backend \"opnai\": did you mean \"openai\"?");
  EXPECT_TRUE(heard().empty());
}

TEST_F(SessionTest, ACloneHasSaidTheSameAndGoesItsOwnWay) {
  backend_ = std::make_shared<ScriptedBackend>(ScriptedOptions{.echo = true});
  Session first = start({.labels = {{"tenant", "a"}}, .context = Context::chat()});
  first.chat("one");
  Session second = first.clone();
  EXPECT_NE(second.scope().id(), first.scope().id());
  EXPECT_EQ(std::get<std::string>(second.scope().labels().at("tenant")), "a");
  second.chat("two");
  EXPECT_EQ(second.context().size(), 4U);
  EXPECT_EQ(first.context().size(), 2U);
  first.end();
  EXPECT_EQ(second.chat("three").text(), "three");
  EXPECT_EQ(recorder_->count("session_post_init"), 2U);
}

}  // namespace
}  // namespace mellea
