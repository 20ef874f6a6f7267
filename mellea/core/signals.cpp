#include "mellea/core/signals.h"

#include <initializer_list>

namespace mellea {

SignalsBlocked::SignalsBlocked() noexcept {
  sigset_t most;
  ::sigfillset(&most);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT})
    ::sigdelset(&most, fault);
  ::pthread_sigmask(SIG_SETMASK, &most, &before_);
}

SignalsBlocked::~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

}  // namespace mellea
