// Threads for what must not run on the thread that asks for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>

#include "mellea/core/reply.h"

namespace mellea {

// Grows on demand up to a cap; threads that have nothing to do wait for more. They block signals.
// One more may look after the line. Nothing parks a worker on a worker. Any thread may call
// anything; the last owner may even be a worker. Tasks must not throw.
class Workers {
 public:
  struct Options {
    int most = 256;                 // threads
    std::size_t background = 4096;  // tasks that may wait in line
  };

  // A cap below one is one.
  explicit Workers(Options options);
  Workers() : Workers(Options{}) {}
  ~Workers();  // as stop(), without waiting
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // Runs `task` on a thread of its own at once, or says false: at the cap, after stop(), or in a
  // child of fork().
  [[nodiscard]] bool try_run(std::function<void()> task);

  // Runs `task` as soon as a thread is free. One is added at once while there are fewer than
  // processors; then, up to the cap, only when nothing in line was begun for 5 ms: short tasks need
  // no more threads than can run, those that block do. After stop() the task is run by nobody:
  // false.
  bool post(std::function<void()> task);

  // Runs `task` after all that were put in line before it, one at a time. False, and counted, if
  // the line is full.
  bool background(std::function<void(std::stop_token)> task);
  std::int64_t dropped() const noexcept;
  // How many were dropped since this last said so: 0 if none were, or it did in the last minute.
  std::int64_t drops_to_report();

  // The calling thread, one of these workers, is about to wait for the others: from now on there
  // may be one more. Nothing happens on any other thread.
  void lend_this_thread();

  // Waits until nothing is running or in line. False if something still is at `until`. On a worker
  // its own task does not count, nor what waits behind that in the background's line.
  bool drain(Instant until);

  // Refuses new tasks, asks those of the background to stop, and runs what is in line and waits for
  // it until `until`. False if a task had not returned: it is left behind with what it holds. What
  // had not begun by then is dropped.
  bool stop(Instant until);

  // Whether the calling thread is a worker, of any Workers.
  static bool on_worker() noexcept;
  int threads() const noexcept;

 private:
  struct State;
  std::shared_ptr<State> state_;  // threads that are left behind hold it too
};

}  // namespace mellea
