#include "mellea/hooks/hook.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <latch>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "mellea/hooks/workers.h"

namespace mellea {
namespace {

using namespace std::chrono_literals;

// A limit that every handler is over, without any waiting.
constexpr How kAlwaysLate{.limit = -1ms};
constexpr How kAlwaysLateAndOpen{.limit = -1ms, .on_error = OnError::open};
constexpr How kOpen{.on_error = OnError::open};

// A plugin out of a lambda.
class TestPlugin : public Plugin {
 public:
  TestPlugin(std::string name, std::function<void(Subscriber&)> subscribe)
      : name_(std::move(name)), subscribe_(std::move(subscribe)) {}
  std::string_view name() const override { return name_; }
  void subscribe(Subscriber& hooks) override { subscribe_(hooks); }

 private:
  std::string name_;
  std::function<void(Subscriber&)> subscribe_;
};

std::shared_ptr<Plugin> plugin(std::string name, std::function<void(Subscriber&)> subscribe) {
  return std::make_shared<TestPlugin>(std::move(name), std::move(subscribe));
}

// Keeps the diagnostics that it sees.
class Diagnostics : public Plugin {
 public:
  std::string_view name() const override { return "diagnostics"; }
  void subscribe(Subscriber& hooks) override {
    hooks.observe<Diagnostic>([this](const Diagnostic& told) {
      const std::lock_guard lock(mutex_);
      notices_.push_back(told.notice);
    });
  }
  std::vector<Notice> notices() const {
    const std::lock_guard lock(mutex_);
    return notices_;
  }
  // "plugin_failed bad: no disk"
  std::string only() const {
    const std::vector<Notice> all = notices();
    if (all.size() != 1) return std::to_string(all.size()) + " notices";
    return std::string(to_string(all[0].kind)) + ' ' + all[0].name + ": " + all[0].text;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Notice> notices_;
};

// Opens once and for all.
class Gate {
 public:
  void open() { opened_.set_value(); }
  void wait() const { open_.wait(); }

 private:
  std::promise<void> opened_;
  std::shared_future<void> open_ = opened_.get_future().share();
};

void wait_for_stop(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  stopped.wait(lock, stop, [] { return false; });
}

Instant soon() { return std::chrono::steady_clock::now() + 30s; }

class HooksTest : public ::testing::Test {
 protected:
  Hooks hooks(std::function<void(Subscriber&)> subscribe, std::string name = "p") {
    return Hooks({plugin(std::move(name), std::move(subscribe)), diagnostics_}, workers_);
  }
  // Calls decide() on a worker.
  Verdict decide_on_worker(const Hooks& hooks) {
    Verdict verdict = Verdict::go_on();
    std::promise<void> done;
    EXPECT_TRUE(workers_->try_run([&] {
      verdict = hooks.decide(call_);
      done.set_value();
    }));
    done.get_future().wait();
    return verdict;
  }

