// Threads that no signal interrupts.
#pragma once

#include <signal.h>

namespace mellea {

// Blocks signals on this thread while it lives, so that a thread started meanwhile never runs a
// handler of the host's. Faults stay open: they hit the thread that made them, and crash reporters
// want them.
class SignalsBlocked {
 public:
  SignalsBlocked() noexcept;
  ~SignalsBlocked();
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace mellea
