#include "mellea/net/answer_queue.h"

#include <utility>

namespace mellea {

void AnswerQueue::Batch::clear() noexcept {
  bytes.clear();
  pieces.clear();
  next = 0;
}

AnswerQueue::Wake AnswerQueue::put(std::optional<HttpHead> head, std::string& bytes, Instant at) {
  Wake wake;
  {
    const std::scoped_lock lock(mutex_);
    add(std::move(head), bytes, at);
    if (closed_) return {};
    wake = std::exchange(wake_, {});
  }
  changed_.notify_one();
  return wake;
}

void AnswerQueue::put_last(std::optional<HttpHead> head, std::string& bytes, Instant at) {
  const std::scoped_lock lock(mutex_);
  add(std::move(head), bytes, at);
}

void AnswerQueue::add(std::optional<HttpHead> head, std::string& bytes, Instant at) {
  if (head && !closed_) {
    head_ = std::move(*head);
    head_waits_ = true;
  }
  if (closed_ || bytes.empty()) return bytes.clear();
  if (arrived_.bytes.empty()) {
    arrived_.bytes.swap(bytes);
  } else {
    arrived_.bytes += bytes;
    bytes.clear();
  }
  arrived_.pieces.push_back({.end = arrived_.bytes.size(), .at = at});
  backlog_.store(arrived_.bytes.size(), std::memory_order_relaxed);
  last_arrival_ = at;
}

bool AnswerQueue::pause_if_full(std::size_t more, Instant now) {
  if (backlog_.load(std::memory_order_relaxed) + more < kBound) return false;
  const std::scoped_lock lock(mutex_);
  if (closed_ || arrived_.bytes.size() + more < kBound) return false;
  paused_ = true;
  paused_since_ = now;
  return true;
}

void AnswerQueue::resume(Instant now) {
  const std::scoped_lock lock(mutex_);
  if (std::exchange(paused_, false) && !closed_) times_.paused += now - paused_since_;
}

void AnswerQueue::put_sent(Instant at) {
  const std::scoped_lock lock(mutex_);
  if (!closed_) times_.sent = at;
}

AnswerQueue::Wake AnswerQueue::take_wake() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(wake_, {});
}

bool AnswerQueue::close(std::optional<Error> failure, Instant at) {
  {
    const std::scoped_lock lock(mutex_);
    if (std::exchange(closed_, true)) return false;
    failure_ = std::move(failure);
    times_.ended = at;
    if (paused_) times_.paused += at - paused_since_;
  }
  changed_.notify_all();
  return true;
}

bool AnswerQueue::finish() {
  Wake unused;  // goes after the lock: it may be the last to hold the exchange
  const std::scoped_lock lock(mutex_);
  arrived_.clear();
  reading_.clear();
  head_waits_ = false;
  unused.swap(wake_);
  if (std::exchange(closed_, true)) return false;
  times_.ended = last_arrival_;
  return true;
}

HttpTimes AnswerQueue::times() const {
  const std::scoped_lock lock(mutex_);
  return times_;
}

bool AnswerQueue::ready() const noexcept {
  return head_waits_ || !arrived_.pieces.empty() || closed_;
}

HttpNext AnswerQueue::try_next() {
  if (!reading_.all_read()) {
    ++reading_.next;
    return HttpNext::bytes;
  }
  const std::scoped_lock lock(mutex_);
  if (std::exchange(head_waits_, false)) return HttpNext::head;
  if (!arrived_.pieces.empty()) {
    reading_.clear();
    std::swap(reading_, arrived_);
    backlog_.store(0, std::memory_order_relaxed);
    caught_up_ = paused_;
    reading_.next = 1;
    return HttpNext::bytes;
  }
  if (!closed_) return HttpNext::pending;
  if (failure_) throw Error(*failure_);
  return HttpNext::end;
}

std::string_view AnswerQueue::bytes() const noexcept {
  const std::size_t begin = reading_.next > 1 ? reading_.pieces[reading_.next - 2].end : 0;
  const std::size_t end = reading_.pieces[reading_.next - 1].end;
  return std::string_view(reading_.bytes).substr(begin, end - begin);
}

void AnswerQueue::wait(Instant until) {
  if (!reading_.all_read()) return;
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, until, [this] { return ready(); });
}

bool AnswerQueue::when_ready(Wake wake) {
  if (!reading_.all_read()) return false;
  const std::scoped_lock lock(mutex_);
  if (ready()) return false;
  wake_.swap(wake);  // the old one goes after the lock
  return true;
}

}  // namespace mellea
