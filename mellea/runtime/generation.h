// One request to a model and its reply, with its events: the place where hooks and backends meet.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "mellea/backends/backend.h"
#include "mellea/core/fork.h"
#include "mellea/runtime/cancellation.h"
#include "mellea/runtime/operation.h"
#include "mellea/runtime/result.h"

namespace mellea {

// A generation that has been announced as ended.
struct Generated {
  const Ending& ending;
  const std::shared_ptr<const Reply>& reply;  // never null
  const Scope& scope;
  const Times& times;
};
// What is done then. What it gives back, readers get in place of the reply.
using OnEnd = std::function<std::optional<Error>(const Generated&)>;

struct GenerationOptions {
  std::shared_ptr<Backend> backend{};
  Hooks hooks{};
  Scope parent{};
  int iteration = 0;  // of the sampling it belongs to, from 1
  Request request{};
  std::string_view component{};            // class name of what is said; static lifetime
  std::shared_ptr<const Prompt> prompt{};  // null: made from no template
  std::shared_ptr<const std::string> conversation{};
  std::size_t context_size = 0;
  std::optional<Instant> until{};                      // then it fails with Errc::timeout
  std::shared_ptr<const Cancellation> cancellation{};  // null: nothing cuts it off from outside
  // Called once, on the thread that waits for it, or on a worker. Not called if start() throws.
  // Must not throw.
  OnEnd on_end{};
};

// Shortens the limit of the whole to what is left until then. Throws Error (Errc::timeout) if
// nothing is.
void limit(Limits& limits, std::optional<Instant> until);

// Exactly one thread at a time holds the pump: it takes chunks from the backend's stream, tells the
// events that they cause, and tells the end. A thread that blocks for the generation takes the pump
// and runs plugin code; one that may not block hands the pump to a worker as soon as there is
// something to tell. So events of one generation are in order, whoever reads.
//
// Any thread may call anything.
class Generation : public std::enable_shared_from_this<Generation> {
 public:
  // Tells the opening event and sends the request. Throws Error, with all events told, if it was
  // blocked or could not be sent.
  static std::shared_ptr<Generation> start(GenerationOptions options);
  Generation(const Generation&) = delete;
  Generation& operator=(const Generation&) = delete;

  // Blocks for the next chunk; nothing at the end. Throws the Error of a generation that failed.
  std::optional<Chunk> next();
  // Never blocks and runs no plugin code.
  Next try_next(Chunk& chunk);
  [[nodiscard]] bool when_ready(std::function<void()> wake);
  // Blocks until the end, or `until`: then Errc::timeout, and the generation goes on.
  Result wait(std::optional<Instant> until);
  // Nobody will read: workers take what comes when it comes, and no thread waits. The one that sees
  // the end, already told, calls `over`, which must not throw. To be called once, by a worker.
  void run(std::function<void()> over);

  // The first reason stays: false if there was one, or it is over. The end is told by whoever
  // waits, or else by a worker.
  bool cancel(CancelReason reason) noexcept;
  // Nobody will read: as cancel(), unless all of the reply has arrived.
  void abandon() noexcept;
  // The Runtime has gone and could not end it: a plugin has it. Reads throw Errc::shutdown.
  void leave_behind() noexcept;

  bool done() const noexcept;
  // Neither over nor on its way to be: a cancel would be the first.
  bool runs() const noexcept;
  std::string partial_text() const;
  const Scope& scope() const noexcept { return operation_.scope(); }
  const std::shared_ptr<const GenerationPreCall>& opening() const noexcept {
    return operation_.opening();
  }

 private:
  using Lock = std::unique_lock<std::mutex>;
  // What came out of the stream: a chunk, nothing yet, or the end, which may be a failure.
  struct Taken {
    Next what = Next::pending;
    std::optional<Error> error{};  // with Next::end
  };

  explicit Generation(GenerationOptions options);
  void send(std::optional<Instant> until);
  void refuse_after_fork() const;

  // For whoever holds the pump, with mutex_ free.
  Taken take(Chunk& chunk);
  void fold(const Chunk& chunk);
  StreamTimes times_of_stream() const noexcept;
  Next advance(Chunk& chunk, Instant until);
  void tell(const Chunk& chunk) const;
  void finish(std::optional<Error> error);
  void pump_unread();
  void pump_what_is_there();
  bool come_again();
  void see_to_the_end();
  void keep_for_reader(Chunk chunk);

  // With mutex_ held.
  bool take_unread(Chunk& chunk);
  void acquire_pump(Lock& lock) noexcept;
  void release_pump(Lock& lock);
  void throw_if_failed() const;
  void refuse_if_left_behind() const;

  bool is_cancelled() const noexcept;
  bool is_heard(const Chunk& chunk) const noexcept;
  bool has_listeners() const noexcept;
  void hand_over(std::function<void()> work);
  void post(const std::function<void()>& task);
  void wake_reader();
  Ending ending_of(const std::optional<Error>& error) const;
  Error error_for_reader(const Ending& ending, const std::string& partial_text) const;

  const ForkMark fork_mark_;
  const std::shared_ptr<Backend> backend_;
  OnEnd on_end_;
  Operation<GenerationPreCall> operation_;  // ended by finish(), or by start() where that throws
  std::stop_source stop_;
  std::unique_ptr<ReplyStream> stream_;  // used by whoever holds the pump
  std::size_t events_ = 0;               // likewise: chunks taken, notices not counted
  std::optional<std::stop_callback<std::function<void()>>> cut_off_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;  // the pump is free, there is a chunk to read, or it is over
  // All below: guarded by mutex_.
  bool pumping_ = true;           // by start(), at first
  bool reading_ = false;          // somebody wants the chunks
  bool wake_on_release_ = false;  // wake_ waits for the pump, not for the stream
  bool pump_again_ = false;       // pump_unread() came while the pump was held
  bool ended_ = false;            // then nothing here changes
  bool left_behind_ = false;      // the pump will never be free
  CancelReason reason_ = CancelReason::none;
  std::deque<Chunk> unread_;    // came while somebody else than the reader pumped
  std::function<void()> wake_;  // null: nobody waits to be woken
  std::function<void()> over_;  // null: run() has not been called, or it is over
  const std::shared_ptr<Reply> reply_ = std::make_shared<Reply>();  // grows until ended_
  Effort effort_;
  std::optional<Error> error_;  // what reading throws
};

}  // namespace mellea
