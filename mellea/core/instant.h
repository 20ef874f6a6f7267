// Moments, for deadlines and for times of arrival.
#pragma once

#include <chrono>

namespace mellea {

// Steady: no step of the wall clock moves it.
using Instant = std::chrono::steady_clock::time_point;

// `since` and `time` added, or the end of all time where that is beyond it.
inline Instant later(Instant since, std::chrono::milliseconds time) noexcept {
  return time < std::chrono::hours(24 * 365) ? since + time : Instant::max();
}

}  // namespace mellea
