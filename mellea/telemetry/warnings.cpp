#include "mellea/telemetry/warnings.h"

#include <utility>

namespace mellea::telemetry {

Warnings::Warnings(std::function<void(std::string_view)> tell) : tell_(std::move(tell)) {}

void Warnings::add(std::string text) noexcept {
  try {
    if (tell_) tell_(text);
    const std::lock_guard lock(mutex_);
    if (kept_.size() < kMostKept) kept_.push_back(std::move(text));
  } catch (...) {  // NOLINT: there is nobody left to tell
  }
}

std::vector<std::string> Warnings::all() const {
  const std::lock_guard lock(mutex_);
  return kept_;
}

}  // namespace mellea::telemetry
