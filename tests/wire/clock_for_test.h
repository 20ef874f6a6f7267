// The steady clock of this test program, libcurl's included, can be put forward.
#pragma once

#include <chrono>

namespace mellea {

// From now on it is so much later. A thread that sleeps until a moment is not woken by this; it
// sees the new time when something else wakes it.
void put_clock_forward(std::chrono::nanoseconds by) noexcept;

}  // namespace mellea
