#include "mellea/telemetry/warnings.h"

#include <utility>

namespace mellea::telemetry {

Warnings::Warnings(std::function<void(std::string_view)> tell) : tell_(std::move(tell)) {}

void Warnings::add(std::string text) noexcept {
  if (fork_.inherited()) return;
  bool telling = false;
  try {
    telling = begin_telling(text);
    if (telling) tell_(text);
  } catch (...) {  // NOLINT: there is nobody left to tell
  }
  if (!telling) return;
  const std::lock_guard lock(mutex_);
  --telling_;
  told_.notify_all();
}

bool Warnings::begin_telling(const std::string& text) {
  const std::lock_guard lock(mutex_);
  if (kept_.size() < kMostKept) kept_.push_back(text);
  if (!tell_ || closed_) return false;
  ++telling_;
  return true;
}

void Warnings::log(LogRecord record) noexcept {
  if (fork_.inherited()) return;
  std::shared_ptr<Logger> logger;
  {
    const std::lock_guard lock(mutex_);
    logger = logger_.lock();
  }
  if (!logger) return;
  record.for_people = false;  // they have the warning
  logger->log(std::move(record));
}

void Warnings::log_to(std::weak_ptr<Logger> logger) noexcept {
  const std::lock_guard lock(mutex_);
  logger_ = std::move(logger);
}

void Warnings::close(Instant until) noexcept {
  if (fork_.inherited()) return;
  std::unique_lock lock(mutex_);
  closed_ = true;
  told_.wait_until(lock, until, [&] { return telling_ == 0; });
}

std::vector<std::string> Warnings::all() const {
  if (fork_.inherited()) return {};
  const std::lock_guard lock(mutex_);
  return kept_;
}

}  // namespace mellea::telemetry
