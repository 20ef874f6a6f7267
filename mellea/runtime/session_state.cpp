#include "mellea/runtime/session_state.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "mellea/runtime/session.h"

namespace mellea {

Caller caller_of(const Hooks& hooks, const Scope& scope,
                 const std::shared_ptr<const Origin>& given) {
  Caller caller{.origin = given};
  if (hooks.wanted<CallBegin>()) {
    CallBegin event{.scope = scope, .origin = given};
    (void)hooks.decide(event);  // can't be stopped
    hooks.tell(event);
    caller = {.origin = std::move(event.origin), .labels = std::move(event.labels)};
  }
  if (caller.origin && !TraceRef::from_traceparent(caller.origin->traceparent))
    caller.origin = nullptr;
  return caller;
}

SessionState::SessionState(SessionParts made_of, SessionPreInit opening, SessionOptions given)
    : parts(std::move(made_of)),
      origin(parts.origin),
      operation(parts.hooks, std::move(opening)),
      model(operation.opening()->model),
      options(*operation.opening()->options),
      compaction(given.compaction),
      context(std::move(given.context)),
      conversation(std::make_shared<const std::string>(given.conversation.empty()
                                                           ? operation.scope().id().text()
                                                           : std::move(given.conversation))) {}

void SessionState::refuse_after_fork() const {
  if (fork_mark.inherited())
    throw Error(Errc::after_fork, "this session belongs to the parent process: make a new Runtime");
}

RunningCall::RunningCall(std::shared_ptr<SessionState> session, std::stop_token caller)
    : session_(std::move(session)),
      cancellation_(std::make_shared<Cancellation>(std::move(caller), CancelReason::caller)) {
  session_->refuse_after_fork();
  std::lock_guard lock(session_->mutex);
  if (session_->closed) throw Error(Errc::shutdown, "the session has ended");
  ++session_->running;
}

std::shared_ptr<RunningCall> RunningCall::begin(std::shared_ptr<SessionState> session,
                                                std::stop_token caller) {
  std::shared_ptr<RunningCall> call(new RunningCall(session, std::move(caller)));
  CancelReason reason{};
  {
    std::lock_guard lock(session->mutex);
    session->calls.emplace(call.get(), call);
    reason = session->cutting_off;
  }
  if (reason != CancelReason::none) call->cut_off(reason);
  return call;
}

RunningCall::~RunningCall() {
  {
    std::lock_guard lock(session_->mutex);
    --session_->running;
    session_->calls.erase(this);
  }
  session_->tell_end_if_idle(SessionState::Teller::worker);
}

void RunningCall::runs(const std::shared_ptr<Generation>& generation) {
  std::lock_guard lock(mutex_);
  std::erase_if(generations_, [](const auto& weak) { return weak.expired(); });
  generations_.push_back(generation);
}

std::vector<std::shared_ptr<Generation>> RunningCall::generations() const {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Generation>> alive;
  for (const auto& weak : generations_)
    if (auto generation = weak.lock()) alive.push_back(std::move(generation));
  return alive;
}

bool RunningCall::cut_off(CancelReason reason) noexcept {
  const bool cut = is_at_work();
  return cancellation_->request(reason) && cut;  // which cancels what it waits for
}

// Who holds an output or a stream that is over is not.
bool RunningCall::is_at_work() const {
  std::shared_ptr<StreamState> stream;
  {
    std::lock_guard lock(mutex_);
    stream = stream_.lock();
  }
  if (stream) return !stream->done();
  const auto waited_for = generations();
  return waited_for.empty() || std::any_of(waited_for.begin(), waited_for.end(),
                                           [](const auto& it) { return it->runs(); });
}

void RunningCall::runs(const std::shared_ptr<StreamState>& stream) {
  std::lock_guard lock(mutex_);
  stream_ = stream;
}

void RunningCall::leave_behind() noexcept {
  for (const auto& generation : generations()) generation->leave_behind();
  std::shared_ptr<StreamState> stream;
  {
    std::lock_guard lock(mutex_);
    stream = stream_.lock();
  }
  if (stream) stream->leave_behind();
}

void tell_compacted(const Hooks& hooks, ContextCompacted event) {
  if (hooks.wanted<ContextCompacted>()) hooks.tell(std::move(event));
}

Context SessionState::add_turns(Added added) {
  {
    std::lock_guard lock(mutex);
    ++interactions;
  }
  return add_said(std::move(added));
}

Context SessionState::add_said(Added added) {
  Context::Turns said;
  for (Message& message : added.said)
    said.push_back(std::make_shared<const Message>(std::move(message)));
  Measure of_answer;
  if (compaction.tokens > 0 && added.usage)
    of_answer = measured(added.before.add(said).turns(), added.usage);
  std::unique_lock lock(mutex);
  if (context.kind() != Context::Kind::chat || conversation != added.conversation) return context;
  context = context.add(said);
  if (of_answer.tokens > 0) measure = of_answer;
  if (compaction.summarise) return context;
  const std::optional<Division> division = divide(compaction, context.turns(), measure);
  if (!division) return context;
  const Context before = std::exchange(context, context.with(division->what_stays()));
  const Context after = context;
  lock.unlock();
  tell_compacted(
      added.hooks,
      {.scope = std::move(added.scope), .how = division->how, .before = before, .after = after});
  return after;
}

std::optional<Division> SessionState::begin_summary(const Context& before) {
  if (!compaction.summarise) return {};
  std::lock_guard lock(mutex);
  const bool remembers = context.kind() == Context::Kind::chat;
  if (!remembers || summing_up || !context.continues(before)) return {};
  std::optional<Division> division = divide(compaction, before.turns(), measure);
  summing_up = division.has_value();
  return division;
}

void SessionState::end_summary(const Context& before, const std::optional<Context>& after) {
  std::lock_guard lock(mutex);
  summing_up = false;
  if (!after || !context.continues(before)) return;
  const auto since = context.turns().begin() + static_cast<std::ptrdiff_t>(before.size());
  context = after->add(Context::Turns(since, context.turns().end()));
}

Context SessionState::context_now() const {
  std::lock_guard lock(mutex);
  return context;
}

void SessionState::close(CancelReason reason, Teller teller) noexcept {
  std::map<const RunningCall*, std::weak_ptr<RunningCall>> to_cut_off;
  {
    std::lock_guard lock(mutex);
    closed = true;
    ++running;  // this counts as a call: nothing is told before all have been cut off
    if (reason != CancelReason::none && cutting_off == CancelReason::none) {
      cutting_off = reason;
      to_cut_off = calls;
    }
  }
  for (const auto& [key, weak] : to_cut_off) {
    const auto call = weak.lock();
    if (!call || !call->cut_off(reason)) continue;
    std::lock_guard lock(mutex);
    if (cancelled == CancelReason::none) cancelled = reason;
  }
  {
    std::lock_guard lock(mutex);
    --running;
  }
  tell_end_if_idle(teller);
}

void SessionState::leave_behind() noexcept {
  std::map<const RunningCall*, std::weak_ptr<RunningCall>> stuck;
  {
    std::lock_guard lock(mutex);
    stuck = calls;
  }
  for (const auto& [key, weak] : stuck)
    if (const auto call = weak.lock()) call->leave_behind();
}

void SessionState::tell_end_if_idle(Teller teller) noexcept {
  {
    std::lock_guard lock(mutex);
    if (!closed || running > 0 || std::exchange(told, true)) return;
  }
  const bool heard = Closing<SessionPreInit>::wanted(parts.hooks);
  if (teller == Teller::worker && heard &&
      parts.runtime->workers->post([self = shared_from_this()] { self->tell_end(); }))
    return;
  tell_end();
}

void SessionState::tell_end() noexcept {
  const Ending ending = cancelled == CancelReason::none ? ended_ok() : ended_cancelled(cancelled);
  operation.end(ending, {.context = context, .interactions = interactions});
  parts.runtime->remove(this);
}

SessionHandle::~SessionHandle() {
  if (!session_->fork_mark.inherited())
    session_->close(CancelReason::none, SessionState::Teller::worker);
  else
    new std::shared_ptr<SessionState>(
        std::move(session_));  // its mutex may be held for ever in here
}

}  // namespace mellea
