#include "mellea/runtime/session.h"

#include <algorithm>
#include <utility>

#include "mellea/runtime/action.h"
#include "mellea/runtime/batch.h"
#include "mellea/runtime/output_state.h"
#include "mellea/runtime/query.h"
#include "mellea/runtime/react_run.h"
#include "mellea/runtime/summary.h"
#include "mellea/runtime/tool_calls.h"
#include "mellea/runtime/turn.h"
#include "mellea/runtime/user_code.h"
#include "mellea/runtime/validation.h"

namespace mellea {
namespace {

template <class Some, class... Parts>
std::shared_ptr<const Component> component(Parts&&... parts) {
  return std::make_shared<const Some>(std::forward<Parts>(parts)...);
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
  const auto waited_for = generations();
  const bool cut = waited_for.empty() || std::any_of(waited_for.begin(), waited_for.end(),
                                                     [](const auto& it) { return it->runs(); });
  return cancellation_->request(reason) && cut;  // which cancels what it waits for
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
  Measure of_answer;
  if (compaction.tokens > 0 && added.usage) {
    for (const Message& message : added.said) added.before = added.before.add(message);
    of_answer = measured(added.before.turns(), added.usage);
  }
  std::unique_lock lock(mutex);
  if (context.kind() != Context::Kind::chat || conversation != added.conversation) return context;
  for (Message& message : added.said) context = context.add(std::move(message));
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
  Context::Turns turns = after->turns();
  const auto since = context.turns().begin() + static_cast<std::ptrdiff_t>(before.size());
  turns.insert(turns.end(), since, context.turns().end());
  context = context.with(std::move(turns));
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

  // With what `answer` gives or throws.
  void keep(const std::function<Result()>& answer) noexcept {
    std::optional<Result> result;
    try {
      result = answer();
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
    const UserCode seen(hooks_, scope_);
    try {
      done(std::move(error), std::move(result));
    } catch (...) {
      hooks_.report(scope_, {.kind = Notice::Kind::callback_failed,
                             .text = caught_error("what an asynchronous call was to call").what()});
    }
    done = nullptr;  // what it holds is the user's too
  }

  const Hooks hooks_;
  const Scope scope_;
  const ForkMark fork_mark_{};
  Completion<Result> done_;  // null once it is called, or must not be
};

// The session as users have it

Session::Session(std::shared_ptr<SessionState> state, std::shared_ptr<const SessionHandle> handle,
                 Hooks hooks, Scope parent)
    : state_(std::move(state)),
      handle_(std::move(handle)),
      hooks_(std::move(hooks)),
      parent_(std::move(parent)) {}

Session Session::begin(const std::shared_ptr<RuntimeState>& runtime,
                       std::shared_ptr<Backend> backend, std::string model, SessionOptions options,
                       const Hooks& hooks) {
  refuse_what_can_not_be(options.compaction);
  SessionParts parts{.runtime = runtime,
                     .backend = std::move(backend),
                     .hooks = hooks,
                     .origin = origin_of_call(hooks, Scope(), options.origin)};
  SessionPreInit opening{.scope = Scope::root(Kind::session, {.labels = std::move(options.labels),
                                                              .origin = parts.origin}),
                         .at = std::chrono::steady_clock::now(),
                         .backend = parts.backend->provider(),
                         .context = options.context.kind(),
                         .span = options.span,
                         .model = std::move(model),
                         .options = std::move(options.options)};
  const auto session =
      std::make_shared<SessionState>(std::move(parts), std::move(opening), std::move(options));
  if (const auto& block = session->operation.block()) {
    const Error error = blocked_error(*block);
    session->operation.end(ended_with(error), {.context = session->context});
    throw error;
  }
  try {
    runtime->add(session);
  } catch (const Error& error) {
    session->operation.end(ended_with(error), {.context = session->context});
    throw;
  }
  if (hooks.wanted<SessionPostInit>())
    hooks.tell(SessionPostInit{.opening = session->operation.opening()});
  // It may have been given more than it keeps.
  session->add_said(
      {.conversation = session->conversation, .hooks = hooks, .scope = session->operation.scope()});
  return Session(session, std::make_shared<const SessionHandle>(session), hooks,
                 session->operation.scope());
}

Session Session::clone() const {
  state_->refuse_after_fork();
  const std::shared_ptr<RuntimeState>& runtime = state_->parts.runtime;
  runtime->refuse_if_over();
  return begin(runtime, state_->parts.backend, state_->model,
               {.labels = parent_.labels(),
                .options = state_->options,
                .context = state_->context_now(),
                .compaction = state_->compaction,
                .span = state_->operation.opening()->span},
               hooks_);
}

Result Session::instruct(Instruction instruction, CallOptions options) const {
  return run(make(component<Instruction>(std::move(instruction)), std::move(options), rejection()));
}

Result Session::chat(std::string text, CallOptions options) const {
  return chat(Message{.text = std::move(text)}, std::move(options));
}

Result Session::chat(Message message, CallOptions options) const {
  return act(component<Turn>(std::move(message)), std::move(options));
}

Result Session::query(std::string object, std::string question, CallOptions options) const {
  return act(component<Query>(Query::Parts{std::move(object), std::move(question)}),
             std::move(options));
}

Result Session::transform(std::string object, std::string how, CallOptions options) const {
  return act(component<Transform>(Transform::Parts{std::move(object), std::move(how)}),
             std::move(options));
}

Result Session::act(std::shared_ptr<const Component> component, CallOptions options) const {
  return run(make(std::move(component), std::move(options), {}));
}

Output Session::start_instruct(Instruction instruction, CallOptions options) const {
  return start(
      make(component<Instruction>(std::move(instruction)), std::move(options), rejection()));
}

Output Session::start_chat(std::string text, CallOptions options) const {
  return start_chat(Message{.text = std::move(text)}, std::move(options));
}

Output Session::start_chat(Message message, CallOptions options) const {
  return start_act(component<Turn>(std::move(message)), std::move(options));
}

Output Session::start_act(std::shared_ptr<const Component> component, CallOptions options) const {
  return start(make(std::move(component), std::move(options), {}));
}

void Session::instruct_async(Instruction instruction, CallOptions options,
                             Completion<Result> done) const {
  start_async(make(component<Instruction>(std::move(instruction)), std::move(options), rejection()),
              std::move(done));
}

void Session::chat_async(std::string text, CallOptions options, Completion<Result> done) const {
  chat_async(Message{.text = std::move(text)}, std::move(options), std::move(done));
}

void Session::chat_async(Message message, CallOptions options, Completion<Result> done) const {
  act_async(component<Turn>(std::move(message)), std::move(options), std::move(done));
}

void Session::act_async(std::shared_ptr<const Component> component, CallOptions options,
                        Completion<Result> done) const {
  start_async(make(std::move(component), std::move(options), {}), std::move(done));
}

struct Session::Entered {
  std::shared_ptr<RunningCall> running{};
  std::shared_ptr<const Origin> origin{};
  Context context = Context::simple();
  std::shared_ptr<const std::string> conversation{};
};

Session::Entered Session::enter(const std::stop_token& stop,
                                const std::shared_ptr<const Origin>& given) const {
  Entered entered{.running = RunningCall::begin(state_, stop),
                  .origin = origin_of_call(hooks_, parent_, given)};
  // A session may live for days: what began it is not the parent of all that it does.
  if (entered.origin && state_->origin && !given && *entered.origin == *state_->origin)
    entered.origin = nullptr;
  std::lock_guard lock(state_->mutex);
  entered.context = state_->context;
  entered.conversation = state_->conversation;
  return entered;
}

MadeCall Session::make(std::shared_ptr<const Component> component, CallOptions options,
                       const std::optional<Strategy>& usual) const {
  if (!options.strategy.is_set() && !options.strategy.is_off() && usual) options.strategy = *usual;
  Entered entered = enter(options.stop, options.origin);
  return {.component = std::move(component),
          .options = std::move(options),
          .hooks = hooks_,
          .parent = parent_,
          .running = std::move(entered.running),
          .origin = std::move(entered.origin),
          .before = std::move(entered.context),
          .conversation = std::move(entered.conversation)};
}

Result Session::run(MadeCall call) const { return Action::begin(state_, std::move(call))->run(); }

Output Session::start(MadeCall call) const {
  const auto action = Action::begin(state_, std::move(call));
  return Output(std::make_shared<OutputState>(action->send(), action));
}

void Session::start_async(MadeCall made, Completion<Result> done) const {
  const auto call = std::make_shared<MadeCall>(std::move(made));
  const auto promise = std::make_shared<CompletionPromise>(hooks_, parent_, std::move(done));
  // The call itself keeps the session from ending.
  const bool posted = hooks_.workers()->post([session = state_, call, kept = promise]() mutable {
    std::shared_ptr<Action> action;
    std::shared_ptr<Generation> generation;
    try {
      action = Action::begin(std::move(session), std::move(*call));
      if (!action->may_sample_again()) generation = action->send();
    } catch (...) {
      return kept->fail(std::current_exception());
    }
    if (!generation) return kept->keep([&] { return action->run(); });
    // What the generation calls must not keep it; and nothing else keeps the promise, so that it
    // goes with the generation, or when that is left behind.
    generation->run([&over = *generation, action, last = std::move(kept)] {
      last->keep([&] { return action->completed(over.wait({})); });
    });
  });
  if (posted) return;
  promise->withdraw();
  throw Error(Errc::shutdown, "the Runtime has ended");
}

std::vector<Checked> Session::validate(const Result& answer, Requirements requirements,
                                       CallOptions options) const {
  Entered entered = enter(options.stop, options.origin);
  return check({.evaluated = answer.scope(), .reply = answer.share_reply()},
               std::move(requirements), std::move(options), std::move(entered));
}

std::vector<Checked> Session::validate(Requirements requirements, CallOptions options) const {
  Entered entered = enter(options.stop, options.origin);
  const std::vector<Message> said = entered.context.messages();
  const auto last = std::find_if(said.rbegin(), said.rend(), [](const Message& message) {
    return message.role == Message::Role::assistant;
  });
  if (last == said.rend())
    throw Error(Errc::invalid_request,
                entered.context.kind() == Context::Kind::chat
                    ? "nothing was said yet: there is no answer to check"
                    : "this session keeps no conversation: name the answer to check");
  Context before = entered.context.cleared();
  std::for_each(said.begin(), last.base() - 1,
                [&](const Message& message) { before = before.add(message); });
  const auto reply = std::make_shared<const Reply>(
      Reply{.text = last->text, .thinking = last->thinking, .tool_calls = last->tool_calls});
  return check({.reply = reply, .context = std::move(before)}, std::move(requirements),
               std::move(options), std::move(entered));
}

std::vector<Checked> Session::check(ValidationJob job, Requirements requirements,
                                    CallOptions options, Entered entered) const {
  job.parent = parent_;
  job.entry = {.labels = std::move(options.labels), .origin = std::move(entered.origin)};
  job.requirements = std::move(requirements);
  job.options = merged(options.options, state_->options);
  job.cancellation = entered.running->cancellation();
  return mellea::validate(
             model_of(*state_, entered.running, options, hooks_, std::move(entered.conversation)),
             job)
      .checks;
}

Stream Session::stream(Instruction instruction, StreamOptions how, CallOptions options) const {
  return stream(std::make_shared<const Instruction>(std::move(instruction)), std::move(how),
                std::move(options));
}

Stream Session::stream(std::shared_ptr<const Component> component, StreamOptions how,
                       CallOptions options) const {
  if (options.format || options.strategy.is_set())
    throw Error(Errc::invalid_request,
                "a stream has neither a format nor a strategy: instruct() sees to them");
  how.requirements.insert(how.requirements.end(), options.requirements.begin(),
                          options.requirements.end());
  Entered entered = enter(options.stop, options.origin);
  Told wanted = told(how.requirements);
  for (const StreamCheck& check : how.checks)
    for (std::string& text : told({check.requirement}).requirements)
      wanted.requirements.push_back(std::move(text));
  const auto message = std::make_shared<const Message>(component->render(wanted));
  const Context before = context_of(
      state_,
      {.options = {.until = options.until, .limits = options.limits, .labels = options.labels},
       .hooks = hooks_,
       .running = entered.running,
       .origin = entered.origin,
       .before = entered.context,
       .conversation = entered.conversation},
      parent_);
  const auto tools =
      options.tools.empty() ? nullptr : std::make_shared<const Tools>(std::move(options.tools));
  return start_stream(
      {.model = model_of(*state_, entered.running, options, hooks_, entered.conversation),
       .question = {.parent = parent_,
                    .message = message,
                    .context = before,
                    .component = component->name(),
                    .prompt = component->prompt(),
                    .options = merged(options.options, state_->options),
                    .tools = tools ? specs_of(*tools) : std::vector<ToolSpec>(),
                    .tool_choice = std::move(options.tool_choice),
                    .system = std::move(options.system)},
       .entry = {.labels = std::move(options.labels), .origin = std::move(entered.origin)},
       .options = std::move(how),
       .tools = tools,
       .runs = [running = entered.running](const auto& stream) { running->runs(stream); },
       .on_end =
           [running = entered.running, session = state_, conversation = entered.conversation,
            message, before, hooks = hooks_](const std::shared_ptr<const Reply>& reply) {
             if (!reply) return;
             session->add_turns({.conversation = conversation,
                                 .said = {*message, said_by(*reply)},
                                 .usage = reply->usage,
                                 .before = before,
                                 .hooks = hooks,
                                 .scope = session->operation.scope()});
           }});
}

std::vector<ToolResult> Session::call_tools(const Result& answer, CallToolsOptions options) const {
  Entered entered = enter(options.stop, options.origin);
  std::vector<ToolResult> results =
      run_tools(model_of(*state_, entered.running, {}, hooks_, entered.conversation),
                {.parent = parent_,
                 .entry = {.origin = std::move(entered.origin)},
                 .asked_by = answer.scope(),
                 .calls = answer.tool_calls(),
                 .tools = options.tools.empty() ? answer.tools() : std::move(options.tools),
                 .parallel = options.parallel});
  if (options.add_results) {
    std::vector<Message> said;
    for (const ToolResult& result : results) said.push_back(result.message());
    state_->add_said({.conversation = entered.conversation,
                      .said = std::move(said),
                      .hooks = hooks_,
                      .scope = parent_});
  }
  return results;
}

AgentResult Session::react(std::string goal, ReactOptions options) const {
  Entered entered = enter(options.stop, options.origin);
  MadeCall call{.hooks = hooks_,
                .parent = parent_,
                .running = std::move(entered.running),
                .origin = std::move(entered.origin),
                .before = std::move(entered.context),
                .conversation = std::move(entered.conversation)};
  return run_react(state_, std::move(call), std::move(goal), options);
}

BatchResult Session::generate_raw(std::vector<std::string> prompts, CallOptions options) const {
  return batch(Request::Kind::completion, std::move(prompts), std::move(options));
}

BatchResult Session::embed(std::vector<std::string> texts, CallOptions options) const {
  return batch(Request::Kind::embedding, std::move(texts), std::move(options));
}

BatchResult Session::batch(Request::Kind kind, std::vector<std::string> prompts,
                           CallOptions options) const {
  if (prompts.empty()) throw Error(Errc::invalid_request, "a batch of no prompts");
  Entered entered = enter(options.stop, options.origin);
  return run_batch(
      model_of(*state_, entered.running, options, hooks_, std::move(entered.conversation)),
      {.parent = parent_,
       .entry = {.labels = std::move(options.labels), .origin = std::move(entered.origin)},
       .kind = kind,
       .prompts = std::move(prompts),
       .options = merged(options.options, state_->options),
       .format = std::move(options.format)});
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
  const auto running = RunningCall::begin(state_, {});  // so that the session does not end now
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
