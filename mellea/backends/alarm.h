// A thread that calls functions at given times.
#pragma once

#include <functional>
#include <memory>

#include "mellea/core/reply.h"

namespace mellea {

// The thread starts with the first call of at(). May be used from several threads at once. The
// destructor forgets what is not due; it may run on the alarm's own thread.
class Alarm {
 public:
  Alarm();
  ~Alarm();
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

  // Calls `ring` on the alarm's thread once `due` has come. It must not throw.
  void at(Instant due, std::function<void()> ring);

 private:
  struct Clock;
  std::shared_ptr<Clock> clock_;  // shared with the thread
};

}  // namespace mellea
