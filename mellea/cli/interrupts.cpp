#include "mellea/cli/interrupts.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>

#include "mellea/cli/exit_code.h"

namespace mellea::cli {
namespace {

sigset_t watched() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGINT);
  ::sigaddset(&set, SIGTERM);
  return set;
}

// Blocks the signals first, so that none is lost.
int open_signals() {
  const sigset_t set = watched();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return ::signalfd(-1, &set, SFD_CLOEXEC);
}

int open_event() { return ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

}  // namespace

Interrupts::Interrupts() : signals_(open_signals()), came_(open_event()), over_(open_event()) {
  if (!signals_ || !came_ || !over_)
    throw std::system_error(errno, std::generic_category(), "signals can't be watched");
  thread_ = std::thread([this] { watch(); });
}

Interrupts::~Interrupts() {
  ::eventfd_write(over_.get(), 1);
  thread_.join();
  const sigset_t set = watched();
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

std::stop_token Interrupts::token() const {
  const std::lock_guard lock(mutex_);
  return stop_.get_token();
}

void Interrupts::forget() {
  eventfd_t count = 0;
  ::eventfd_read(came_.get(), &count);
  const std::lock_guard lock(mutex_);
  stop_ = std::stop_source();
  caught_ = 0;
}

void Interrupts::watch() {
  std::array<pollfd, 2> waited{{{signals_.get(), POLLIN, 0}, {over_.get(), POLLIN, 0}}};
  while (waited[1].revents == 0) {
    if (::poll(waited.data(), waited.size(), -1) < 0) continue;
    signalfd_siginfo info{};
    if (waited[0].revents != 0 && ::read(signals_.get(), &info, sizeof info) == sizeof info)
      take(static_cast<int>(info.ssi_signo));
  }
}

void Interrupts::take(int signal) {
  std::stop_source stop;
  {
    const std::lock_guard lock(mutex_);
    if (caught_ != 0) ::_exit(ended_by(signal));
    caught_ = signal;
    stop = stop_;
  }
  ::eventfd_write(came_.get(), 1);
  stop.request_stop();
}

}  // namespace mellea::cli
