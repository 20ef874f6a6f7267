// What a call gives: perhaps still on its way.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "mellea/backends/backend.h"
#include "mellea/core/error.h"
#include "mellea/core/outcome.h"
#include "mellea/runtime/result.h"

namespace mellea {

struct OutputState;

// A handle on one call in progress; copies are handles on the same one. When the last is destroyed
// before the whole reply has arrived, the call is cancelled (CancelReason::consumer); the
// destructor neither waits nor runs plugin code. The end of a call that nobody reads is told when
// it is read, cancelled or let go. Any thread may call anything; chunks go to one reader at a time.
//
// Outlives its Session and its Runtime: then every read of an unfinished call throws
// Errc::shutdown. In a child of fork() every read throws Errc::after_fork.
class Output {
 public:
  // Blocks until the end. Any number of threads. Throws the same Error each time if it failed, with
  // the text that had arrived; or Errc::timeout after `until`, and the call goes on. What it passes
  // over is given out by next() later only if reading had begun.
  Result wait(std::optional<Instant> until = {}) const;

  // Blocks for the next chunk; nothing at the end, which has been announced to plugins by then.
  std::optional<Chunk> next();
  // Never blocks.
  Next try_next(Chunk& chunk);
  // False if try_next has something to say now; then `wake` is not kept. Else `wake` is called
  // once, when it may have: on the network's thread, a worker, or a thread that is in a call on
  // this output. So it must not block, throw, or call back. When the last handle goes it is not
  // called.
  [[nodiscard]] bool when_ready(std::function<void()> wake);

  bool done() const noexcept;
  std::string partial_text() const;  // a snapshot
  void cancel(CancelReason reason = CancelReason::consumer) noexcept;
  const Scope& scope() const noexcept;  // of the generation

 private:
  friend class Session;
  explicit Output(std::shared_ptr<OutputState> state);

  std::shared_ptr<OutputState> state_;
};

}  // namespace mellea
