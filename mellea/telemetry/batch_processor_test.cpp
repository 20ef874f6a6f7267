#include "mellea/telemetry/batch_processor.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <mutex>
#include <vector>

#include "mellea/telemetry/spans_for_test.h"

namespace mellea::telemetry {
namespace {

using namespace std::chrono_literals;

// What a sender was given, and how it is to behave: shared, for the sender belongs to the
// processor.
struct Desk {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::size_t> batches;
  bool hold = false;  // send() waits until this is false, or it is interrupted
  bool deaf = false;  // and interrupt() does nothing
  bool interrupted = false;
  bool closed = false;
  bool signals_blocked = false;
  std::string failure;
  std::int64_t delivered = 0;  // of each batch that fails

  void let_go() {
    const std::lock_guard lock(mutex);
    hold = false;
    changed.notify_all();
  }
  void wait_for_batches(std::size_t count) {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, 10s, [&] { return batches.size() >= count; }));
  }
};

class DeskSender : public BatchSender {
 public:
  explicit DeskSender(std::shared_ptr<Desk> desk) : desk_(std::move(desk)) {}
  std::string name() const override { return "desk"; }
  BatchSent send(std::span<const SpanPtr> spans) override {
    std::unique_lock lock(desk_->mutex);
    sigset_t mask;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    desk_->signals_blocked = ::sigismember(&mask, SIGINT) == 1;
    desk_->batches.push_back(spans.size());
    desk_->changed.notify_all();
    desk_->changed.wait(lock, [&] { return !desk_->hold || desk_->interrupted; });
    return {.failure = desk_->interrupted ? "interrupted" : desk_->failure,
            .delivered = desk_->delivered};
  }
  void interrupt() noexcept override {
    const std::lock_guard lock(desk_->mutex);
    desk_->interrupted = !desk_->deaf;
    desk_->changed.notify_all();
  }
  void close() noexcept override {
    const std::lock_guard lock(desk_->mutex);
    desk_->closed = true;
  }

 private:
  const std::shared_ptr<Desk> desk_;
};

Instant in(std::chrono::milliseconds time) { return Instant::clock::now() + time; }

class BatchProcessorTest : public testing::Test {
 protected:
  std::unique_ptr<BatchProcessor> processor(const BatchOptions& options = {}) {
    return std::make_unique<BatchProcessor>(std::make_unique<DeskSender>(desk_), options,
                                            warnings_);
  }
  static void add(BatchProcessor& processor, int count) {
    for (int at = 0; at < count; ++at) {
      const SpanPtr span = make_span({});
      processor.export_spans({&span, 1});
    }
  }

  const std::shared_ptr<Desk> desk_ = std::make_shared<Desk>();
  const std::shared_ptr<Warnings> warnings_ = std::make_shared<Warnings>();
};

TEST_F(BatchProcessorTest, AFullBatchIsSentAtOnceOnAThreadWithoutSignals) {
  const auto p = processor({.batch = 3, .delay = 1h});
  add(*p, 3);
  desk_->wait_for_batches(1);
  const std::lock_guard lock(desk_->mutex);
  EXPECT_EQ(desk_->batches, std::vector<std::size_t>{3});
  EXPECT_TRUE(desk_->signals_blocked);
}

TEST_F(BatchProcessorTest, ABatchFitsTheQueue) {
  const auto p = processor({.queue = 2, .batch = 512});
  for (int time = 0; time < 3; ++time) {
    add(*p, 2);  // a full queue is a full batch
    EXPECT_TRUE(p->flush(in(10s)));
  }
  const auto none = processor({.batch = 0});
  add(*none, 1);
  EXPECT_TRUE(none->shutdown(in(10s)));
}

// A span that takes more than `bytes`.
SpanPtr large(std::size_t bytes) {
  auto record = make_span({});
  record->set(Fact::input_messages, std::string_view(std::string(bytes, 'x')));
  EXPECT_GT(record->bytes(), bytes);
  return record;
}

