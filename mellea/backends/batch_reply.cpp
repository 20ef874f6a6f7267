#include "mellea/backends/batch_reply.h"

#include <algorithm>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace mellea {
namespace {

constexpr std::size_t kAtOnce = 8;  // requests

std::optional<std::int64_t> sum(const std::optional<std::int64_t>& a,
                                const std::optional<std::int64_t>& b) {
  return a && b ? std::optional(*a + *b) : std::nullopt;
}

Usage sum(const Usage& a, const Usage& b) {
  return {.input_tokens = sum(a.input_tokens, b.input_tokens),
          .output_tokens = sum(a.output_tokens, b.output_tokens),
          .total_tokens = sum(a.total_tokens, b.total_tokens),
          .cache_read_tokens = sum(a.cache_read_tokens, b.cache_read_tokens),
          .cache_write_tokens = sum(a.cache_write_tokens, b.cache_write_tokens),
          .reasoning_tokens = sum(a.reasoning_tokens, b.reasoning_tokens)};
}

class BatchReply final : public ReplyStream {
 public:
  explicit BatchReply(Batch batch) : batch_(std::move(batch)) { start_more(); }

  Next try_next(Chunk& chunk) override {
    if (ready_) {
      chunk = *std::exchange(ready_, std::nullopt);
      return Next::chunk;
    }
    return advance(chunk);
  }

  void wait(Instant until) override {
    if (!ready_ && !is_over()) open_.front()->wait(until);
  }

  bool when_ready(std::function<void()> wake) override {
    while (!ready_ && !is_over()) {
      if (open_.front()->when_ready(wake)) return true;
      // That one may only have come to its end, and the next one not be ready.
      Chunk chunk;
      if (step(chunk) == Next::chunk) ready_ = std::move(chunk);
    }
    return false;
  }

  void cancel() noexcept override {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    for (const auto& reply : open_) reply->cancel();
  }

  StreamTimes times() const override {
    StreamTimes all = times_;
    if (!open_.empty()) include(all, open_.front()->times());
    return all;
  }

 private:
  bool is_over() const noexcept { return failure_ || open_.empty(); }

  // As try_next(), but for what is ready.
  Next advance(Chunk& chunk) {
    for (;;) {
      if (is_over()) {
        if (tell_usage(chunk)) return Next::chunk;
        if (failure_) throw Error(*failure_);
        return Next::end;
      }
      if (const Next next = step(chunk); next != Next::end) return next;
    }
  }

  // One step of the request that is being read; Next::end if it came to its end, or failed.
  Next step(Chunk& chunk) {
    try {
      for (;;) {
        const Next next = open_.front()->try_next(chunk);
        if (next == Next::end) finish();
        if (next != Next::chunk) return next;
        if (const auto* usage = std::get_if<Usage>(&chunk.what)) {
          its_usage_ = updated(its_usage_.value_or(Usage{}), *usage);
          if (batch_.stride > 1) continue;  // of no prompt in particular
        }
        if (chunk.index >= 0 || std::holds_alternative<Notice>(chunk.what))
          chunk.index = std::max(chunk.index, 0) + static_cast<int>(read_) * batch_.stride;
        return Next::chunk;
      }
    } catch (const Error& error) {
      fail(error, read_ + 1);
      return Next::end;
    }
  }

  // The one that was read has ended well.
  void finish() {
    include(times_, open_.front()->times());
    count();
    std::unique_ptr<ReplyStream> done;
    {
      const std::lock_guard lock(mutex_);
      done = std::move(open_.front());
      open_.pop_front();
    }
    ++read_;
    try {
      start_more();
    } catch (const Error& error) {
      fail(error, started_);
    }
    if (!failure_ && open_.empty() && started_ < batch_.requests)
      fail(Error(Errc::cancelled, "cancelled before it was sent"), started_ + 1);
  }

  // `request` is counted from 1.
  void fail(const Error& error, std::size_t request) {
    if (!open_.empty()) include(times_, open_.front()->times());
    if (its_usage_) count();
    failure_.emplace(error.code(),
                     std::string(error.what()) + " (request " + std::to_string(request) + " of " +
                         std::to_string(batch_.requests) + ')',
                     error.details());
    std::deque<std::unique_ptr<ReplyStream>> rest;
    const std::lock_guard lock(mutex_);
    rest.swap(open_);
  }

  void count() {
    const Usage its = std::exchange(its_usage_, std::nullopt).value_or(Usage{});
    usage_ = usage_ ? sum(*usage_, its) : its;
  }

  bool tell_usage(Chunk& chunk) {
    const Usage usage = std::exchange(usage_, std::nullopt).value_or(Usage{});
    if (usage == Usage{}) return false;
    chunk = {.at = times_.ended, .index = -1, .what = usage};
    return true;
  }

  static void include(StreamTimes& all, const StreamTimes& one) {
    if (all.sent == Instant{}) all.sent = one.sent;
    all.ended = std::max(all.ended, one.ended);
    all.paused = std::max(all.paused, one.paused);  // several are held back at the same time
  }

  // After a cancel there are no more.
  void start_more() {
    while (started_ < batch_.requests && open_.size() < kAtOnce && !is_cancelled()) {
      std::unique_ptr<ReplyStream> reply = batch_.start(started_++);
      const std::lock_guard lock(mutex_);
      if (cancelled_) reply->cancel();
      open_.push_back(std::move(reply));
    }
  }

  bool is_cancelled() {
    const std::lock_guard lock(mutex_);
    return cancelled_;
  }

  const Batch batch_;
  std::size_t started_ = 0;  // how many requests were sent
  std::size_t read_ = 0;     // how many came to their end; the next one is the first of open_
  StreamTimes times_{};      // of those
  std::optional<Usage> its_usage_{};  // of the one that is being read, as told up to now
  std::optional<Usage> usage_{};      // of those read, added up; told when it is over
  std::optional<Chunk> ready_{};      // was read, and not given out yet
  std::optional<Error> failure_{};    // then open_ is empty

  std::mutex mutex_;
  std::deque<std::unique_ptr<ReplyStream>> open_;  // changed by the reader only, with mutex_ held
  bool cancelled_ = false;                         // guarded by mutex_
};

}  // namespace

std::unique_ptr<ReplyStream> start_batch(Batch batch) {
  if (batch.requests == 1) return batch.start(0);
  return std::make_unique<BatchReply>(std::move(batch));
}

}  // namespace mellea
