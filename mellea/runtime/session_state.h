// What the handles of one Session share, and what all sessions of a Runtime do; for session.cpp and
// runtime.cpp.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "mellea/core/fork.h"
#include "mellea/runtime/compaction_rule.h"
#include "mellea/runtime/generation.h"
#include "mellea/runtime/operation.h"
#include "mellea/runtime/runtime.h"
#include "mellea/runtime/stream_state.h"

namespace mellea {

struct SessionState;

struct RuntimeState {
  explicit RuntimeState(RuntimeOptions given);

  // Throws Errc::shutdown, after_fork.
  void refuse_if_over() const;
  std::shared_ptr<Network> shared_network();
  // Throws Errc::shutdown.
  void add(const std::shared_ptr<SessionState>& session);
  void remove(const SessionState* session) noexcept;
  void shut_down();
  void report_left_behind() const noexcept;

  const RuntimeOptions options;
  const std::shared_ptr<Workers> workers;
  const Hooks hooks;
  const ForkMark fork_mark{};

  mutable std::mutex mutex;
  std::condition_variable session_ended;
  bool over = false;                 // guarded by mutex
  std::shared_ptr<Network> network;  // guarded by mutex; null until somebody needs it
  std::map<const SessionState*, std::weak_ptr<SessionState>> sessions;  // guarded by mutex
};

struct SessionParts {
  std::shared_ptr<RuntimeState> runtime{};
  std::shared_ptr<Backend> backend{};
  Hooks hooks{};
  std::shared_ptr<const Origin> origin{};
};

class RunningCall;

// What is added to a conversation.
struct Added {
  std::shared_ptr<const std::string> conversation{};
  std::vector<Message> said{};
  // Of the answer among it, and what it went on from; for Compaction::tokens.
  std::optional<Usage> usage{};
  Context before = Context::simple();
  // Of what said it: a compaction is told there.
  Hooks hooks{};
  Scope scope{};
};

void tell_compacted(const Hooks& hooks, ContextCompacted event);

struct SessionState : std::enable_shared_from_this<SessionState> {
  SessionState(SessionParts parts, SessionPreInit opening, SessionOptions options);

  enum class Teller { this_thread, worker };

  void refuse_after_fork() const;
  // Adds to the conversation, unless that was reset since: then it is no part of the new one. What
  // is then too much is forgotten, unless it is to be summed up. The context as it is then.
  Context add_said(Added added);
  // The same, when an action has ended well.
  Context add_turns(Added added);
  // What a call that goes on from `before` has to sum up first; then end_summary() is to be called.
  // Nothing: it is short enough, another call is at it, or the session goes on from elsewhere.
  std::optional<Division> begin_summary(const Context& before);
  // From now on the session goes on from `after` instead of `before`, with what was said since;
  // unless it was reset, or there is none.
  void end_summary(const Context& before, const std::optional<Context>& after);
  Context context_now() const;
  // The Runtime has gone and could not end what runs.
  void leave_behind() noexcept;
  // No more calls; cancels those that run unless `reason` is none. The end is told when none runs.
  void close(CancelReason reason, Teller teller) noexcept;
  void tell_end_if_idle(Teller teller) noexcept;
  void tell_end() noexcept;

  const SessionParts parts;
  const std::shared_ptr<const Origin> origin;  // where the caller was when it started
  const ForkMark fork_mark{};
  Operation<SessionPreInit> operation;  // used by start_session, then by tell_end
  const std::string model;
  const ModelOptions options;
  const Compaction compaction;

  mutable std::mutex mutex;
  // All below: guarded by mutex.
  Context context;
  std::shared_ptr<const std::string> conversation;  // never null
  Measure measure;          // of the newest answer whose tokens were counted
  bool summing_up = false;  // from begin_summary() to end_summary()
  int interactions = 0;
  int running = 0;
  std::map<const RunningCall*, std::weak_ptr<RunningCall>> calls;  // those that run
  bool closed = false;
  bool told = false;                              // or about to be
  CancelReason cutting_off = CancelReason::none;  // why calls are cut off at the end,
  CancelReason cancelled = CancelReason::none;    // and why some were
};

// One call in flight; the session ends after it. Any thread may call anything.
class RunningCall {
 public:
  // Throws if the session is over. `caller` cancels the call.
  static std::shared_ptr<RunningCall> begin(std::shared_ptr<SessionState> session,
                                            std::stop_token caller);
  ~RunningCall();
  RunningCall(const RunningCall&) = delete;
  RunningCall& operator=(const RunningCall&) = delete;

  const std::shared_ptr<Cancellation>& cancellation() const noexcept { return cancellation_; }
  // It waits for this one now.
  void runs(const std::shared_ptr<Generation>& generation);
  void runs(const std::shared_ptr<StreamState>& stream);  // the one that this call is
  // False if it had its own reason already: it was cancelled, or what it waits for was let go.
  bool cut_off(CancelReason reason) noexcept;
  // As Generation::leave_behind(), for all of them.
  void leave_behind() noexcept;

 private:
  RunningCall(std::shared_ptr<SessionState> session, std::stop_token caller);
  bool is_at_work() const;

  std::vector<std::shared_ptr<Generation>> generations() const;

  const std::shared_ptr<SessionState> session_;
  const std::shared_ptr<Cancellation> cancellation_;  // never null
  mutable std::mutex mutex_;
  std::vector<std::weak_ptr<Generation>> generations_;  // guarded by mutex_
  std::weak_ptr<StreamState> stream_;                   // guarded by mutex_
};

// Ends the session when the last copy of the handle goes.
class SessionHandle {
 public:
  explicit SessionHandle(std::shared_ptr<SessionState> session) : session_(std::move(session)) {}
  ~SessionHandle();
  SessionHandle(const SessionHandle&) = delete;
  SessionHandle& operator=(const SessionHandle&) = delete;

 private:
  std::shared_ptr<SessionState> session_;
};

// Where the caller is in its own trace (what it says itself, else what a plugin finds in the
// thread), and the labels that plugins give its call.
Caller caller_of(const Hooks& hooks, const Scope& scope,
                 const std::shared_ptr<const Origin>& given);

}  // namespace mellea
