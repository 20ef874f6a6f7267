#include "mellea/telemetry/batch_processor.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <utility>
#include <vector>

namespace mellea::telemetry {
namespace {

// A batch that the queue can't hold would never be full.
BatchOptions possible(BatchOptions options) {
  options.queue = std::max<std::size_t>(options.queue, 1);
  options.batch = std::clamp<std::size_t>(options.batch, 1, options.queue);
  return options;
}

}  // namespace

class BatchProcessor::Loop : public ExportLoop {
 public:
  Loop(std::unique_ptr<BatchSender> sender, const BatchOptions& options,
       std::shared_ptr<Warnings> warnings)
      : ExportLoop(std::move(warnings)), sender_(std::move(sender)), options_(possible(options)) {}

  std::string label() const { return sender_->label(); }
  void add(std::span<const SpanPtr> spans);
  BatchHealth health();

 private:
  bool wait(Lock& lock) override;
  Delivery deliver(Lock& lock) override;
  std::string told(std::int64_t lost, const std::string& why) const override {
    return sender_->name() + ": " + std::to_string(lost) +
           " spans lost: " + (why.empty() ? "more ended than could be sent" : why);
  }
  void interrupt() noexcept override { sender_->interrupt(); }
  void close() noexcept override { sender_->close(); }

  const std::unique_ptr<BatchSender> sender_;
  const BatchOptions options_;
  std::deque<SpanPtr> queue_;  // guarded by mutex_
};

void BatchProcessor::Loop::add(std::span<const SpanPtr> spans) {
  const Lock lock(mutex_);
  for (const SpanPtr& span : spans) {
    if (stopping_ || queue_.size() >= options_.queue) {
      ++lost_;
      continue;
    }
    queue_.push_back(span);
    ++accepted_;
    const std::size_t waiting = queue_.size();
    if (waiting == 1 || waiting == options_.batch) wake_.notify_one();
  }
}

BatchHealth BatchProcessor::Loop::health() {
  const Lock lock(mutex_);
  return {.delivered = delivered_, .lost = lost_, .waiting = accepted_ - finished_};
}

bool BatchProcessor::Loop::wait(Lock& lock) {
  wake_.wait(lock, [&] { return !queue_.empty() || stopping_; });
  wake_.wait_until(lock, Instant::clock::now() + options_.delay, [&] {
    return queue_.size() >= options_.batch || flush_to_ > finished_ || stopping_;
  });
  return !queue_.empty();
}

ExportLoop::Delivery BatchProcessor::Loop::deliver(Lock& lock) {
  const auto count = std::min(queue_.size(), options_.batch);
  const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(count);
  std::vector<SpanPtr> batch(std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
  queue_.erase(queue_.begin(), end);
  lock.unlock();
  Delivery delivery{.count = static_cast<std::int64_t>(count)};
  try {
    BatchSent sent = sender_->send(batch);
    delivery.failure = std::move(sent.failure);
    delivery.delivered = std::min(sent.delivered, delivery.count);
  } catch (const std::exception& error) {  // no memory
    delivery.failure = error.what();
  }
  batch.clear();
  lock.lock();
  return delivery;
}

BatchProcessor::BatchProcessor(std::unique_ptr<BatchSender> sender, const BatchOptions& options,
                               std::shared_ptr<Warnings> warnings)
    : loop_(std::make_shared<Loop>(std::move(sender), options, std::move(warnings))),
      thread_(loop_) {}

BatchProcessor::~BatchProcessor() = default;

void BatchProcessor::export_spans(std::span<const SpanPtr> spans) noexcept {
  if (!thread_.inherited()) loop_->add(spans);
}

std::string BatchProcessor::label() const { return loop_->label(); }

BatchHealth BatchProcessor::health() const noexcept {
  return thread_.inherited() ? BatchHealth{} : loop_->health();
}

}  // namespace mellea::telemetry
