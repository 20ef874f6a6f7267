#include "mellea/hooks/workers.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <future>
#include <latch>
#include <string>
#include <thread>

namespace mellea {
namespace {

using namespace std::chrono_literals;

Instant now() { return std::chrono::steady_clock::now(); }
Instant soon() { return now() + 30s; }

// Runs `task` on a worker and waits for it.
template <class Task>
void run(Workers& workers, Task task) {
  std::promise<void> done;
  ASSERT_TRUE(workers.try_run([&] {
    task();
    done.set_value();
  }));
  done.get_future().wait();
}

TEST(WorkersTest, StartNoThreadBeforeThereIsATask) { EXPECT_EQ(Workers().threads(), 0); }

TEST(WorkersTest, RunATaskOnAnotherThread) {
  Workers workers;
  std::thread::id ran;
  run(workers, [&] { ran = std::this_thread::get_id(); });
  EXPECT_NE(ran, std::this_thread::get_id());
}

TEST(WorkersTest, KnowWhetherAThreadIsAWorker) {
  Workers workers;
  bool inside = false;
  run(workers, [&] { inside = Workers::on_worker(); });
  EXPECT_TRUE(inside);
  EXPECT_FALSE(Workers::on_worker());
}

TEST(WorkersTest, UseAnIdleThreadAgain) {
  Workers workers;
  for (int n = 0; n < 20; ++n) {
    run(workers, [] {});
    ASSERT_TRUE(workers.drain(soon()));
  }
  EXPECT_EQ(workers.threads(), 1);
}

TEST(WorkersTest, TryRunRefusesAtTheCapAndPostWaits) {
  Workers workers({.most = 2});
  std::latch begun(2);
  std::promise<void> gate;
  const std::shared_future<void> open = gate.get_future().share();
  const auto busy = [&] {
    begun.count_down();
    open.wait();
  };
  ASSERT_TRUE(workers.try_run(busy));
  ASSERT_TRUE(workers.try_run(busy));
  begun.wait();
  EXPECT_FALSE(workers.try_run([] {}));
  std::atomic<bool> posted = false;
  EXPECT_TRUE(workers.post([&] { posted = true; }));
  EXPECT_FALSE(workers.drain(now()));
  gate.set_value();
  ASSERT_TRUE(workers.drain(soon()));
  EXPECT_TRUE(posted);
  EXPECT_EQ(workers.threads(), 2);
}

TEST(WorkersTest, TasksThatBlockGetMoreThreadsThanProcessors) {
  const auto tasks = static_cast<std::ptrdiff_t>(2 * std::thread::hardware_concurrency() + 3);
  Workers workers;
  std::latch together(tasks + 1);
  for (std::ptrdiff_t n = 0; n < tasks; ++n)
    ASSERT_TRUE(workers.post([&] { together.arrive_and_wait(); }));
  together.arrive_and_wait();
  EXPECT_TRUE(workers.drain(soon()));
  EXPECT_TRUE(workers.stop(soon()));
  EXPECT_EQ(workers.threads(), 0);
}

TEST(WorkersTest, HaveAtLeastOneThread) {
  Workers workers({.most = 0});
  run(workers, [] {});
  EXPECT_EQ(workers.threads(), 1);
}

TEST(WorkersTest, BlockSignals) {
  Workers workers;
  sigset_t blocked;
  run(workers, [&] { ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked); });
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGCHLD, SIGPIPE, SIGALRM})
    EXPECT_EQ(::sigismember(&blocked, signal), 1) << signal;
  sigset_t mine;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mine);
  EXPECT_EQ(::sigismember(&mine, SIGINT), 0);
}

TEST(WorkersTest, TheBackgroundRunsOneTaskAtATimeInOrder) {
  Workers workers;
  std::string order;
  std::atomic<int> at_once = 0;
  for (char c = 'a'; c <= 'z'; ++c)
    EXPECT_TRUE(workers.background([&, c](std::stop_token) {
      EXPECT_EQ(at_once++, 0);
      order += c;
      --at_once;
    }));
  ASSERT_TRUE(workers.drain(soon()));
  EXPECT_EQ(order, "abcdefghijklmnopqrstuvwxyz");
}

TEST(WorkersTest, AFullBackgroundDropsAndCounts) {
  Workers workers({.background = 2});
  std::promise<void> begun, gate;
  const auto open = gate.get_future().share();
  ASSERT_TRUE(workers.background([&](std::stop_token) {
    begun.set_value();
    open.wait();
  }));
  begun.get_future().wait();
  std::atomic<int> ran = 0;
  int taken = 0;
  for (int n = 0; n < 5; ++n)
    if (workers.background([&](std::stop_token) { ++ran; })) ++taken;
  EXPECT_EQ(taken, 2);
  EXPECT_EQ(workers.dropped(), 3);
  EXPECT_EQ(workers.drops_to_report(), 3);
  EXPECT_EQ(workers.drops_to_report(), 0);
  gate.set_value();
  ASSERT_TRUE(workers.drain(soon()));
  EXPECT_EQ(ran, 2);
}

TEST(WorkersTest, DropsAreReportedAtMostOnceAMinute) {
  Workers workers({.background = 0});
  EXPECT_FALSE(workers.background([](std::stop_token) {}));
  EXPECT_EQ(workers.drops_to_report(), 1);
  EXPECT_FALSE(workers.background([](std::stop_token) {}));
  EXPECT_EQ(workers.drops_to_report(), 0);
  EXPECT_EQ(workers.dropped(), 2);
}

