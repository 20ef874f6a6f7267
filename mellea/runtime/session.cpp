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

void refuse_null(const std::shared_ptr<const Component>& component) {
  if (!component) throw Error(Errc::invalid_request, "there is no component to ask about: null");
}

// What a verb has no use for is refused, or it would be thought to have an effect.
void refuse_unused(std::string_view verb, const CallOptions& options, bool has_format = false) {
  const auto refuse = [&](bool given, const char* name) {
    if (given)
      throw Error(Errc::invalid_request, std::string(verb) + " has no use for the option " + name);
  };
  refuse(!options.tools.empty(), "tools");
  refuse(options.tool_choice.mode != ToolChoice{}.mode, "tool_choice");
  refuse(options.format && !has_format, "format");
  refuse(!options.requirements.empty(), "requirements");
  refuse(options.strategy.is_set(), "strategy");
  refuse(!options.system.empty(), "system");
  refuse(options.stream, "stream");
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

}  // namespace

Session::Session(std::shared_ptr<SessionState> state, std::shared_ptr<const SessionHandle> handle,
                 Hooks hooks, Scope parent)
    : state_(std::move(state)),
      handle_(std::move(handle)),
      hooks_(std::move(hooks)),
      parent_(std::move(parent)) {}

Session Session::begin(const std::shared_ptr<RuntimeState>& runtime,
                       std::shared_ptr<Backend> backend, std::string model, SessionOptions options,
                       const Hooks& hooks, const Labels& brought) {
  refuse_what_can_not_be(options.compaction);
  Caller caller = caller_of(hooks, Scope(), options.origin);
  caller.labels.insert(brought.begin(), brought.end());  // what is there stays
  SessionParts parts{
      .runtime = runtime, .backend = std::move(backend), .hooks = hooks, .origin = caller.origin};
  const Entry entry{.labels = std::move(options.labels), .caller = std::move(caller)};
  SessionPreInit opening{.scope = Scope::root(Kind::session, entry.options()),
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
               {.labels = parent_.program_labels(),
                .options = state_->options,
                .context = state_->context_now(),
                .compaction = state_->compaction,
                .span = state_->operation.opening()->span},
               hooks_, parent_.caller_labels());
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
  Caller caller{};
  Context context = Context::simple();
  std::shared_ptr<const std::string> conversation{};
};

Session::Entered Session::enter(const std::stop_token& stop,
                                const std::shared_ptr<const Origin>& given) const {
  Entered entered{.running = RunningCall::begin(state_, stop),
                  .caller = caller_of(hooks_, parent_, given)};
  // A session may live for days: what began it is not the parent of all that it does.
  std::shared_ptr<const Origin>& origin = entered.caller.origin;
  if (origin && state_->origin && !given && *origin == *state_->origin) origin = nullptr;
  std::lock_guard lock(state_->mutex);
  entered.context = state_->context;
  entered.conversation = state_->conversation;
  return entered;
}

MadeCall Session::make(std::shared_ptr<const Component> component, CallOptions options,
                       const std::optional<Strategy>& usual) const {
  refuse_null(component);
  if (!options.strategy.is_set() && !options.strategy.is_off() && usual) options.strategy = *usual;
  Entered entered = enter(options.stop, options.origin);
  return {.component = std::move(component),
          .options = std::move(options),
          .hooks = hooks_,
          .parent = parent_,
          .running = std::move(entered.running),
          .caller = std::move(entered.caller),
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
  // Where the caller was, so that what it does next is not found somewhere else in its trace.
  const auto promise = std::make_shared<CompletionPromise>(
      hooks_, parent_.entered(call->caller.origin), std::move(done));
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
  refuse_unused("validate", options);
  Entered entered = enter(options.stop, options.origin);
  return check({.evaluated = answer.scope(), .reply = answer.share_reply()},
               std::move(requirements), std::move(options), std::move(entered));
}

std::vector<Checked> Session::validate(Requirements requirements, CallOptions options) const {
  refuse_unused("validate", options);
  Entered entered = enter(options.stop, options.origin);
  const Context::Turns& said = entered.context.turns();
  const auto last = std::find_if(said.rbegin(), said.rend(), [](const auto& message) {
    return message->role == Message::Role::assistant;
  });
  if (last == said.rend())
    throw Error(Errc::invalid_request,
                entered.context.kind() == Context::Kind::chat
                    ? "nothing was said yet: there is no answer to check"
                    : "this session keeps no conversation: name the answer to check");
  Context before = entered.context.with({said.begin(), last.base() - 1});
  const Message& answer = **last;
  const auto reply = std::make_shared<const Reply>(
      Reply{.text = answer.text, .thinking = answer.thinking, .tool_calls = answer.tool_calls});
  return check({.reply = reply, .context = std::move(before)}, std::move(requirements),
               std::move(options), std::move(entered));
}

std::vector<Checked> Session::check(ValidationJob job, Requirements requirements,
                                    CallOptions options, Entered entered) const {
  job.parent = parent_;
  job.entry = {.labels = std::move(options.labels), .caller = std::move(entered.caller)};
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
  refuse_null(component);
  how.requirements.insert(how.requirements.end(), options.requirements.begin(),
                          options.requirements.end());
  Entered entered = enter(options.stop, options.origin);
  Requirements wanted = how.requirements;
  for (const StreamCheck& check : how.checks)
    if (std::find(wanted.begin(), wanted.end(), check.requirement) == wanted.end())
      wanted.push_back(check.requirement);
  const auto message = std::make_shared<const Message>(rendered(*component, wanted));
  const Context before = context_of(
      state_,
      {.options = {.until = options.until, .limits = options.limits, .labels = options.labels},
       .hooks = hooks_,
       .running = entered.running,
       .caller = entered.caller,
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
       .entry = {.labels = std::move(options.labels), .caller = std::move(entered.caller)},
       .options = std::move(how),
       .tools = tools,
       .runs = [running = entered.running](const auto& stream) { running->runs(stream); },
       .on_end =
           [running = entered.running, session = state_, conversation = entered.conversation,
            message, before, hooks = hooks_,
            parent = parent_](const std::shared_ptr<const Reply>& reply) {
             if (!reply) return;
             session->add_turns({.conversation = conversation,
                                 .said = {*message, said_by(*reply)},
                                 .usage = reply->usage,
                                 .before = before,
                                 .hooks = hooks,
                                 .scope = parent});
           }});
}

std::vector<ToolResult> Session::call_tools(const Result& answer, CallToolsOptions options) const {
  Entered entered = enter(options.stop, options.origin);
  std::vector<ToolResult> results =
      run_tools(model_of(*state_, entered.running, {}, hooks_, entered.conversation),
                {.parent = parent_,
                 .entry = {.caller = std::move(entered.caller)},
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
                .caller = std::move(entered.caller),
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
  refuse_unused("a batch", options, kind == Request::Kind::completion);
  Entered entered = enter(options.stop, options.origin);
  return run_batch(
      model_of(*state_, entered.running, options, hooks_, std::move(entered.conversation)),
      {.parent = parent_,
       .entry = {.labels = std::move(options.labels), .caller = std::move(entered.caller)},
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
