#include "mellea/telemetry/batch_processor.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <iterator>
#include <mutex>
#include <utility>
#include <vector>

#include "mellea/core/signals.h"

namespace mellea::telemetry {
namespace {

constexpr auto kBetweenWarnings = std::chrono::minutes(1);
constexpr auto kForInterrupt = std::chrono::milliseconds(100);

std::thread without_signals(std::function<void()> body) {
  const SignalsBlocked blocked;
  return std::thread(std::move(body));
}

// A batch that the queue can't hold would never be full.
BatchOptions possible(BatchOptions options) {
  options.queue = std::max<std::size_t>(options.queue, 1);
  options.batch = std::clamp<std::size_t>(options.batch, 1, options.queue);
  return options;
}

}  // namespace

// Shared with the thread, which may be left behind. It also means that a child of fork() never
// destroys it: the thread that would let go of it is not there.
struct BatchProcessor::State {
  State(std::unique_ptr<BatchSender> its_sender, const BatchOptions& its_options,
        std::shared_ptr<Warnings> its_warnings)
      : sender(std::move(its_sender)),
        options(possible(its_options)),
        warnings(std::move(its_warnings)) {}

  const std::unique_ptr<BatchSender> sender;
  const BatchOptions options;
  const std::shared_ptr<Warnings> warnings;

  std::mutex mutex;  // guards all that follows
  std::condition_variable wake;
  std::condition_variable done;
  std::deque<SpanPtr> queue;
  std::int64_t accepted = 0;
  std::int64_t finished = 0;  // of the accepted: delivered or given up
  std::int64_t flush_to = 0;  // finished is to come so far at once
  std::int64_t lost = 0;
  bool stopping = false;
  bool ended = false;  // the thread touches nothing any more

  // Only the thread uses these.
  std::int64_t told = 0;  // of `lost`
  Instant told_at{};
  std::string reason;  // of the last loss on the way

  void run();
  bool wait_for_batch(std::unique_lock<std::mutex>& lock);
  void send_batch(std::unique_lock<std::mutex>& lock);
  void tell(std::int64_t lost_now, bool last);
};

void BatchProcessor::State::run() {
  std::unique_lock lock(mutex);
  while (wait_for_batch(lock)) send_batch(lock);
  const std::int64_t lost_now = lost;
  lock.unlock();
  sender->close();
  tell(lost_now, true);
  lock.lock();
  ended = true;
  done.notify_all();
}

// False if there is nothing to do and never will be.
bool BatchProcessor::State::wait_for_batch(std::unique_lock<std::mutex>& lock) {
  wake.wait(lock, [&] { return !queue.empty() || stopping; });
  wake.wait_until(lock, Instant::clock::now() + options.delay,
                  [&] { return queue.size() >= options.batch || flush_to > finished || stopping; });
  return !queue.empty();
}

void BatchProcessor::State::send_batch(std::unique_lock<std::mutex>& lock) {
  const auto count = std::min(queue.size(), options.batch);
  const auto end = queue.begin() + static_cast<std::ptrdiff_t>(count);
  std::vector<SpanPtr> batch(std::make_move_iterator(queue.begin()), std::make_move_iterator(end));
  queue.erase(queue.begin(), end);
  lock.unlock();
  std::string failure;
  try {
    failure = sender->send(batch);
  } catch (const std::exception& error) {  // no memory
    failure = error.what();
  }
  batch.clear();
  lock.lock();
  finished += static_cast<std::int64_t>(count);
  if (!failure.empty()) {
    lost += static_cast<std::int64_t>(count);
    reason = std::move(failure);
  }
  const std::int64_t lost_now = lost;
  done.notify_all();
  lock.unlock();
  tell(lost_now, false);
  lock.lock();
}

void BatchProcessor::State::tell(std::int64_t lost_now, bool last) {
  const Instant now = Instant::clock::now();
  if (lost_now == told) return;
  if (told_at != Instant{} && now - told_at < kBetweenWarnings && !last) return;
  const std::string why = reason.empty() ? "more ended than could be sent" : reason;
  warnings->add(sender->name() + ": " + std::to_string(lost_now - told) + " spans lost: " + why);
  told = lost_now;
  told_at = now;
}

BatchProcessor::BatchProcessor(std::unique_ptr<BatchSender> sender, const BatchOptions& options,
                               std::shared_ptr<Warnings> warnings)
    : state_(std::make_shared<State>(std::move(sender), options, std::move(warnings))),
      thread_(without_signals([state = state_] { state->run(); })) {}

BatchProcessor::~BatchProcessor() {
  shutdown(Instant::clock::now());
  if (thread_.joinable()) thread_.detach();  // not ours to join in a child of fork()
}

void BatchProcessor::export_spans(std::span<const SpanPtr> spans) noexcept {
  if (fork_.inherited()) return;
  const std::lock_guard lock(state_->mutex);
  for (const SpanPtr& span : spans) {
    if (state_->stopping || state_->queue.size() >= state_->options.queue) {
      ++state_->lost;
      continue;
    }
    state_->queue.push_back(span);
    ++state_->accepted;
    const std::size_t waiting = state_->queue.size();
    if (waiting == 1 || waiting == state_->options.batch) state_->wake.notify_one();
  }
}

bool BatchProcessor::flush(Instant until) noexcept {
  if (fork_.inherited()) return true;
  std::unique_lock lock(state_->mutex);
  const std::int64_t target = state_->accepted;
  const std::int64_t lost_before = state_->lost;
  state_->flush_to = std::max(state_->flush_to, target);
  state_->wake.notify_one();
  const bool in_time =
      state_->done.wait_until(lock, until, [&] { return state_->finished >= target; });
  return in_time && state_->lost == lost_before;
}

bool BatchProcessor::shutdown(Instant until) noexcept {
  if (fork_.inherited() || !thread_.joinable()) return true;
  std::unique_lock lock(state_->mutex);
  const auto ended = [&] { return state_->ended; };
  state_->stopping = true;
  state_->wake.notify_one();
  const Instant now = Instant::clock::now();
  const Instant::duration reserve =
      std::min<Instant::duration>(kForInterrupt, std::max(until - now, Instant::duration{}) / 4);
  if (!state_->done.wait_until(lock, until - reserve, ended)) {
    lock.unlock();
    state_->sender->interrupt();
    lock.lock();
    state_->done.wait_until(lock, until, ended);
  }
  const bool all = state_->ended && state_->lost == 0;
  const bool gone = state_->ended;
  lock.unlock();
  if (gone)
    thread_.join();
  else
    thread_.detach();
  return all;
}

std::int64_t BatchProcessor::lost() const noexcept {
  if (fork_.inherited()) return 0;
  const std::lock_guard lock(state_->mutex);
  return state_->lost;
}

}  // namespace mellea::telemetry
