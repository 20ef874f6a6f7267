// Ctrl-C and SIGTERM, as a stop token.
#pragma once

#include <atomic>
#include <mutex>
#include <stop_token>
#include <thread>

#include "mellea/core/descriptor.h"

namespace mellea::cli {

// From its construction on, SIGINT and SIGTERM stop what holds the token; a second one, before
// forget(), ends the program at once. Made before all other threads, which inherit that these
// signals are blocked; the destructor gives them back.
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  std::stop_token token() const;
  int caught() const noexcept { return caught_; }  // the signal that came; 0: none
  // Readable from the signal on until forget(): for poll().
  int descriptor() const noexcept { return came_.get(); }
  // For a program that goes on: token() gives a new one.
  void forget();

 private:
  void watch();
  void take(int signal);

  const Descriptor signals_;
  const Descriptor came_;
  const Descriptor over_;  // readable when the thread is to end
  std::atomic<int> caught_{0};
  mutable std::mutex mutex_;
  std::stop_source stop_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace mellea::cli
