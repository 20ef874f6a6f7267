#include "mellea/runtime/session.h"

#include <utility>

#include "mellea/runtime/output_state.h"
#include "mellea/runtime/session_state.h"

namespace mellea {
namespace {

Request request_for(const ComponentPreExecute& action, const std::string& model,
                    const CallOptions& options) {
  Request request{.model = model,
                  .messages = action.context.view(),
                  .options = *action.options,
                  .tools = action.tools,
                  .tool_choice = options.tool_choice,
                  .format = action.format,
                  .stream = options.stream,
                  .limits = options.limits};
  if (!options.system.empty())
    request.messages.insert(request.messages.begin(),
                            Message{.role = Message::Role::system, .text = options.system});
  request.messages.push_back(*action.action);
  return request;
}

Message said_by_model(const Reply& reply) {
  return {.role = Message::Role::assistant,
          .text = reply.text,
          .tool_calls = reply.tool_calls,
          .thinking = reply.thinking};
}

}  // namespace

std::shared_ptr<const Origin> origin_of_call(const Hooks& hooks, const Scope& scope,
                                             const std::shared_ptr<const Origin>& given) {
  std::shared_ptr<const Origin> origin = given;
  if (hooks.wanted<CallBegin>()) {
    CallBegin event{.scope = scope, .origin = given};
    (void)hooks.decide(event);  // can't be stopped
    hooks.tell(event);
    origin = event.origin;
  }
  return origin && TraceRef::from_traceparent(origin->traceparent) ? origin : nullptr;
}

// The session's own state

SessionState::SessionState(SessionParts made_of, SessionPreInit opening, SessionOptions given)
    : parts(std::move(made_of)),
      origin(parts.origin),
      operation(parts.hooks, std::move(opening)),
      model(operation.opening()->model),
      options(*operation.opening()->options),
      context(std::move(given.context)),
      conversation(std::make_shared<const std::string>(given.conversation.empty()
                                                           ? operation.scope().id().text()
                                                           : std::move(given.conversation))) {}

void SessionState::refuse_after_fork() const {
  if (fork_mark.inherited())
    throw Error(Errc::after_fork, "this session belongs to the parent process: make a new Runtime");
}

SessionState::RunningCall::RunningCall(std::shared_ptr<SessionState> session)
    : session_(std::move(session)) {
  session_->refuse_after_fork();
  std::lock_guard lock(session_->mutex);
  if (session_->closed) throw Error(Errc::shutdown, "the session has ended");
  ++session_->running;
}

SessionState::RunningCall::~RunningCall() {
  {
    std::lock_guard lock(session_->mutex);
    --session_->running;
    session_->generations.erase(generation_);
  }
  session_->tell_end_if_idle(Teller::worker);
}

void SessionState::RunningCall::runs(const std::shared_ptr<Generation>& generation) {
  CancelReason reason{};
  {
    std::lock_guard lock(session_->mutex);
    generation_ = generation.get();
    session_->generations.emplace(generation_, generation);
    reason = session_->cutting_off;
  }
  if (reason != CancelReason::none) session_->cut_off(*generation, reason);
}

// A turn of a conversation that was reset since is no part of the new one.
void SessionState::add_turn(const ComponentPreExecute& action, const Reply& reply) {
  std::lock_guard lock(mutex);
  ++interactions;
  if (context.kind() == Context::Kind::chat && conversation == action.conversation)
    context = context.add(*action.action).add(said_by_model(reply));
}

void SessionState::cut_off(Generation& generation, CancelReason reason) noexcept {
  if (!generation.cancel(reason)) return;  // it has its own reason, or is over
  std::lock_guard lock(mutex);
  if (cancelled == CancelReason::none) cancelled = reason;
}

void SessionState::close(CancelReason reason, Teller teller) noexcept {
  std::map<const Generation*, std::weak_ptr<Generation>> to_cut_off;
  {
    std::lock_guard lock(mutex);
    closed = true;
    ++running;  // this counts as a call: nothing is told before all have been cut off
    if (reason != CancelReason::none && cutting_off == CancelReason::none) {
      cutting_off = reason;
      to_cut_off = generations;
    }
  }
  for (const auto& [key, weak] : to_cut_off)
    if (const auto generation = weak.lock()) cut_off(*generation, reason);
  {
    std::lock_guard lock(mutex);
    --running;
  }
  tell_end_if_idle(teller);
}

void SessionState::leave_behind() noexcept {
  std::map<const Generation*, std::weak_ptr<Generation>> stuck;
  {
    std::lock_guard lock(mutex);
    stuck = generations;
  }
  for (const auto& [key, weak] : stuck)
    if (const auto generation = weak.lock()) generation->leave_behind();
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

// Sees to it that a Completion is called exactly once. Used by one thread at a time.
class CompletionPromise {
 public:
  CompletionPromise(Hooks hooks, Scope scope, Completion<Result> done)
      : hooks_(std::move(hooks)), scope_(std::move(scope)), done_(std::move(done)) {}
  CompletionPromise(const CompletionPromise&) = delete;
  CompletionPromise& operator=(const CompletionPromise&) = delete;

  // Nobody is left to keep it: the Runtime has gone.
  ~CompletionPromise() {
    if (done_ && !fork_mark_.inherited())
      fail(std::make_exception_ptr(
          Error(Errc::shutdown, "the Runtime ended before the answer was whole")));
  }

  void keep(Generation& ended) noexcept {
    std::optional<Result> result;
    try {
      result = ended.wait({});
    } catch (...) {
      return fail(std::current_exception());
    }
    call(nullptr, std::move(result));
  }
  void fail(std::exception_ptr error) noexcept { call(std::move(error), std::nullopt); }
  void withdraw() noexcept { done_ = nullptr; }

 private:
  void call(std::exception_ptr error, std::optional<Result> result) noexcept {
    Completion<Result> done = std::exchange(done_, nullptr);
    if (!done) return;
    UserCodeBegin event{.scope = scope_};
    if (hooks_.wanted<UserCodeBegin>()) {
      (void)hooks_.decide(event);  // can't be stopped
      hooks_.tell(event);
    }
    try {
      done(std::move(error), std::move(result));
    } catch (...) {
      hooks_.report(scope_, {.kind = Notice::Kind::callback_failed,
                             .text = caught_error("what an asynchronous call was to call").what()});
    }
    done = nullptr;  // what it holds is the user's too
    while (!event.held.empty()) event.held.pop_back();
  }

  const Hooks hooks_;
  const Scope scope_;
  const ForkMark fork_mark_{};
  Completion<Result> done_;  // null once it is called, or must not be
};

// A call, and what depends on the moment and the thread it is made on. The rest may be done later
// and elsewhere.
struct Session::MadeCall {
  std::string_view component{};
  Message message{};
  CallOptions options{};
  std::shared_ptr<SessionState::RunningCall> running{};
  std::shared_ptr<const Origin> origin{};
  Context before = Context::simple();
  std::shared_ptr<const std::string> conversation{};
};

// The session as users have it

Session::Session(std::shared_ptr<SessionState> state, std::shared_ptr<const SessionHandle> handle,
                 Hooks hooks, Scope parent)
    : state_(std::move(state)),
      handle_(std::move(handle)),
      hooks_(std::move(hooks)),
      parent_(std::move(parent)) {}

Result Session::instruct(std::string description, CallOptions options) {
  return start_instruct(std::move(description), std::move(options)).wait();
}

Result Session::chat(std::string text, CallOptions options) {
  return start_chat(std::move(text), std::move(options)).wait();
}

Result Session::chat(Message message, CallOptions options) {
  return start_chat(std::move(message), std::move(options)).wait();
}

Output Session::start_instruct(std::string description, CallOptions options) {
  return start("Instruction", Message{.text = std::move(description)}, std::move(options));
}

Output Session::start_chat(std::string text, CallOptions options) {
  return start_chat(Message{.text = std::move(text)}, std::move(options));
}

Output Session::start_chat(Message message, CallOptions options) {
  return start("Message", std::move(message), std::move(options));
}

void Session::instruct_async(std::string description, CallOptions options,
                             Completion<Result> done) {
  start_async(make("Instruction", Message{.text = std::move(description)}, std::move(options)),
              std::move(done));
}

void Session::chat_async(std::string text, CallOptions options, Completion<Result> done) {
  chat_async(Message{.text = std::move(text)}, std::move(options), std::move(done));
}

void Session::chat_async(Message message, CallOptions options, Completion<Result> done) {
  start_async(make("Message", std::move(message), std::move(options)), std::move(done));
}

Session::MadeCall Session::make(std::string_view component, Message message,
                                CallOptions options) const {
  MadeCall call{.component = component,
                .message = std::move(message),
                .options = std::move(options),
                .running = std::make_shared<SessionState::RunningCall>(state_)};
  call.origin = origin_of_call(hooks_, parent_, call.options.origin);
  // A session may live for days: what began it is not the parent of all that it does.
  if (call.origin && state_->origin && !call.options.origin && *call.origin == *state_->origin)
    call.origin = nullptr;
  std::lock_guard lock(state_->mutex);
  call.before = state_->context;
  call.conversation = state_->conversation;
  return call;
}

std::shared_ptr<Generation> Session::send(MadeCall call) const {
  CallOptions& options = call.options;
  auto action = std::make_shared<Operation<ComponentPreExecute>>(
      hooks_,
      ComponentPreExecute{.scope = parent_.child(Kind::action, {.labels = std::move(options.labels),
                                                                .origin = std::move(call.origin)}),
                          .at = std::chrono::steady_clock::now(),
                          .component = call.component,
                          .action = std::make_shared<const Message>(std::move(call.message)),
                          .context = call.before,
                          .conversation = call.conversation,
                          .options = merged(options.options, state_->options),
                          .format = std::move(options.format),
                          .tools = std::move(options.tools)});
  try {
    if (action->block()) throw blocked_error(*action->block());
    const ComponentPreExecute& opening = *action->opening();
    Request request = request_for(opening, state_->model, options);
    const std::size_t context_size = request.messages.size() - 1;
    auto generation = Generation::start(
        {.backend = state_->parts.backend,
         .hooks = hooks_,
         .parent = action->scope(),
         .request = std::move(request),
         .component = call.component,
         .conversation = std::move(call.conversation),
         .context_size = context_size,
         .until = options.until,
         .stop = options.stop,
         .on_end = [action, running = call.running, session = state_](
                       const Ending& ending, const std::shared_ptr<const Reply>& reply) {
           if (ending.outcome == Outcome::ok) session->add_turn(*action->opening(), *reply);
           Context after = Context::simple();
           {
             std::lock_guard lock(session->mutex);
             after = session->context;
           }
           action->end(ending, {.reply = reply, .generations = 1, .context = std::move(after)});
         }});
    call.running->runs(generation);
    return generation;
  } catch (...) {
    const Error error = caught_error(state_->parts.backend->provider());
    action->end(ended_with(error), {.context = std::move(call.before)});
    throw error;
  }
}

Output Session::start(std::string_view component, Message message, CallOptions options) const {
  return Output(
      std::make_shared<OutputState>(send(make(component, std::move(message), std::move(options)))));
}

void Session::start_async(MadeCall made, Completion<Result> done) const {
  const auto call = std::make_shared<MadeCall>(std::move(made));
  const auto promise = std::make_shared<CompletionPromise>(hooks_, parent_, std::move(done));
  // The call itself keeps the session from ending.
  const Session here(state_, nullptr, hooks_, parent_);
  const bool posted = hooks_.workers()->post([here, call, kept = promise]() mutable {
    std::shared_ptr<Generation> generation;
    try {
      generation = here.send(std::move(*call));
    } catch (...) {
      return kept->fail(std::current_exception());
    }
    // What the generation calls must not keep it; and nothing else keeps the promise, so that it
    // goes with the generation, or when that is left behind.
    generation->run([&over = *generation, last = std::move(kept)] { last->keep(over); });
  });
  if (posted) return;
  promise->withdraw();
  throw Error(Errc::shutdown, "the Runtime has ended");
}

Session Session::with(const Plugins& more) const {
  return Session(state_, handle_, hooks_.with(more), parent_);
}

Session Session::with(const Labels& more) const {
  return Session(state_, handle_, hooks_, parent_.labelled(more));
}

Session Session::within(const Call& call) const {
  return Session(state_, handle_, hooks_, call.scope);
}

void Session::reset() {
  const SessionState::RunningCall running(state_);  // so that the session does not end meanwhile
  Context previous = Context::simple();
  {
    std::lock_guard lock(state_->mutex);
    previous = std::exchange(state_->context, state_->context.cleared());
    state_->conversation = std::make_shared<const std::string>(Id::random().text());
  }
  if (hooks_.wanted<SessionReset>())
    hooks_.tell(SessionReset{.scope = parent_, .previous = std::move(previous)});
}

Context Session::context() const {
  state_->refuse_after_fork();
  std::lock_guard lock(state_->mutex);
  return state_->context;
}

const std::string& Session::model() const noexcept { return state_->model; }

const Scope& Session::scope() const noexcept { return parent_; }

void Session::end() {
  if (state_->fork_mark.inherited()) return;
  state_->close(CancelReason::parent, SessionState::Teller::this_thread);
}

}  // namespace mellea
