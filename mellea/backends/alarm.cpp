#include "mellea/backends/alarm.h"

#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "mellea/core/fork.h"
#include "mellea/core/signals.h"

namespace mellea {

struct Alarm::Clock {
  const ForkMark fork_mark{};
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
  if (clock_->fork_mark.inherited()) {  // its thread is not in this process, its mutex may be held
    new std::shared_ptr<Clock>(std::move(clock_));
    return;
  }
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