  std::shared_ptr<Workers> workers_ = std::make_shared<Workers>();
  std::shared_ptr<Diagnostics> diagnostics_ = std::make_shared<Diagnostics>();
  GenerationPreCall call_{.scope = Scope::root(Kind::generation), .request = Request{.model = "m"}};
};

TEST_F(HooksTest, NoPluginMeansNothingIsWantedAndAllGoesOn) {
  const Hooks none;
  EXPECT_FALSE(none.wanted<GenerationPreCall>());
  EXPECT_FALSE(none.decide(call_).block());
  none.tell(call_);
  none.report({}, {});
  EXPECT_EQ(none.workers(), nullptr);
}

TEST_F(HooksTest, OnlyEventsThatHaveAHandlerAreWanted) {
  const Hooks some(
      {plugin("p", [](Subscriber& h) { h.observe<SessionReset>([](const auto&) {}); })}, nullptr);
  EXPECT_TRUE(some.wanted<SessionReset>());
  EXPECT_FALSE(some.wanted<SessionCleanup>());
  EXPECT_FALSE(some.wanted<Diagnostic>());
}

TEST_F(HooksTest, VerbsRunInTheirOrderWhateverThePriorities) {
  std::string order;
  const Hooks all = hooks([&](Subscriber& h) {
    h.background<GenerationPreCall>([&](const auto&, std::stop_token) { order += 'b'; },
                                    {.priority = 1});
    h.observe<GenerationPreCall>([&](const auto&) { order += 'o'; }, {.priority = 2});
    h.guard<GenerationPreCall>(
        [&](const auto&, std::stop_token) {
          order += 'g';
          return Verdict::go_on();
        },
        {.priority = 3});
    h.transform<GenerationPreCall>([&](auto&) { order += 't'; }, {.priority = 4});
    h.intercept<GenerationPreCall>(
        [&](auto&) {
          order += 'i';
          return Verdict::go_on();
        },
        {.priority = 5});
  });
  EXPECT_FALSE(all.decide(call_).block());
  all.tell(call_);
  ASSERT_TRUE(workers_->drain(soon()));
  EXPECT_EQ(order, "itgob");
}

TEST_F(HooksTest, LowerPrioritiesRunFirstAndEqualOnesInTheOrderOfRegistration) {
  std::string order;
  const auto add = [&](char c, int priority) {
    return plugin({c}, [&order, c, priority](Subscriber& h) {
      h.observe<GenerationPreCall>([&order, c](const auto&) { order += c; },
                                   {.priority = priority});
    });
  };
  Hooks({add('c', 2), add('a', -1), add('d', 2), add('e', 1000), add('b', 0)}, nullptr).tell(call_);
  EXPECT_EQ(order, "abcde");
}

TEST_F(HooksTest, ABlockLeavesOutTheOtherDecidersAndNotTheTelling) {
  std::string order;
  const Hooks all = hooks([&](Subscriber& h) {
    h.intercept<GenerationPreCall>(
        [](auto&) { return Verdict::stop({.reason = "no", .code = "policy"}); });
    h.intercept<GenerationPreCall>([&](auto&) {
      order += 'i';
      return Verdict::go_on();
    });
    h.transform<GenerationPreCall>([&](auto&) { order += 't'; });
    h.guard<GenerationPreCall>([&](const auto&, std::stop_token) {
      order += 'g';
      return Verdict::go_on();
    });
    h.observe<GenerationPreCall>([&](const GenerationPreCall& call) {
      order += "o:";
      order += call.stopped->reason;
    });
  });
  const Verdict verdict = all.decide(call_);
  all.tell(call_);
  ASSERT_TRUE(verdict.block());
  EXPECT_EQ(verdict.block()->plugin, "p");
  EXPECT_EQ(verdict.block()->code, "policy");
  EXPECT_EQ(order, "o:no");
}

TEST_F(HooksTest, TheEventShowsTheBlockThatStoppedIt) {
  const Verdict verdict = hooks([](Subscriber& h) {
                            h.guard<GenerationPreCall>([](const auto&, std::stop_token) {
                              return Verdict::stop({.reason = "no"});
                            });
                          }).decide(call_);
  ASSERT_TRUE(call_.stopped);
  EXPECT_EQ(&*call_.stopped, verdict.block().get());
}

TEST_F(HooksTest, ACodeIsAShortWordOrOther) {
  const auto code = [&](std::string said) {
    const Hooks stopping = hooks([&](Subscriber& h) {
      h.intercept<GenerationPreCall>(
          [said](auto&) { return Verdict::stop({.reason = "no", .code = said}); });
    });
    return stopping.decide(call_).block()->code;
  };
  EXPECT_EQ(code("pii_2"), "pii_2");
  EXPECT_EQ(code(""), "");
  EXPECT_EQ(code("With Spaces"), "other");
  EXPECT_EQ(code(std::string(40, 'a')), std::string(40, 'a'));
  EXPECT_EQ(code(std::string(41, 'a')), "other");
}

TEST_F(HooksTest, ChangesAreSeenByThoseWhoComeLater) {
  std::string seen;
  const Hooks all = hooks([&](Subscriber& h) {
    h.intercept<GenerationPreCall>([](GenerationPreCall& call) {
      call.request.edit().model += "+i";
      return Verdict::go_on();
    });
    h.transform<GenerationPreCall>(
        [](GenerationPreCall& call) { call.request.edit().model += "+t"; });
    h.guard<GenerationPreCall>([&](const GenerationPreCall& call, std::stop_token) {
      seen = call.request->model;
      return Verdict::go_on();
    });
  });
  EXPECT_FALSE(all.decide(call_).block());
  EXPECT_EQ(seen, "m+i+t");
  EXPECT_EQ(call_.request->model, "m+i+t");
}

TEST_F(HooksTest, AnInterceptThatThrowsStops) {
  const Verdict verdict = hooks([](Subscriber& h) {
                            h.intercept<GenerationPreCall>(
                                [](auto&) -> Verdict { throw std::runtime_error("no disk"); });
                          }).decide(call_);
  ASSERT_TRUE(verdict.block());
  EXPECT_EQ(verdict.block()->reason, "no disk");
  EXPECT_EQ(verdict.block()->code, "plugin_error");
  EXPECT_EQ(verdict.block()->plugin, "p");
  EXPECT_TRUE(diagnostics_->notices().empty());
}

TEST_F(HooksTest, AnythingMayBeThrown) {
  const Verdict verdict = hooks([](Subscriber& h) {
                            h.intercept<GenerationPreCall>([](auto&) -> Verdict { throw 7; });
                          }).decide(call_);
  ASSERT_TRUE(verdict.block());
  EXPECT_FALSE(verdict.block()->reason.empty());
}

TEST_F(HooksTest, AnOpenInterceptThatThrowsIsUndoneAndReported) {
  const Scope scope = call_.scope;
  const Verdict verdict = hooks([](Subscriber& h) {
                            h.intercept<GenerationPreCall>(
                                [](GenerationPreCall& call) -> Verdict {
                                  call.request.edit().model = "half";
                                  throw std::runtime_error("no disk");
                                },
                                kOpen);
                          }).decide(call_);
  EXPECT_FALSE(verdict.block());
  EXPECT_EQ(call_.request->model, "m");
  EXPECT_EQ(call_.scope.id(), scope.id());
  EXPECT_EQ(diagnostics_->only(), "plugin_failed p: no disk");
}

TEST_F(HooksTest, ALateInterceptIsReportedAndItsVerdictStands) {
  const Hooks late = hooks([](Subscriber& h) {
    h.intercept<GenerationPreCall>(
        [](GenerationPreCall& call) {
          call.request.edit().model = "changed";
          return Verdict::go_on();
        },
        kAlwaysLate);
  });
  EXPECT_FALSE(late.decide(call_).block());
  EXPECT_EQ(call_.request->model, "changed");
  EXPECT_EQ(diagnostics_->only(), "plugin_slow p: did not return within -1 ms");
}

TEST_F(HooksTest, ATransformThatThrowsIsUndoneAndReported) {
  const Hooks two = hooks([](Subscriber& h) {
    h.transform<GenerationPreCall>(
        [](GenerationPreCall& call) { call.headers.emplace_back("kept", "1"); });
    h.transform<GenerationPreCall>([](GenerationPreCall& call) {
      call.request.edit().model = "half";
      call.headers.clear();
      throw std::runtime_error("no disk");
    });
  });
  EXPECT_FALSE(two.decide(call_).block());
  EXPECT_EQ(call_.request->model, "m");
  EXPECT_EQ(call_.headers, (Headers{{"kept", "1"}}));
  EXPECT_EQ(diagnostics_->only(), "plugin_failed p: no disk");
}

TEST_F(HooksTest, ALateTransformIsUndoneAndReported) {
  const Hooks late = hooks([](Subscriber& h) {
    h.transform<GenerationPreCall>(
        [](GenerationPreCall& call) { call.request.edit().model = "late"; }, kAlwaysLate);
  });
  EXPECT_FALSE(late.decide(call_).block());
  EXPECT_EQ(call_.request->model, "m");
  EXPECT_EQ(diagnostics_->only(), "plugin_slow p: did not return within -1 ms");
}

TEST_F(HooksTest, GuardsRunAtTheSameTime) {
  std::latch both(2);  // each waits for the other
  const auto meet = [&](const GenerationPreCall&, std::stop_token) {
    both.arrive_and_wait();
    return Verdict::go_on();
  };
  const Hooks two = hooks([&](Subscriber& h) {
    h.guard<GenerationPreCall>(meet);
    h.guard<GenerationPreCall>(meet);
  });
  EXPECT_FALSE(two.decide(call_).block());
}

TEST_F(HooksTest, TheFirstGuardToStopWinsAndTheOthersAreAskedToStop) {
  std::promise<void> asked;
  const Hooks two = hooks([&](Subscriber& h) {
    h.guard<GenerationPreCall>([&](const auto&, std::stop_token stop) {
      wait_for_stop(stop);
      asked.set_value();
      return Verdict::stop({.reason = "too late"});
    });
    h.guard<GenerationPreCall>(
        [](const auto&, std::stop_token) { return Verdict::stop({.reason = "first"}); });
  });
  const Verdict verdict = two.decide(call_);
  ASSERT_TRUE(verdict.block());
  EXPECT_EQ(verdict.block()->reason, "first");
  asked.get_future().wait();
}

TEST_F(HooksTest, ALateGuardStopsTheOperationAndIsLeftBehindWithItsCopies) {
  Gate gate;
  std::promise<std::string> late;
  std::weak_ptr<Plugin> alive;
  {
    const auto slow = plugin("slow", [&](Subscriber& h) {
      h.guard<GenerationPreCall>(
          [&](const GenerationPreCall& call, std::stop_token stop) {
            gate.wait();
            late.set_value(call.request->model + (stop.stop_requested() ? " stop" : " go"));
            return Verdict::go_on();
          },
          {.limit = 1ms});
    });
    alive = slow;
    auto call = std::make_unique<GenerationPreCall>(call_);
    const Verdict verdict = Hooks({slow}, workers_).decide(*call);
    ASSERT_TRUE(verdict.block());
    EXPECT_EQ(verdict.block()->code, "plugin_timeout");
    EXPECT_EQ(verdict.block()->plugin, "slow");
  }
  EXPECT_FALSE(alive.expired());  // its handler still runs
  gate.open();
  EXPECT_EQ(late.get_future().get(), "m stop");
  ASSERT_TRUE(workers_->drain(soon()));
  EXPECT_TRUE(alive.expired());
}

TEST_F(HooksTest, ALateOpenGuardIsReportedAndTheOthersAreHeard) {
  Gate gate;
  const Hooks two = hooks([&](Subscriber& h) {
    h.guard<GenerationPreCall>(
        [&](const auto&, std::stop_token) {
          gate.wait();
          return Verdict::stop({.reason = "not heard"});
        },
        {.limit = 1ms, .on_error = OnError::open});
    h.guard<GenerationPreCall>([](const auto&, std::stop_token) { return Verdict::go_on(); });
  });
  EXPECT_FALSE(two.decide(call_).block());
  EXPECT_EQ(diagnostics_->only(), "plugin_slow p: did not return within 1 ms");
  gate.open();
  EXPECT_TRUE(workers_->drain(soon()));
}

TEST_F(HooksTest, AGuardThatThrowsStops) {
  const Verdict verdict = hooks([](Subscriber& h) {
                            h.guard<GenerationPreCall>([](const auto&, std::stop_token) -> Verdict {
                              throw std::runtime_error("no model");
                            });
                          }).decide(call_);
  ASSERT_TRUE(verdict.block());
  EXPECT_EQ(verdict.block()->reason, "no model");
  EXPECT_EQ(verdict.block()->code, "plugin_error");
}

TEST_F(HooksTest, AnOpenGuardThatThrowsIsReported) {
  const Hooks open = hooks([](Subscriber& h) {
    h.guard<GenerationPreCall>(
        [](const auto&, std::stop_token) -> Verdict { throw std::runtime_error("no model"); },
        kOpen);
  });
  EXPECT_FALSE(open.decide(call_).block());
  EXPECT_EQ(diagnostics_->only(), "plugin_failed p: no model");
}

TEST_F(HooksTest, GuardsRunInLineOnAWorker) {
  std::vector<std::thread::id> ran;
  const auto note = [&](const auto&, std::stop_token) {
    ran.push_back(std::this_thread::get_id());
    return Verdict::go_on();
  };
  const Hooks two = hooks([&](Subscriber& h) {
    h.guard<GenerationPreCall>(note);
    h.guard<GenerationPreCall>(note);
  });
  EXPECT_FALSE(decide_on_worker(two).block());
  ASSERT_EQ(ran.size(), 2U);
  EXPECT_EQ(ran[0], ran[1]);
  EXPECT_EQ(workers_->threads(), 1);
}

TEST_F(HooksTest, GuardsRunInLineWithoutWorkers) {
  std::thread::id ran;
  const Hooks in_line({plugin("p",
                              [&](Subscriber& h) {
                                h.guard<GenerationPreCall>([&](const auto&, std::stop_token) {
                                  ran = std::this_thread::get_id();
                                  return Verdict::stop({.reason = "no"});
                                });
                              })},
                      nullptr);
  EXPECT_TRUE(in_line.decide(call_).block());
  EXPECT_EQ(ran, std::this_thread::get_id());
}

TEST_F(HooksTest, AGuardForWhichThereIsNoThreadRunsInLineBesideTheOthers) {
  workers_ = std::make_shared<Workers>(Workers::Options{.most = 1});
  std::latch both(2);
  const auto meet = [&](const GenerationPreCall&, std::stop_token) {
    both.arrive_and_wait();
    return Verdict::go_on();
  };
  const Hooks two = hooks([&](Subscriber& h) {
    h.guard<GenerationPreCall>(meet);
    h.guard<GenerationPreCall>(meet);
  });
  EXPECT_FALSE(two.decide(call_).block());
  EXPECT_EQ(workers_->threads(), 1);
}

TEST_F(HooksTest, AGuardThatIsLateInLineStopsToo) {
  workers_ = nullptr;
  const Hooks late = hooks([](Subscriber& h) {
    h.guard<GenerationPreCall>([](const auto&, std::stop_token) { return Verdict::go_on(); },
                               kAlwaysLate);
  });
  const Verdict verdict = late.decide(call_);
  ASSERT_TRUE(verdict.block());
  EXPECT_EQ(verdict.block()->code, "plugin_timeout");
}

TEST_F(HooksTest, AnOpenGuardThatIsLateInLineIsReported) {
  workers_ = nullptr;
  const Hooks late = hooks([](Subscriber& h) {
    h.guard<GenerationPreCall>(
        [](const auto&, std::stop_token) { return Verdict::stop({.reason = "late"}); },
        kAlwaysLateAndOpen);
  });
  EXPECT_FALSE(late.decide(call_).block());
  EXPECT_EQ(diagnostics_->only(), "plugin_slow p: did not return within -1 ms");
}

TEST_F(HooksTest, AnObserverThatThrowsIsReportedAndPassedOver) {
  bool after = false;
  hooks([&](Subscriber& h) {
    h.observe<GenerationPreCall>([](const auto&) { throw std::runtime_error("no disk"); });
    h.observe<GenerationPreCall>([&](const auto&) { after = true; });
  }).tell(call_);
  EXPECT_TRUE(after);
  EXPECT_EQ(diagnostics_->only(), "plugin_failed p: no disk");
}

TEST_F(HooksTest, ALateObserverIsReported) {
  hooks([&](Subscriber& h) {
    h.observe<GenerationPreCall>([](const auto&) {}, kAlwaysLate);
  }).tell(call_);
  EXPECT_EQ(diagnostics_->only(), "plugin_slow p: did not return within -1 ms");
}

TEST_F(HooksTest, AReportNamesTheOperation) {
  Id about;
  hooks([&](Subscriber& h) {
    h.observe<GenerationPostCall>([](const auto&) { throw std::runtime_error("no disk"); });
    h.observe<Diagnostic>([&](const Diagnostic& told) { about = told.scope.id(); });
  }).tell(GenerationPostCall{.opening = std::make_shared<const GenerationPreCall>(call_)});
  EXPECT_EQ(about, call_.scope.id());
}

TEST_F(HooksTest, WhatGoesWrongWithADiagnosticIsToldToNobody) {
  int told = 0;
  hooks([&](Subscriber& h) {
    h.observe<Diagnostic>([&](const auto&) {
      ++told;
      throw std::runtime_error("no disk");
    });
  }).report({}, {.kind = Notice::Kind::token_renewed});
  EXPECT_EQ(told, 1);
  EXPECT_EQ(diagnostics_->notices().size(), 1U);
}

TEST_F(HooksTest, BackgroundHandlersRunOnAWorkerInTheOrderOfTheEvents) {
  std::string order;
  bool on_worker = true;
  const Hooks later = hooks([&](Subscriber& h) {
    h.background<GenerationPreCall>([&](const GenerationPreCall& call, std::stop_token) {
      order += call.request->model;
      on_worker = on_worker && Workers::on_worker();
    });
  });
  for (const char* model : {"a", "b", "c", "d"}) {
    call_.request.edit().model = model;
    later.tell(call_);
  }
  ASSERT_TRUE(workers_->drain(soon()));
  EXPECT_EQ(order, "abcd");
  EXPECT_TRUE(on_worker);
}

TEST_F(HooksTest, ABackgroundHandlerThatThrowsIsReported) {
  hooks([&](Subscriber& h) {
    h.background<GenerationPreCall>(
        [](const auto&, std::stop_token) { throw std::runtime_error("no disk"); });
  }).tell(call_);
  ASSERT_TRUE(workers_->drain(soon()));
  EXPECT_EQ(diagnostics_->only(), "plugin_failed p: no disk");
}

TEST_F(HooksTest, DroppedEventsAreReportedOnceWhenDroppingBegins) {
  workers_ = std::make_shared<Workers>(Workers::Options{.background = 1});
  Gate gate;
  std::promise<void> begun;
  std::atomic<int> seen = 0;
  const Hooks later = hooks([&](Subscriber& h) {
    h.background<GenerationPreCall>([&](const auto&, std::stop_token) {
      if (seen++ == 0) begun.set_value();
      gate.wait();
    });
  });
  later.tell(call_);
  begun.get_future().wait();  // so the line is empty
  for (int n = 0; n < 4; ++n) later.tell(call_);
  gate.open();
  ASSERT_TRUE(workers_->drain(soon()));
  EXPECT_EQ(seen, 2);
  EXPECT_EQ(workers_->dropped(), 3);
  ASSERT_EQ(diagnostics_->notices().size(), 1U);
  EXPECT_EQ(diagnostics_->notices()[0].kind, Notice::Kind::background_dropped);
  EXPECT_EQ(diagnostics_->notices()[0].count, 1);
}

TEST_F(HooksTest, WithoutWorkersBackgroundHandlersAreNotCalled) {
  bool called = false;
  workers_ = nullptr;
  hooks([&](Subscriber& h) {
    h.background<GenerationPreCall>([&](const auto&, std::stop_token) { called = true; });
  }).tell(call_);
  EXPECT_FALSE(called);
}

TEST_F(HooksTest, WhatIsInLineGoesWithTheLastOwnerOfTheWorkers) {
  Gate gate;
  std::promise<void> begun;
  std::promise<void> freed;
  std::atomic<int> seen = 0;
  std::shared_ptr<void> held(nullptr, [&](void*) { freed.set_value(); });
  {
    const auto handler = [&, held = std::exchange(held, nullptr)](const auto&, std::stop_token) {
      if (seen++ == 0) begun.set_value();
      gate.wait();
    };
    const Hooks last(
        {plugin("p", [&](Subscriber& h) { h.background<GenerationPreCall>(handler); })},
        std::exchange(workers_, nullptr));
    last.tell(call_);
    begun.get_future().wait();
    last.tell(call_);
  }
  gate.open();
  freed.get_future().wait();
  EXPECT_EQ(seen, 1);
}

// Writes its name into a string when GenerationPreCall is told.
std::shared_ptr<Plugin> writer(std::string& order, std::string name, int priority = 50) {
  return plugin(name, [&order, name, priority](Subscriber& h) {
    h.observe<GenerationPreCall>([&order, name](const auto&) { order += name; },
                                 {.priority = priority});
  });
}

TEST_F(HooksTest, ASetSubscribesItsPluginsInTheirOwnNames) {
  const auto bad = plugin("bad", [](Subscriber& h) {
    h.intercept<GenerationPreCall>([](auto&) { return Verdict::stop({.reason = "no"}); });
  });
  const Hooks set({std::make_shared<PluginSet>("set", Plugins{bad})}, nullptr);
  EXPECT_EQ(set.decide(call_).block()->plugin, "bad");
}

TEST_F(HooksTest, ThePriorityOfTheOutermostSetWins) {
  std::string order;
  const auto inner = std::make_shared<PluginSet>("inner", Plugins{writer(order, "a", 1)}, 90);
  const auto outer = std::make_shared<PluginSet>("outer", Plugins{inner}, 70);
  const auto plain = std::make_shared<PluginSet>("plain", Plugins{writer(order, "b", 60)});
  Hooks({outer, plain, writer(order, "c", 80)}, nullptr).tell(call_);
  EXPECT_EQ(order, "bac");
}

TEST_F(HooksTest, ASetThatHoldsItselfEnds) {
  class Ring : public Plugin {
   public:
    std::string_view name() const override { return "ring"; }
    void subscribe(Subscriber& hooks) override { hooks.add(self.lock()); }
    std::weak_ptr<Plugin> self;
  };
  const auto ring = std::make_shared<Ring>();
  ring->self = ring;
  EXPECT_FALSE(Hooks({ring}, nullptr).wanted<GenerationPreCall>());
}

TEST_F(HooksTest, APluginThatIsThereTwiceIsCalledOnce) {
  std::string order;
  const auto once = writer(order, "a");
  const Hooks hooks({once, std::make_shared<PluginSet>("set", Plugins{once}), once}, nullptr);
  hooks.with({once, writer(order, "b")}).tell(call_);
  EXPECT_EQ(order, "ab");
}

TEST_F(HooksTest, WithAddsAndLeavesTheOldOnesAsTheyWere) {
  std::string order;
  const Hooks before({writer(order, "a")}, workers_);
  const Hooks after = before.with({writer(order, "b", 1)});
  before.tell(call_);
  after.tell(call_);
  EXPECT_EQ(order, "aba");
  EXPECT_EQ(after.workers(), before.workers());
}

TEST_F(HooksTest, HandlersKeepTheirPluginAlive) {
  std::string order;
  std::weak_ptr<Plugin> alive;
  {
    Hooks hooks;
    {
      const auto mine = writer(order, "a");
      alive = mine;
      hooks = Hooks({mine}, nullptr).with({writer(order, "b")});
    }
    hooks.tell(call_);
    EXPECT_FALSE(alive.expired());
  }
  EXPECT_EQ(order, "ab");
  EXPECT_TRUE(alive.expired());
}

TEST_F(HooksTest, WhatSubscribeThrowsComesOut) {
  const auto bad = plugin("bad", [](Subscriber&) { throw std::runtime_error("no key"); });
  EXPECT_THROW(Hooks({bad}, nullptr), std::runtime_error);
  EXPECT_THROW(Hooks().with({bad}), std::runtime_error);
}

TEST_F(HooksTest, NullPluginsAndEmptyFunctionsAreRefused) {
  EXPECT_THROW(Hooks({nullptr}, nullptr), Error);
  EXPECT_THROW(hooks([](Subscriber& h) { h.observe<SessionReset>({}); }), Error);
}

TEST_F(HooksTest, ALimitMayBeForEver) {
  EXPECT_FALSE(hooks([](Subscriber& h) {
                 h.guard<GenerationPreCall>(
                     [](const auto&, std::stop_token) { return Verdict::go_on(); },
                     {.limit = std::chrono::milliseconds::max()});
               })
                   .decide(call_)
                   .block());
  EXPECT_TRUE(diagnostics_->notices().empty());
}

TEST_F(HooksTest, ManyThreadsMayFireAtOnce) {
  std::atomic<int> told = 0;
  const Hooks all = hooks([&](Subscriber& h) {
    h.transform<GenerationPreCall>([](GenerationPreCall& call) { call.headers.clear(); });
    h.guard<GenerationPreCall>([](const auto&, std::stop_token) { return Verdict::go_on(); });
    h.observe<GenerationPreCall>([&](const auto&) { ++told; });
    h.background<GenerationPreCall>([&](const auto&, std::stop_token) { ++told; });
  });
  std::vector<std::jthread> threads;
  for (int n = 0; n < 8; ++n)
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        GenerationPreCall call = call_;
        EXPECT_FALSE(all.decide(call).block());
        all.tell(call);
      }
    });
  threads.clear();
  ASSERT_TRUE(workers_->drain(soon()));
  EXPECT_EQ(told, 800);
}

}  // namespace
}  // namespace mellea
