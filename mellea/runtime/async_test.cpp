#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <future>
#include <latch>
#include <map>
#include <random>
#include <thread>

#include "mellea/hooks/workers.h"
#include "mellea/runtime/session.h"
#include "mellea/runtime/session_for_test.h"

namespace mellea {
namespace {

using namespace std::chrono_literals;
using scripted::Line;
using scripted::say;

// A completion that passes on to a future. Called twice it throws, which is reported.
Completion<Result> into(std::shared_ptr<std::promise<Result>> promise) {
  return [promise](std::exception_ptr error, std::optional<Result> result) {
    if (error)
      promise->set_exception(error);
    else
      promise->set_value(std::move(*result));
  };
}

// Something that a handler waits at until it is opened; the handler may outlive the test.
struct Gate {
  std::promise<void> promise;
  std::shared_future<void> opened = promise.get_future().share();
  void open() { promise.set_value(); }
  void pass() const { opened.wait(); }
};

class AsyncTest : public SessionTest {
 protected:
  std::future<Result> ask(Session session, std::string text, CallOptions options = {}) {
    const auto promise = std::make_shared<std::promise<Result>>();
    session.chat_async(std::move(text), std::move(options), into(promise));
    return promise->get_future();
  }
  static Error error_in(std::future<Result>& answer) {
    return error_of([&] { answer.get(); });
  }
  Names notices() {
    std::lock_guard lock(mutex_);
    return notices_;
  }
  // Answers with what it is told.
  void let_it_echo() {
    backend_ = std::make_shared<ScriptedBackend>(
        [](const Request& request) { return say(request.messages.back().text); });
  }
};

TEST_F(AsyncTest, TheAnswerIsGivenOnAWorkerWhenItsEndHasBeenTold) {
  script(Line().text("Par").delay(1ms).text("is.").finish());
  std::promise<std::string> text;
  bool on_worker = false;
  std::size_t told = 0;
  Session session = start();
  session.instruct_async("The capital of France?", {},
                         [&](std::exception_ptr error, std::optional<Result> result) {
                           on_worker = Workers::on_worker();
                           told = recorder_->count("component_post_success");
                           text.set_value(error ? "" : result->text());
                         });
  EXPECT_EQ(text.get_future().get(), "Paris.");
  EXPECT_TRUE(on_worker);
  EXPECT_EQ(told, 1U);
  session.end();
  drain();
  EXPECT_EQ(heard(), (Names{"call_begin", "session_pre_init", "session_post_init", "call_begin",
                            "component_pre_execute", "sampling_loop_start", "generation_pre_call",
                            "generation_event", "generation_event", "generation_event",
                            "generation_post_call", "sampling_iteration", "sampling_loop_end",
                            "component_post_success", "user_code_begin", "session_cleanup"}));
}

TEST_F(AsyncTest, TheCallReturnsBeforePluginsAreAsked) {
  const auto gate = std::make_shared<Gate>();
  make_runtime({plugin([gate](Subscriber& hooks) {
    hooks.intercept<ComponentPreExecute>([gate](ComponentPreExecute&) {
      gate->pass();
      return Verdict::go_on();
    });
  })});
  script(say("late"));
  auto answer = ask(start(), "hi");
  gate->open();
  EXPECT_EQ(answer.get().text(), "late");
}

TEST_F(AsyncTest, WhereTheCallerIsAndWhatWasSaidAreAsOfTheCall) {
  const auto at = [](char digit) {
    return std::make_shared<const Origin>(Origin{
        .traceparent = "00-" + std::string(32, digit) + "-" + std::string(16, digit) + "-01"});
  };
  const auto here = std::this_thread::get_id();
  const auto gate = std::make_shared<Gate>();
  std::atomic<bool> elsewhere{false};
  std::shared_ptr<const Origin> current = at('1');
  std::string origin;
  std::size_t remembered = 0;
  make_runtime({plugin([&, gate](Subscriber& hooks) {
    hooks.transform<CallBegin>([&](CallBegin& call) {
      if (std::this_thread::get_id() != here) elsewhere = true;
      call.origin = current;
    });
    hooks.observe<ComponentPreExecute>([&, gate](const ComponentPreExecute& call) {
      gate->pass();
      if (call.scope.origin()) origin = call.scope.origin()->traceparent.substr(3, 1);
      remembered = call.context.size();
    });
  })});
  script(say("one"));
  Session session = start({.context = Context::chat()});
  current = at('2');
  auto answer = ask(session, "hi");
  session.reset();
  gate->open();
  answer.get();
  EXPECT_FALSE(elsewhere);
  EXPECT_EQ(origin, "2");
  EXPECT_EQ(remembered, 0U);
  EXPECT_EQ(session.context().size(), 0U);  // it belonged to the conversation before
}

TEST_F(AsyncTest, AFailureIsWhatTheBlockingCallThrows) {
  script(Line().text("half").fail(Error(Errc::server_error, "scripted: 500")));
  script(Line().refuse(Error(Errc::invalid_request, "scripted: no")));
  Session session = start();
  auto broken = ask(session, "1");
  const Error error = error_in(broken);
  EXPECT_EQ(error.code(), Errc::server_error);
  EXPECT_EQ(error.partial_text(), "half");
  auto refused = ask(session, "2");
  EXPECT_EQ(error_in(refused).code(), Errc::invalid_request);
  EXPECT_EQ(outcomes("action"), (Names{"error server_error", "error invalid_request"}));
}

TEST_F(AsyncTest, ABlockIsGivenAsAnErrorWhereverItComes) {
  for (const auto& stop :
       {stops<ComponentPreExecute>(), stops<GenerationPreCall>(), stops<GenerationPostCall>()}) {
    make_runtime({stop});
    script(say("secret"));
    auto answer = ask(start(), "hi");
    EXPECT_EQ(error_in(answer).code(), Errc::blocked);
  }
}

TEST_F(AsyncTest, AnEndedSessionThrowsAndCallsNothing) {
  Session session = start();
  session.end();
  const auto never = [](std::exception_ptr, const std::optional<Result>&) { ADD_FAILURE(); };
  EXPECT_EQ(error_of([&] { session.chat_async("hi", {}, never); }).code(), Errc::shutdown);
  Session orphan = start();
  runtime_.reset();
  EXPECT_EQ(error_of([&] { orphan.chat_async("hi", {}, never); }).code(), Errc::shutdown);
}

TEST_F(AsyncTest, ManyCallsInFlightNeedOneWorker) {
  constexpr int kCalls = 1000;
  for (Plugins plugins : {Plugins{}, Plugins{recorder_}}) {
    std::latch sent(kCalls);
    const auto backend = std::make_shared<ScriptedBackend>([&](const Request& request) {
      sent.count_down();
      return Line().text(request.messages.back().text).hang();
    });
    Runtime runtime({.plugins = plugins, .workers = 1});
    Session session = runtime.start_session(backend, "demo");
    std::stop_source stop;
    std::vector<std::future<Result>> answers;
    for (int call = 0; call < kCalls; ++call)
      answers.push_back(ask(session, std::to_string(call), {.stop = stop.get_token()}));
    sent.wait();
    stop.request_stop();
    for (int call = 0; call < kCalls; ++call) {
      const Error error = error_in(answers[static_cast<std::size_t>(call)]);
      ASSERT_EQ(error.code(), Errc::cancelled);
      if (call + 1 < kCalls) {  // the last may have been stopped while it was being sent
        ASSERT_EQ(error.partial_text(), std::to_string(call));
      }
    }
  }
}

TEST_F(AsyncTest, TheSessionMayBeLetGoAtOnce) {
  script(Line().delay(1ms).text("kept").finish());
  auto answer = ask(start(), "hi");
  EXPECT_EQ(answer.get().text(), "kept");
  drain();
  EXPECT_EQ(outcomes("session"), (Names{"ok"}));
}

TEST_F(AsyncTest, AStopTokenCancelsAndADeadlineIsATimeout) {
  Session session = start();
  std::stop_source before;
  before.request_stop();
  script(Line().hang());
  auto stopped = ask(session, "1", {.stop = before.get_token()});
  EXPECT_EQ(error_in(stopped).code(), Errc::cancelled);
  script(Line().text("a").hang());
  auto late = ask(session, "2", {.until = in(5ms)});
  const Error timeout = error_in(late);
  EXPECT_EQ(timeout.code(), Errc::timeout);
  EXPECT_EQ(timeout.partial_text(), "a");
  EXPECT_EQ(outcomes("generation"), (Names{"cancelled caller", "error timeout"}));
}

TEST_F(AsyncTest, EndingTheSessionCancelsWhatRunsAndWhatHasNotBegun) {
  const auto gate = std::make_shared<Gate>();
  make_runtime(
      {plugin([gate](Subscriber& hooks) {
        hooks.observe<ComponentPreExecute>([gate](const ComponentPreExecute&) { gate->pass(); });
      })},
      {.workers = 1});
  script(Line().hang());
  script(Line().hang());
  Session session = start();
  auto begun = ask(session, "1");
  auto in_line = ask(session, "2");
  session.end();
  gate->open();
  EXPECT_EQ(error_in(begun).code(), Errc::cancelled);
  EXPECT_EQ(error_in(in_line).code(), Errc::cancelled);
  EXPECT_EQ(outcomes("action"), (Names{"cancelled parent", "cancelled parent"}));
}

TEST_F(AsyncTest, TheEndOfTheRuntimeGivesEveryCallItsEnd) {
  for (const bool heard : {false, true}) {
    constexpr int kCalls = 50;
    std::vector<std::future<Result>> answers;
    {
      Runtime runtime({.plugins = heard ? Plugins{recorder_} : Plugins{}, .workers = 2});
      Session session = runtime.start_session(backend_, "demo");
      for (int call = 0; call < kCalls; ++call) {
        script(Line().text("a").hang());
        answers.push_back(ask(session, "hi"));
      }
    }
    for (auto& answer : answers) {
      ASSERT_EQ(answer.wait_for(0s), std::future_status::ready);
      EXPECT_EQ(error_in(answer).code(), Errc::shutdown);
    }
  }
}

TEST_F(AsyncTest, WhatAStuckHandlerHoldsUpEndsWithTheRuntimeAllTheSame) {
  const auto gate = std::make_shared<Gate>();
  const auto stuck = std::make_shared<std::promise<void>>();
  const auto passed = std::make_shared<std::promise<void>>();
  auto runtime = std::make_unique<Runtime>(
      RuntimeOptions{.plugins = {plugin([=](Subscriber& hooks) {
                       hooks.observe<ComponentPostSuccess>([=](const ComponentPostSuccess&) {
                         stuck->set_value();
                         gate->pass();
                         passed->set_value();
                       });
                     })},
                     .shutdown = 20ms,
                     .workers = 1});
  script(say("one"));
  Session session = runtime->start_session(backend_, "demo");
  std::atomic<int> ends{0};
  std::atomic<int> shut_down{0};
  const auto count = [&](std::exception_ptr error, const std::optional<Result>&) {
    ++ends;
    if (error && error_of([&] { std::rethrow_exception(error); }).code() == Errc::shutdown)
      ++shut_down;
  };
  session.chat_async("held by the handler", {}, count);
  stuck->get_future().wait();
  session.chat_async("behind it in the line", {}, count);
  runtime.reset();
  EXPECT_EQ(shut_down, 2);
  gate->open();
  passed->get_future().wait();
  EXPECT_EQ(ends, 2);
}

TEST_F(AsyncTest, WhatACompletionThrowsIsReported) {
  script(say("one"));
  start().chat_async("hi", {}, [](std::exception_ptr, const std::optional<Result>&) {
    throw std::runtime_error("boom");
  });
  drain();
  EXPECT_EQ(notices(), (Names{"what an asynchronous call was to call: boom"}));
  EXPECT_EQ(outcomes("action"), (Names{"ok"}));
}

TEST_F(AsyncTest, NothingNeedsToBeCalled) {
  script(say("one"));
  Session session = start({.context = Context::chat()});
  session.chat_async("hi", {}, nullptr);
  drain();
  EXPECT_EQ(session.context().size(), 2U);
  EXPECT_EQ(notices(), Names{});
}

TEST_F(AsyncTest, ACompletionMayCallAgain) {
  let_it_echo();
  for (const int workers : {1, 256}) {
    make_runtime({}, {.workers = workers});
    Session session = start({.context = Context::chat()});
    std::promise<std::string> last;
    std::function<void(int)> go_on = [&](int left) {
      session.chat_async(std::to_string(left), {},
                         [&, left](std::exception_ptr, std::optional<Result> result) {
                           session.chat("and " + result->text());
                           if (left > 0)
                             go_on(left - 1);
                           else
                             last.set_value(result->text());
                         });
    };
    go_on(20);
    EXPECT_EQ(last.get_future().get(), "0");
    drain();
    EXPECT_EQ(session.context().size(), 2U * 2U * 21U);
  }
}

TEST_F(AsyncTest, ACompletionMayEndTheRuntime) {
  script(say("last"));
  std::promise<void> ended;
  start().chat_async("hi", {}, [&](std::exception_ptr, const std::optional<Result>&) {
    runtime_.reset();
    ended.set_value();
  });
  ended.get_future().wait();
}

// It is the only worker, and what it ends has to be told by one.
TEST_F(AsyncTest, TheOnlyWorkerMayEndTheRuntimeAndAllEndsAreTold) {
  make_runtime({}, {.workers = 1});
  script(say("last"));
  std::promise<void> ended;
  const auto began = std::chrono::steady_clock::now();
  start().chat_async("hi", {}, [&](std::exception_ptr, const std::optional<Result>&) {
    runtime_.reset();
    ended.set_value();
  });
  ended.get_future().wait();
  EXPECT_LT(std::chrono::steady_clock::now() - began, RuntimeOptions{}.shutdown);
  EXPECT_EQ(recorder_->count("session_cleanup"), 1U);
}

TEST_F(AsyncTest, TheOnlyWorkerMayReadAStream) {
  make_runtime({}, {.workers = 1});
  script(say("one"));
  script(say("two"));
  Session session = start();
  std::promise<std::string> read;
  session.chat_async("hi", {}, [&](std::exception_ptr, const std::optional<Result>&) {
    Output output = session.start_chat("again", {.stream = true});
    Chunk chunk;
    static_cast<void>(output.try_next(chunk));
    read.set_value(output.wait().text());
  });
  EXPECT_EQ(read.get_future().get(), "two");
}

TEST_F(AsyncTest, WhatAPluginHoldsIsHeldWhileTheCompletionRuns) {
  std::atomic<int> held{0};
  std::promise<void> released;
  make_runtime({plugin([&](Subscriber& hooks) {
    hooks.transform<UserCodeBegin>([&](UserCodeBegin& event) {
      ++held;
      event.held.push_back(std::shared_ptr<void>(nullptr, [&](void*) {
        --held;
        released.set_value();
      }));
    });
  })});
  script(say("one"));
  int seen = 0;
  start().chat_async("hi", {},
                     [&](std::exception_ptr, const std::optional<Result>&) { seen = held; });
  released.get_future().wait();
  EXPECT_EQ(seen, 1);
  EXPECT_EQ(held, 0);
}

TEST_F(AsyncTest, ChunksAreToldInOrderThoughWorkersTakeTurns) {
  std::string told;
  make_runtime({plugin([&](Subscriber& hooks) {
    hooks.observe<GenerationEvent>([&](const GenerationEvent& event) {
      EXPECT_TRUE(Workers::on_worker());
      if (const auto* piece = std::get_if<std::string>(&event.chunk->what)) told += *piece;
    });
  })});
  Line line;
  for (char piece = 'a'; piece <= 'z'; ++piece) {
    line.text(std::string(1, piece));
    if (piece % 3 == 0) line.delay(1ms);
  }
  script(line);
  EXPECT_EQ(ask(start(), "hi").get().text(), "abcdefghijklmnopqrstuvwxyz");
  EXPECT_EQ(told, "abcdefghijklmnopqrstuvwxyz");
}

TEST_F(AsyncTest, AChildOfForkCallsNoCompletion) {
  std::stop_source stop;
  std::promise<void> sent;
  backend_ = std::make_shared<ScriptedBackend>([&](const Request&) {
    sent.set_value();
    return Line().hang();
  });
  Session session = start();
  const pid_t parent = ::getpid();
  std::promise<void> done;
  session.chat_async("hi", {.stop = stop.get_token()},
                     [&](std::exception_ptr, const std::optional<Result>&) {
                       if (::getpid() != parent) ::_exit(2);
                       done.set_value();
                     });
  sent.get_future().wait();
  const pid_t child = ::fork();
  if (child == 0) {
    const Error error = error_of([&] { session.chat_async("hi", {}, nullptr); });
    { const Session gone = std::move(session); }
    runtime_.reset();
    backend_.reset();
    ::_exit(error.code() == Errc::after_fork ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  stop.request_stop();
  done.get_future().wait();
}

// Calls at once on one session

TEST_F(AsyncTest, TurnsAreAddedInTheOrderOfTheEnds) {
  let_it_echo();
  Session session = start({.context = Context::chat()});
  Output first = session.start_chat("1");
  Output second = session.start_chat("2");
  Output third = session.start_chat("3");
  second.wait();
  third.wait();
  first.wait();
  std::string said;
  for (const Message& message : session.context().view()) said += message.text;
  EXPECT_EQ(said, "223311");
}

TEST_F(AsyncTest, ParallelCallsLoseNoTurnAndMixNothing) {
  constexpr int kThreads = 6;
  constexpr int kCalls = 20;
  std::atomic<bool> whole{true};
  // In what is sent, every question has its own answer behind it, but for the last.
  backend_ = std::make_shared<ScriptedBackend>([&](const Request& request) {
    const auto& said = request.messages;
    for (std::size_t at = 0; at + 1 < said.size(); at += 2)
      if (said[at + 1].text != "re " + said[at].text) whole = false;
    return Line()
        .text("re ")
        .delay(std::chrono::milliseconds(said.size() % 2))
        .text(said.back().text);
  });
  Session session = start({.context = Context::chat()});
  std::vector<std::future<Result>> answers(kThreads * kCalls);
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread)
      threads.emplace_back([&, thread] {
        for (int call = 0; call < kCalls; ++call) {
          const std::string text = std::to_string(thread) + "." + std::to_string(call);
          auto& answer = answers[static_cast<std::size_t>(thread * kCalls + call)];
          if (thread % 2 == 0)
            EXPECT_EQ(session.chat(text).text(), "re " + text);
          else
            answer = ask(session, text);
        }
      });
  }
  for (auto& answer : answers) {
    if (answer.valid()) answer.get();
  }
  EXPECT_TRUE(whole);
  std::map<std::string, int> turns;
  const auto said = session.context().view();
  ASSERT_EQ(said.size(), 2U * kThreads * kCalls);
  for (std::size_t at = 0; at < said.size(); at += 2) {
    ++turns[said[at].text];
    EXPECT_EQ(said[at + 1].text, "re " + said[at].text);
  }
  EXPECT_EQ(turns.size(), static_cast<std::size_t>(kThreads * kCalls));
}

// Many on one Output

TEST_F(AsyncTest, AReaderWaitersAndACancellerAgreeOnOneEnd) {
  std::mt19937 dice(20260731);
  Runtime bare;
  for (int round = 0; round < 150; ++round) {
    Line line;
    for (int piece = 0; piece < 20; ++piece) {
      line.text(std::string(1, static_cast<char>('a' + piece)));
      if (dice() % 8 == 0) line.delay(std::chrono::milliseconds(dice() % 2));
    }
    script(line);
    Runtime& runtime = round % 2 == 0 ? *runtime_ : bare;
    Output output = runtime.start_session(backend_, "demo").start_chat("hi");
    (void)output.when_ready([] {});  // reading has begun: nothing is passed over
    const auto outcome = [output] {
      try {
        return "ok " + output.wait().text();
      } catch (const Error& error) {
        return std::string(to_string(error.code())) + " " + error.partial_text();
      }
    };
    std::vector<std::future<std::string>> waiters;
    for (int waiter = 0; waiter < 4; ++waiter)
      waiters.push_back(std::async(std::launch::async, outcome));
    const bool cancels = dice() % 2 == 0;
    const std::size_t pieces = dice() % 20;
    std::jthread canceller([output, cancels, pieces]() mutable {
      while (cancels && !output.done() && output.partial_text().size() < pieces)
        std::this_thread::yield();
      if (cancels) output.cancel(CancelReason::superseded);
    });
    std::string text;
    try {
      poll(output, text);
    } catch (const Error&) {
    }
    const std::string end = outcome();
    EXPECT_EQ(text, end.substr(end.find(' ') + 1));
    for (auto& waiter : waiters) EXPECT_EQ(waiter.get(), end);
  }
  drain();
}

}  // namespace
}  // namespace mellea
