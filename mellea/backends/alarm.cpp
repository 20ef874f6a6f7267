#include "mellea/backends/alarm.h"

#include <pthread.h>
#include <signal.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace mellea {
namespace {

// Signals are for the program's own threads: one started meanwhile gets none.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

struct Alarm::Clock {
  std::mutex mutex;
  std::condition_variable changed;
  std::multimap<Instant, std::function<void()>> rings;  // guarded by mutex
  bool stopped = false;                                 // guarded by mutex
  std::thread thread;  // guarded by mutex until it is stopped; not joinable before the first ring

  void run() {
    std::unique_lock lock(mutex);
    while (!stopped) {
      if (rings.empty()) {
        changed.wait(lock);
      } else if (const Instant due = rings.begin()->first; due > Instant::clock::now()) {
        changed.wait_until(lock, due);
      } else {
        auto ring = std::move(rings.extract(rings.begin()).mapped());
        lock.unlock();
        ring();
        ring = nullptr;  // what it holds may hold the alarm
        lock.lock();
      }
    }
  }
};

Alarm::Alarm() : clock_(std::make_shared<Clock>()) {}

Alarm::~Alarm() {
  std::multimap<Instant, std::function<void()>> forgotten;
  {
    const std::lock_guard lock(clock_->mutex);
    clock_->stopped = true;
    forgotten.swap(clock_->rings);
  }
  clock_->changed.notify_one();
  if (!clock_->thread.joinable()) return;
  if (clock_->thread.get_id() == std::this_thread::get_id())
    clock_->thread.detach();
  else
    clock_->thread.join();
}

void Alarm::at(Instant due, std::function<void()> ring) {
  const std::lock_guard lock(clock_->mutex);
  clock_->rings.emplace(due, std::move(ring));
  if (!clock_->thread.joinable()) {
    const SignalsBlocked blocked;
    clock_->thread = std::thread([clock = clock_] { clock->run(); });
  }
  clock_->changed.notify_one();
}

}  // namespace mellea
