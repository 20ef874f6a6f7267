// An answer that is read in chunks, from its first event to its last; for session.cpp and
// stream.cpp.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "mellea/core/fork.h"
#include "mellea/core/tool.h"
#include "mellea/runtime/model.h"
#include "mellea/runtime/stream.h"

namespace mellea {

struct StreamJob {
  Model model{};        // its cancellation ends the stream
  Question question{};  // its parent is where the stream is; streamed in any case
  Entry entry{};
  StreamOptions options{};
  std::shared_ptr<const Tools> tools{};  // that the model is told of; null: none
  // Told of the stream once it has begun, so that the Runtime can leave it behind. May be empty.
  std::function<void(const std::shared_ptr<StreamState>&)> runs{};
  // Called once, when the end has been announced, on the thread that did it: with the answer if it
  // came whole, else with null. What it holds goes then. Not called if start_stream() throws. Must
  // not throw.
  std::function<void(const std::shared_ptr<const Reply>&)> on_end{};
};

// Tells the opening events and sends the request. Throws Error, with all ends told, if a plugin
// stopped it, it could not be sent, or its options are not to be had.
Stream start_stream(StreamJob job);

// One thread at a time drives: it reads the answer, checks chunks, tells events, and ends the
// stream. It is the one that reads, or after a cancel, if none does, a worker.
class StreamState : public std::enable_shared_from_this<StreamState> {
 public:
  static Stream start(StreamJob job);
  StreamState(const StreamState&) = delete;
  StreamState& operator=(const StreamState&) = delete;

  std::optional<std::string> next();
  Result wait();
  int attempt() const;
  bool done() const noexcept;
  bool ok() const;
  std::vector<Failure> failures() const;
  void cancel(CancelReason reason) noexcept;
  // The Runtime has gone and could not end it: a plugin has it. Reads throw Errc::shutdown.
  void leave_behind() noexcept;
  const Scope& scope() const noexcept { return operation_.scope(); }
  const ForkMark& fork_mark() const noexcept { return fork_mark_; }

 private:
  using Lock = std::unique_lock<std::mutex>;
  // What came of a generation, once it is announced as ended.
  struct Came {
    std::shared_ptr<const Reply> reply = std::make_shared<const Reply>();
    Scope scope{};
    Times times{};
    CancelReason reason = CancelReason::none;
  };

  explicit StreamState(StreamJob job);
  void leave_out_what_plugins_took();
  void refuse_after_fork() const;
  void begin();

  // For whoever drives, with mutex_ free.
  void ask();
  std::optional<std::string> advance();
  void read();
  bool passes(const TextChunk& chunk);
  void give(const TextChunk& chunk);
  bool begin_again();
  void end_well();
  void fail(Error error);
  void stop_generation(CancelReason reason);
  void keep_attempt(std::vector<Checked> last);
  void finish(const Ending& ending, std::optional<Error> error);
  bool is_heard() const noexcept;
  void tell(StreamingEvent::What what) const;

  bool take_turn(Lock& lock);
  void end_turn(Lock& lock);
  void see_to_the_end() noexcept;

  const ForkMark fork_mark_;
  const std::shared_ptr<Cancellation> cancellation_;  // never null
  StreamJob job_;
  Chunker chunker_;
  Operation<StreamingStart> operation_;  // ended by finish(), or by start() where that throws

  // Used by whoever drives.
  std::shared_ptr<Generation> generation_;  // never null once it was asked
  std::shared_ptr<Came> came_;              // of generation_
  std::string text_;                        // of the answer
  bool whole_ = false;                      // text_ is
  std::size_t given_ = 0;                   // bytes of text_ up to the end of the last chunk given
  std::size_t chunks_ = 0;                  // given out, of this attempt
  int asked_ = 0;                           // attempts
  std::vector<Checked> found_;              // of this attempt: what failed or was judged by a model
  Attempts attempts_;                       // that are over
  std::shared_ptr<const std::vector<Checked>> unmet_;  // that ended the stream; null: none did

  mutable std::mutex mutex_;
  std::condition_variable changed_;  // somebody may drive, or it is over
  // All below: guarded by mutex_.
  bool driven_ = false;
  bool over_ = false;             // then nothing here changes
  bool left_behind_ = false;      // nobody waits for the one who drives
  int attempt_ = 1;               // of the chunk given last
  std::optional<Result> result_;  // once it is over, if there is no error
  std::optional<Error> error_;    // what reading throws

  std::optional<std::stop_callback<std::function<void()>>> on_cancel_;  // set once it has begun
};

}  // namespace mellea
