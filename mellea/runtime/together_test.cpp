#include "mellea/runtime/together.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "mellea/core/error.h"

namespace mellea {
namespace {

TEST(RunTogether, DoesAllAndLeavesNothingBehind) {
  for (const int most : {1, 2, 8}) {
    Workers workers({.most = most});
    std::atomic<int> done{0};
    const auto held = std::make_shared<int>(0);
    std::vector<std::function<void()>> tasks;
    for (int i = 0; i < 6; ++i) tasks.emplace_back([&done, held] { ++done; });
    run_together(&workers, std::move(tasks));
    EXPECT_EQ(done, 6);
    EXPECT_EQ(held.use_count(), 1);
  }
}

TEST(RunTogether, NeedsNoWorkersAndNoTasks) {
  int done = 0;
  run_together(nullptr, {[&] { ++done; }, [&] { ++done; }});
  run_together(nullptr, {});
  EXPECT_EQ(done, 2);
}

// Whether the worker has begun by then is chance.
TEST(RunTogether, WhatTheEndOfTheWorkersDropsIsNotWaitedFor) {
  for (int round = 0; round < 200; ++round) {
    Workers workers;
    std::atomic<bool> done{false};
    bool dropped = false;
    try {
      run_together(&workers, {[&] { workers.stop(Instant{}); }, [&] { done = true; }});
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::shutdown);
      dropped = true;
    }
    EXPECT_NE(done, dropped);
  }
}

}  // namespace
}  // namespace mellea
