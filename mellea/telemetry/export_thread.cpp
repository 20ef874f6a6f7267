#include "mellea/telemetry/export_thread.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <utility>

#include "mellea/core/signals.h"
#include "mellea/telemetry/log_events.h"

namespace mellea::telemetry {
namespace {

constexpr auto kBetweenWarnings = std::chrono::minutes(1);
constexpr auto kForInterrupt = std::chrono::milliseconds(100);

std::thread without_signals(std::function<void()> body) {
  const SignalsBlocked blocked;
  return std::thread(std::move(body));
}

}  // namespace

void ExportLoop::run() {
  Lock lock(mutex_);
  while (wait(lock)) {
    Delivery delivery = deliver(lock);
    finished_ += delivery.count;
    if (delivery.failure.empty()) {
      delivered_ += delivery.count;
    } else {
      delivered_ += delivery.delivered;
      lost_ += delivery.count - delivery.delivered;
      reason_ = std::move(delivery.failure);
    }
    const Losses losses{lost_, dropped_};
    done_.notify_all();
    lock.unlock();
    tell(losses, false);
    lock.lock();
  }
  const Losses losses{lost_, dropped_};
  lock.unlock();
  close();
  tell(losses, true);
  lock.lock();
  ended_ = true;
  done_.notify_all();
}

void ExportLoop::tell(const Losses& losses, bool last) {
  const Instant now = Instant::clock::now();
  if (losses.all == told_.all) return;
  if (told_at_ != Instant{} && now - told_at_ < kBetweenWarnings && !last) return;
  const std::int64_t lost = losses.all - told_.all;
  const std::int64_t dropped = losses.dropped - told_.dropped;
  warnings_->add(told(lost, dropped == lost ? std::string() : reason_));
  if (dropped != 0) log(log_event::kDropped, dropped);
  if (dropped != lost) log(log_event::kExportFailed, lost - dropped);
  told_ = losses;
  told_at_ = now;
}

void ExportLoop::log(std::string_view event, std::int64_t count) const {
  if (signal() == Signal::logs) return;
  const bool traces = signal() == Signal::traces;
  std::string body = std::to_string(count) + (traces ? " spans" : " sets of metrics");
  body += event == log_event::kDropped ? " dropped: more came than could be sent"
                                       : " could not be delivered";
  LogRecord record{.severity = Severity::warn, .event = event, .body = std::move(body)};
  record.set(Fact::signal, std::string(traces ? "traces" : "metrics"));
  record.set(Fact::exporter, label());
  record.set(Fact::lost_count, count);
  warnings_->log(std::move(record));
}

ExportThread::ExportThread(std::shared_ptr<ExportLoop> loop)
    : loop_(std::move(loop)), thread_(without_signals([shared = loop_] { shared->run(); })) {}

ExportThread::~ExportThread() {
  shutdown(Instant::clock::now());
  if (thread_.joinable()) thread_.detach();  // not ours to join in a child of fork()
}

ExportThread::Asked ExportThread::ask() noexcept {
  if (fork_.inherited()) return {};
  const ExportLoop::Lock lock(loop_->mutex_);
  loop_->on_flush();
  loop_->flush_to_ = std::max(loop_->flush_to_, loop_->accepted_);
  loop_->wake_.notify_one();
  return {loop_->accepted_, loop_->lost_};
}

bool ExportThread::wait_for(const Asked& asked, Instant until) noexcept {
  if (fork_.inherited()) return true;
  ExportLoop::Lock lock(loop_->mutex_);
  const bool in_time = loop_->done_.wait_until(
      lock, until, [&] { return loop_->finished_ >= asked.target || loop_->ended_; });
  return in_time && loop_->lost_ == asked.lost;
}

void ExportThread::stop() noexcept {
  if (fork_.inherited()) return;
  const ExportLoop::Lock lock(loop_->mutex_);
  loop_->stopping_ = true;
  loop_->wake_.notify_one();
}

bool ExportThread::shutdown(Instant until) noexcept {
  if (fork_.inherited()) return true;
  ExportLoop::Lock lock(loop_->mutex_);
  const auto ended = [&] { return loop_->ended_; };
  loop_->stopping_ = true;
  loop_->wake_.notify_one();
  const Instant now = Instant::clock::now();
  const Instant::duration reserve =
      std::min<Instant::duration>(kForInterrupt, std::max(until - now, Instant::duration{}) / 4);
  if (!loop_->done_.wait_until(lock, until - reserve, ended)) {
    lock.unlock();
    loop_->interrupt();
    lock.lock();
    loop_->done_.wait_until(lock, until, ended);
  }
  const bool gone = loop_->ended_;
  const bool all = gone && loop_->is_complete();
  std::thread thread = std::exchange(thread_, {});  // the first to come here lets go of it
  lock.unlock();
  if (thread.joinable() && gone)
    thread.join();
  else if (thread.joinable())
    thread.detach();
  return all;
}

}  // namespace mellea::telemetry
