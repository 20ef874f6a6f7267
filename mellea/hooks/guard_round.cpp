#include "mellea/hooks/guard_round.h"

namespace mellea {

void GuardRound::put(std::size_t guard, HandlerAnswer answer) {
  {
    const std::lock_guard lock(mutex_);
    answers_.emplace_back(guard, std::move(answer));
  }
  answered_.notify_one();
}

std::optional<std::pair<std::size_t, HandlerAnswer>> GuardRound::take(Instant until) {
  std::unique_lock lock(mutex_);
  if (!answered_.wait_until(lock, until, [this] { return !answers_.empty(); })) return {};
  auto first = std::move(answers_.front());
  answers_.erase(answers_.begin());
  return first;
}

}  // namespace mellea