TEST(WorkersTest, DrainOnAWorkerDoesNotWaitForItself) {
  Workers workers;
  bool drained = false;
  run(workers, [&] { drained = workers.drain(soon()); });
  EXPECT_TRUE(drained);
}

TEST(WorkersTest, DrainInTheBackgroundDoesNotWaitForTheLineBehindIt) {
  Workers workers;
  std::promise<void> lined_up;
  bool drained = false, behind = false;
  ASSERT_TRUE(workers.background([&](std::stop_token) {
    lined_up.get_future().wait();
    drained = workers.drain(soon()) && !behind;
  }));
  ASSERT_TRUE(workers.background([&](std::stop_token) { behind = true; }));
  lined_up.set_value();
  ASSERT_TRUE(workers.drain(soon()));
  EXPECT_TRUE(drained);
  EXPECT_TRUE(behind);
}

TEST(WorkersTest, StopRunsWhatIsInLineAndRefusesTheRest) {
  Workers workers({.most = 1});
  std::promise<void> begun, gate;
  const auto open = gate.get_future().share();
  std::atomic<int> ran = 0;
  ASSERT_TRUE(workers.try_run([&] {
    begun.set_value();
    open.wait();
  }));
  begun.get_future().wait();
  ASSERT_TRUE(workers.post([&] { ++ran; }));
  ASSERT_TRUE(workers.background([&](std::stop_token stop) {
    EXPECT_TRUE(stop.stop_requested());
    ++ran;
  }));
  auto stopping = std::async(std::launch::async, [&] { return workers.stop(soon()); });
  while (workers.post([] {})) std::this_thread::yield();  // until it is refused
  gate.set_value();
  EXPECT_TRUE(stopping.get());
  EXPECT_EQ(ran, 2);
  EXPECT_EQ(workers.threads(), 0);
  EXPECT_FALSE(workers.try_run([] {}));
  EXPECT_FALSE(workers.background([](std::stop_token) {}));
  EXPECT_TRUE(workers.stop(soon()));
}

TEST(WorkersTest, StopAsksTheBackgroundToStop) {
  Workers workers;
  std::promise<void> begun, stopped;
  ASSERT_TRUE(workers.background([&](std::stop_token stop) {
    const std::stop_callback on_stop(stop, [&] { stopped.set_value(); });
    begun.set_value();
    stopped.get_future().wait();
  }));
  begun.get_future().wait();
  EXPECT_TRUE(workers.stop(soon()));
}

TEST(WorkersTest, StopLeavesAStuckTaskBehindAndDropsWhatHadNotBegun) {
  std::promise<void> begun, gate, left;
  const auto held = std::make_shared<int>(7);
  auto dropped = std::make_shared<int>(8);
  const std::weak_ptr<int> drop_seen = dropped;
  {
    Workers workers({.most = 1});
    ASSERT_TRUE(workers.try_run([&, held] {
      begun.set_value();
      gate.get_future().wait();
      left.set_value();
    }));
    begun.get_future().wait();
    ASSERT_TRUE(workers.post([dropped] { ADD_FAILURE() << "not begun in time"; }));
    dropped.reset();
    EXPECT_FALSE(workers.stop(now()));
    EXPECT_TRUE(drop_seen.expired());
  }
  EXPECT_GT(held.use_count(), 1);
  gate.set_value();
  left.get_future().wait();
}

TEST(WorkersTest, TheLastOwnerMayBeAWorker) {
  auto workers = std::make_shared<Workers>();
  std::promise<void> given, gone;
  ASSERT_TRUE(workers->try_run([&, mine = workers]() mutable {
    given.get_future().wait();
    mine.reset();
    gone.set_value();
  }));
  workers.reset();
  given.set_value();
  gone.get_future().wait();
}

#if !defined(__SANITIZE_THREAD__)
TEST(WorkersTest, RefuseInAChildOfFork) {
  auto workers = std::make_unique<Workers>();
  run(*workers, [] {});
  const pid_t child = ::fork();
  if (child == 0) {
    const bool refused = !workers->try_run([] {}) && !workers->post([] {}) &&
                         !workers->background([](std::stop_token) {}) && !workers->drain(soon());
    workers.reset();  // neither hangs nor ends the process
    ::_exit(refused ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  run(*workers, [] {});
}
#endif

TEST(WorkersTest, ManyThreadsMayUseThem) {
  Workers workers({.most = 4});
  std::atomic<int> ran = 0;
  int expected = 0;
  std::mutex mutex;
  {
    std::vector<std::jthread> threads;
    for (int n = 0; n < 4; ++n)
      threads.emplace_back([&] {
        int taken = 0;
        for (int i = 0; i < 200; ++i) {
          if (workers.try_run([&] { ++ran; })) ++taken;
          if (workers.post([&] { ++ran; })) ++taken;
          if (workers.background([&](std::stop_token) { ++ran; })) ++taken;
        }
        const std::lock_guard lock(mutex);
        expected += taken;
      });
  }
  EXPECT_TRUE(workers.stop(soon()));
  EXPECT_EQ(ran, expected);
}

}  // namespace
}  // namespace mellea
