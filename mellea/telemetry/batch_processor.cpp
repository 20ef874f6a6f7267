#include "mellea/telemetry/batch_processor.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <type_traits>
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

template <class Item>
class Batches<Item>::Loop : public ExportLoop {
 public:
  Loop(std::unique_ptr<SenderOf<Item>> sender, const BatchOptions& options,
       std::shared_ptr<Warnings> warnings)
      : ExportLoop(std::move(warnings)), sender_(std::move(sender)), options_(possible(options)) {}

  std::string label() const override { return sender_->label(); }
  void add(std::span<const Item> items);
  BatchHealth health();

 private:
  static constexpr bool kSpans = std::is_same_v<Item, SpanPtr>;

  bool wait(Lock& lock) override;
  Delivery deliver(Lock& lock) override;
  std::string told(std::int64_t lost, const std::string& why) const override {
    std::string text = sender_->name() + ": " + std::to_string(lost);
    text += kSpans ? " spans lost: " : " log records lost: ";
    if (!why.empty()) return text + why;
    return text + (kSpans ? "more ended than could be sent" : "more came than could be sent");
  }
  Signal signal() const noexcept override { return kSpans ? Signal::traces : Signal::logs; }
  void interrupt() noexcept override { sender_->interrupt(); }
  void close() noexcept override { sender_->close(); }

  const std::unique_ptr<SenderOf<Item>> sender_;
  // With the lock held. Half of the bytes are full enough: the other half fills while they go.
  bool is_full() const noexcept {
    return queue_.size() >= options_.batch || bytes_ >= options_.bytes / 2;
  }

  const BatchOptions options_;
  std::deque<Item> queue_;  // guarded by mutex_, as the next
  std::size_t bytes_ = 0;   // that those in the queue and under way take
};

template <class Item>
void Batches<Item>::Loop::add(std::span<const Item> items) {
  const Lock lock(mutex_);
  for (const Item& item : items) {
    const std::size_t bytes = item->bytes();
    if (stopping_ || queue_.size() >= options_.queue || bytes > options_.bytes - bytes_) {
      ++lost_;
      ++dropped_;
      continue;
    }
    const bool was_full = is_full();
    queue_.push_back(item);
    bytes_ += bytes;
    ++accepted_;
    if (queue_.size() == 1 || (is_full() && !was_full)) wake_.notify_one();
  }
}

template <class Item>
BatchHealth Batches<Item>::Loop::health() {
  const Lock lock(mutex_);
  return {.delivered = delivered_, .lost = lost_, .waiting = accepted_ - finished_};
}

template <class Item>
bool Batches<Item>::Loop::wait(Lock& lock) {
  wake_.wait(lock, [&] { return !queue_.empty() || stopping_; });
  wake_.wait_until(lock, Instant::clock::now() + options_.delay,
                   [&] { return is_full() || flush_to_ > finished_ || stopping_; });
  return !queue_.empty();
}

template <class Item>
ExportLoop::Delivery Batches<Item>::Loop::deliver(Lock& lock) {
  const auto count = std::min(queue_.size(), options_.batch);
  const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(count);
  std::vector<Item> batch(std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
  queue_.erase(queue_.begin(), end);
  lock.unlock();
  std::size_t bytes = 0;
  for (const Item& item : batch) bytes += item->bytes();
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
  bytes_ -= bytes;
  return delivery;
}

template <class Item>
Batches<Item>::Batches(std::unique_ptr<SenderOf<Item>> sender, const BatchOptions& options,
                       std::shared_ptr<Warnings> warnings)
    : loop_(std::make_shared<Loop>(std::move(sender), options, std::move(warnings))),
      thread_(loop_) {}

template <class Item>
Batches<Item>::~Batches() = default;

template <class Item>
void Batches<Item>::add(std::span<const Item> items) noexcept {
  if (!thread_.inherited()) loop_->add(items);
}

template <class Item>
std::string Batches<Item>::label() const {
  return loop_->label();
}

template <class Item>
BatchHealth Batches<Item>::health() const noexcept {
  return thread_.inherited() ? BatchHealth{} : loop_->health();
}

template class Batches<SpanPtr>;
template class Batches<LogPtr>;

}  // namespace mellea::telemetry