TEST_F(BatchProcessorTest, TheQueueIsBoundedInBytesTooThoseUnderWayIncluded) {
  desk_->hold = true;
  const SpanPtr span = large(100'000);
  const auto p = processor({.delay = 1h, .bytes = 4 * span->bytes()});
  for (int at = 0; at < 2; ++at) p->export_spans({&span, 1});
  desk_->wait_for_batches(1);  // half of it is enough to send
  for (int at = 0; at < 4; ++at) p->export_spans({&span, 1});
  EXPECT_EQ(p->lost(), 2);
  desk_->let_go();
  EXPECT_TRUE(p->flush(in(10s)));
  EXPECT_EQ(p->health().delivered, 4);
}

TEST_F(BatchProcessorTest, WhatWasSentLeavesItsBytesToOthers) {
  const SpanPtr span = large(100'000);
  const auto p = processor({.delay = 1h, .bytes = 2 * span->bytes()});
  for (int at = 0; at < 10; ++at) {
    p->export_spans({&span, 1});
    EXPECT_TRUE(p->flush(in(10s)));
  }
  EXPECT_EQ(p->lost(), 0);
}

TEST_F(BatchProcessorTest, WhatIsThereIsSentAfterTheDelay) {
  const auto p = processor({.delay = 1ms});
  add(*p, 1);
  desk_->wait_for_batches(1);
}

TEST_F(BatchProcessorTest, FlushWaitsForAllThatCameBefore) {
  const auto p = processor({.batch = 100, .delay = 1h});
  add(*p, 250);
  EXPECT_TRUE(p->flush(in(10s)));
  std::size_t sent = 0;
  for (const std::size_t batch : desk_->batches) sent += batch;
  EXPECT_EQ(sent, 250U);
  EXPECT_TRUE(p->flush(in(0ms))) << "there is nothing to do";
}

TEST_F(BatchProcessorTest, FlushDoesNotWaitLongerThanItMay) {
  desk_->hold = true;
  const auto p = processor();
  add(*p, 1);
  EXPECT_FALSE(p->flush(in(20ms)));
  desk_->let_go();
}

TEST_F(BatchProcessorTest, ShutdownSendsTheRestAndIsTheEnd) {
  const auto p = processor({.batch = 2, .delay = 1h});
  add(*p, 5);
  EXPECT_TRUE(p->shutdown(in(10s)));
  EXPECT_TRUE(desk_->closed);
  add(*p, 1);
  EXPECT_EQ(p->lost(), 1);
  EXPECT_EQ(warnings_->all(), std::vector<std::string>{});
}

TEST_F(BatchProcessorTest, ShutdownInterruptsASenderThatHangs) {
  desk_->hold = true;
  const auto p = processor({.batch = 1});
  add(*p, 3);
  desk_->wait_for_batches(1);
  EXPECT_FALSE(p->shutdown(in(150ms)));
  EXPECT_TRUE(desk_->closed);
  EXPECT_EQ(p->lost(), 3);
}

TEST_F(BatchProcessorTest, ASenderThatHangsForGoodIsLeftBehind) {
  desk_->hold = desk_->deaf = true;
  auto p = processor({.batch = 1});
  add(*p, 1);
  desk_->wait_for_batches(1);
  const Instant until = in(150ms);
  EXPECT_FALSE(p->shutdown(until));
  EXPECT_LT(Instant::clock::now() - until, 2s);
  p = nullptr;
  desk_->let_go();
}

TEST_F(BatchProcessorTest, WhatTheQueueHasNoRoomForIsCountedAndTold) {
  desk_->hold = true;
  const auto p = processor({.queue = 10, .batch = 1});
  add(*p, 1);
  desk_->wait_for_batches(1);
  add(*p, 15);
  EXPECT_EQ(p->lost(), 5);
  desk_->let_go();
  p->shutdown(in(10s));
  EXPECT_EQ(warnings_->all(),
            std::vector<std::string>{"desk: 5 spans lost: more ended than could be sent"});
}

TEST_F(BatchProcessorTest, FailuresAreToldOnceAMinuteAndAtTheEnd) {
  desk_->failure = "HTTP status 400";
  const auto p = processor();  // sends nothing before it is told to
  add(*p, 1);
  EXPECT_FALSE(p->flush(in(10s)));
  add(*p, 4);
  EXPECT_FALSE(p->flush(in(10s)));
  EXPECT_EQ(p->lost(), 5);
  p->shutdown(in(10s));
  EXPECT_EQ(warnings_->all(), (std::vector<std::string>{"desk: 1 spans lost: HTTP status 400",
                                                        "desk: 4 spans lost: HTTP status 400"}));
}

TEST_F(BatchProcessorTest, OfABatchThatIsDeliveredInPartTheRestIsLost) {
  desk_->failure = "2 were rejected";
  desk_->delivered = 3;
  const auto p = processor();
  add(*p, 5);
  EXPECT_FALSE(p->shutdown(in(10s)));
  EXPECT_EQ(p->health().delivered, 3);
  EXPECT_EQ(p->health().lost, 2);
  EXPECT_EQ(warnings_->all(), (std::vector<std::string>{"desk: 2 spans lost: 2 were rejected"}));
}

TEST_F(BatchProcessorTest, AChildOfForkDoesNothing) {
  auto p = processor();
  add(*p, 1);
  const pid_t child = ::fork();
  if (child == 0) {
    add(*p, 1);
    const bool calm = p->flush(in(10s)) && p->shutdown(in(10s)) && p->lost() == 0;
    p = nullptr;
    ::_exit(calm ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(p->shutdown(in(10s)));
}

}  // namespace
}  // namespace mellea::telemetry
