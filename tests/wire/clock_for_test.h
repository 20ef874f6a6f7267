// The steady clock of this test program, libcurl's included, can be put forward.
#pragma once

#include <chrono>

namespace mellea {

// From now on it is so much later. A thread that sleeps until a moment is not woken by this; it
// sees the new time when something else wakes it. One that begins to sleep later sleeps so much too
// long: the system does not know of this.
void put_clock_forward(std::chrono::nanoseconds by) noexcept;

}  // namespace mellea
