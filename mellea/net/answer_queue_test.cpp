#include "mellea/net/answer_queue.h"

#include <gtest/gtest.h>

namespace mellea {
namespace {

using namespace std::chrono_literals;

constexpr Instant at(int milliseconds) { return Instant(std::chrono::milliseconds(milliseconds)); }

class AnswerQueueTest : public testing::Test {
 protected:
  void put(std::string bytes, int milliseconds) {
    static_cast<void>(queue_.put({}, bytes, at(milliseconds)));
    EXPECT_EQ(bytes, "");
  }

  void put_head() {
    std::string none;
    static_cast<void>(queue_.put(HttpHead{.status = 200}, none, at(0)));
  }

  std::string take() {
    EXPECT_EQ(queue_.try_next(), HttpNext::bytes);
    return std::string(queue_.bytes());
  }

  AnswerQueue queue_;
};

TEST_F(AnswerQueueTest, GivesHeadThenPiecesThenTheEnd) {
  EXPECT_EQ(queue_.try_next(), HttpNext::pending);
  put_head();
  put("one", 1);
  put("two", 2);
  EXPECT_EQ(queue_.try_next(), HttpNext::head);
  EXPECT_EQ(queue_.head().status, 200);
  EXPECT_EQ(take(), "one");
  EXPECT_EQ(queue_.at(), at(1));
  put("three", 3);
  EXPECT_EQ(take(), "two");
  EXPECT_EQ(queue_.at(), at(2));
  EXPECT_EQ(take(), "three");
  EXPECT_EQ(queue_.at(), at(3));
  EXPECT_EQ(queue_.try_next(), HttpNext::pending);
  queue_.close({}, at(4));
  EXPECT_EQ(queue_.try_next(), HttpNext::end);
  EXPECT_EQ(queue_.times().ended, at(4));
}

TEST_F(AnswerQueueTest, TheFirstToCloseDecides) {
  put("x", 1);
  EXPECT_TRUE(queue_.close(Error(Errc::cancelled, "first"), at(2)));
  EXPECT_FALSE(queue_.close({}, at(3)));
  put("late", 3);
  EXPECT_EQ(take(), "x");
  for (int i = 0; i < 2; ++i) EXPECT_THROW(queue_.try_next(), Error);
  EXPECT_EQ(queue_.times().ended, at(2));
}

TEST_F(AnswerQueueTest, IsFullAtItsBoundUntilItIsRead) {
  put(std::string(AnswerQueue::kBound - 1, 'x'), 1);
  EXPECT_FALSE(queue_.pause_if_full(0, at(2)));
  EXPECT_TRUE(queue_.pause_if_full(1, at(10)));
  EXPECT_FALSE(queue_.caught_up());
  take();
  EXPECT_TRUE(queue_.caught_up());
  EXPECT_FALSE(queue_.caught_up());
  queue_.resume(at(25));
  EXPECT_EQ(queue_.times().paused, 15ms);
  EXPECT_FALSE(queue_.pause_if_full(0, at(30)));
}

TEST_F(AnswerQueueTest, APauseEndsWithTheAnswer) {
  put(std::string(AnswerQueue::kBound, 'x'), 1);
  EXPECT_TRUE(queue_.pause_if_full(0, at(10)));
  queue_.close(Error(Errc::timeout, "whole"), at(12));
  queue_.resume(at(20));
  EXPECT_EQ(queue_.times().paused, 2ms);
}

TEST_F(AnswerQueueTest, FinishingDropsWhatWasNotRead) {
  put_head();
  put("one", 1);
  put("two", 2);
  EXPECT_TRUE(queue_.finish());
  EXPECT_EQ(queue_.try_next(), HttpNext::end);
  EXPECT_EQ(queue_.times().ended, at(2));
  EXPECT_FALSE(queue_.finish());
}

TEST_F(AnswerQueueTest, AWakeIsHandedOutOnce) {
  int woken = 0;
  ASSERT_TRUE(queue_.when_ready([&woken] { ++woken; }));
  std::string bytes = "x";
  const AnswerQueue::Wake wake = queue_.put({}, bytes, at(1));
  ASSERT_TRUE(wake);
  wake();
  EXPECT_EQ(woken, 1);
  EXPECT_FALSE(queue_.take_wake());
  EXPECT_FALSE(queue_.when_ready([] {}));
}

}  // namespace
}  // namespace mellea
