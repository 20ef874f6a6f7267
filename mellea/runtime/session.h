// A conversation with one model.
#pragma once

#include <concepts>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "mellea/core/call.h"
#include "mellea/core/chat.h"
#include "mellea/core/context.h"
#include "mellea/hooks/hook.h"
#include "mellea/runtime/compaction.h"
#include "mellea/runtime/instruction.h"
#include "mellea/runtime/output.h"
#include "mellea/runtime/react.h"
#include "mellea/runtime/result.h"
#include "mellea/runtime/stream.h"

namespace mellea {

class Action;
template <class T>
class Typed;
struct MadeCall;
struct RuntimeState;
struct SessionOptions;
struct SessionState;
struct ValidationJob;
class SessionHandle;

struct CallOptions {
  ModelOptions options{};  // win over those of the session
  Tools tools{};           // what the model may ask for; see Result::tool_calls()
  ToolChoice tool_choice{};
  std::optional<Format> format{};  // an answer that is not of its schema is an error
  Requirements requirements{};     // what the answer has to be; a strategy sees to that
  Option<Strategy> strategy{};     // not set: that of the verb; off: one answer, whatever it is
  std::string system{};            // said before all else; empty: nothing
  bool stream = false;
  // Then it fails with Errc::timeout. What runs of your own functions is waited for.
  std::optional<Instant> until{};
  Limits limits{};
  std::stop_token stop{};  // cancels (CancelReason::caller)
  Labels labels{};
  std::shared_ptr<const Origin> origin{};  // wins over what plugins find in the thread
};

struct CallToolsOptions {
  Tools tools{};                           // none: those that the model was told of with its call
  bool parallel = false;                   // beside each other, on workers
  bool add_results = false;                // to the conversation, for the model to read
  std::stop_token stop{};                  // asks the tools to, and starts no other
  std::shared_ptr<const Origin> origin{};  // as in CallOptions
};

// How an asynchronous call gives what the blocking one returns or throws: one of the two is there.
template <class T>
using Completion = std::function<void(std::exception_ptr, std::optional<T>)>;

// A handle; copies are the same session, which ends when end() is called or its last handle and the
// last call in flight are gone. Any thread may call anything: each call reads the context it finds
// and adds its turn when it has ended well, in the order of the ends.
//
// Every call throws Errc::shutdown once the session or its Runtime has ended, and Errc::after_fork
// in a child of fork(). An asynchronous one throws nothing else, and then `done` is not called.
class Session {
 public:
  // Block; what runs is cancelled by `stop`, ended by `until`. Throw Error, with the text that had
  // arrived. An answer that does not meet its requirements is no Error: see Result::ok().
  //
  // instruct() samples by rejection, twice at most, unless the options say otherwise; the others
  // take the one answer they get, unless the options say otherwise.
  Result instruct(Instruction instruction, CallOptions options = {}) const;
  Result chat(std::string text, CallOptions options = {}) const;
  Result chat(Message message, CallOptions options = {}) const;
  Result query(std::string object, std::string question, CallOptions options = {}) const;
  Result transform(std::string object, std::string how, CallOptions options = {}) const;
  Result act(std::shared_ptr<const Component> component, CallOptions options = {}) const;
  template <std::derived_from<Component> Some>
  Result act(Some component, CallOptions options = {}) const {
    return act(std::make_shared<const Some>(std::move(component)), std::move(options));
  }

  // The same, with the answer as a described struct; include mellea/typed.h.
  template <class T>
  Typed<T> instruct(Instruction instruction, CallOptions options = {}) const;
  template <class T>
  Typed<T> chat(std::string text, CallOptions options = {}) const;
  template <class T>
  Typed<T> query(std::string object, std::string question, CallOptions options = {}) const;

  // Block only for what plugins do before the request is sent. There is one answer and no more:
  // options by which another might be needed (requirements, a format with a strategy, candidates)
  // are refused (Errc::invalid_request). See Compaction for the call that they may wait for first.
  Output start_instruct(Instruction instruction, CallOptions options = {}) const;
  Output start_chat(std::string text, CallOptions options = {}) const;
  Output start_chat(Message message, CallOptions options = {}) const;
  Output start_act(std::shared_ptr<const Component> component, CallOptions options = {}) const;

  // Return at once: plugins are asked on a worker. Where the caller is in its own trace, and what
  // was said before, is as of now. No thread waits for the answer, however many calls there are;
  // only where more than one may be needed, or a summary before it, the call has a worker for as
  // long as it takes.
  //
  // `done` is called exactly once, on a worker, when the end has been told. It may take its time
  // and call anything; what it throws is told as a Diagnostic. The end of the Runtime gives it
  // Errc::shutdown, and waits for it within its deadline; what a handler that does not return holds
  // up longer is given that by the thread that ends the Runtime, or, where the handler was asked
  // before the request was sent, when it returns after all. Never called in a child of fork().
  void instruct_async(Instruction instruction, CallOptions options, Completion<Result> done) const;
  void chat_async(std::string text, CallOptions options, Completion<Result> done) const;
  void chat_async(Message message, CallOptions options, Completion<Result> done) const;
  void act_async(std::shared_ptr<const Component> component, CallOptions options,
                 Completion<Result> done) const;

  // The same, with the answer as a described struct; include mellea/typed.h.
  template <class T>
  void instruct_async(Instruction instruction, CallOptions options,
                      Completion<Typed<T>> done) const;
  template <class T>
  void chat_async(std::string text, CallOptions options, Completion<Typed<T>> done) const;

  // An answer that is read in chunks, each checked before it is given out; the requirements of
  // `options` are checked at its end. Block only for what plugins do before the request is sent. A
  // format and a strategy are refused (Errc::invalid_request): what they need is the whole answer.
  Stream stream(Instruction instruction, StreamOptions how = {}, CallOptions options = {}) const;
  Stream stream(std::shared_ptr<const Component> component, StreamOptions how = {},
                CallOptions options = {}) const;

  // Checks an answer of this session against requirements, in the order that they have then; by
  // what was said last if no answer is given. Throw Error if one could not be checked, or (the
  // second) nothing was said yet.
  std::vector<Checked> validate(const Result& answer, Requirements requirements,
                                CallOptions options = {}) const;
  std::vector<Checked> validate(Requirements requirements, CallOptions options = {}) const;

  // Runs the tools that the model asked for. See run_tools() for what a failure is; throws Error
  // only if it was cancelled.
  std::vector<ToolResult> call_tools(const Result& answer, CallToolsOptions options = {}) const;

  // Has the model work towards a goal with tools, step by step, until it has an answer or is out of
  // steps. It sees what was said before; the conversation gets the goal and the answer, and not
  // the way there. Throws Error if a step failed.
  AgentResult react(std::string goal, ReactOptions options) const;

  // Several prompts at once, without any conversation: completions as the model continues them, and
  // what they are to an embedding model. Throw Error.
  BatchResult generate_raw(std::vector<std::string> prompts, CallOptions options = {}) const;
  BatchResult embed(std::vector<std::string> texts, CallOptions options = {}) const;

  Session with(const Plugins& more) const;  // the same session, more plugins
  Session with(const Labels& more) const;   // the same session, more labels
  Session within(const Call& call) const;   // the same session, below `call`

  // Another session, with the same model, plugins and labels, that has said the same so far; from
  // now on each goes its own way. Throws as Runtime::start_session() does.
  Session clone() const;
  // Forgets what was said; from now on under another conversation id.
  void reset();
  Context context() const;
  const std::string& model() const noexcept;
  const Scope& scope() const noexcept;  // of the session, or what within() was given
  // Cancels what runs (CancelReason::parent), tells the end, and returns when it is told or some
  // other thread is about to. A later call throws. The last handle's destructor ends it too,
  // without cancelling anything, and leaves the telling to a worker.
  void end();

 private:
  friend class Runtime;
  Session(std::shared_ptr<SessionState> state, std::shared_ptr<const SessionHandle> handle,
          Hooks hooks, Scope parent);

  MadeCall make(std::shared_ptr<const Component> component, CallOptions options,
                const std::optional<Strategy>& usual) const;
  // `brought`: labels that it has from callers, if the new one brings no others.
  static Session begin(const std::shared_ptr<RuntimeState>& runtime,
                       std::shared_ptr<Backend> backend, std::string model, SessionOptions options,
                       const Hooks& hooks, const Labels& brought = {});
  // What all public calls begin with.
  struct Entered;
  Entered enter(const std::stop_token& stop, const std::shared_ptr<const Origin>& given) const;
  Result run(MadeCall call) const;
  Output start(MadeCall call) const;
  void start_async(MadeCall call, Completion<Result> done) const;
  std::vector<Checked> check(ValidationJob job, Requirements requirements, CallOptions options,
                             Entered entered) const;
  BatchResult batch(Request::Kind kind, std::vector<std::string> prompts,
                    CallOptions options) const;

  std::shared_ptr<SessionState> state_;
  std::shared_ptr<const SessionHandle> handle_;
  Hooks hooks_;
  Scope parent_;
};

struct SessionOptions {
  Plugins plugins{};  // hear this session only
  Labels labels{};
  ModelOptions options{};
  Context context = Context::simple();     // chat: each call sees the turns before it
  Compaction compaction{};                 // how long that may become; else it only grows
  bool span = true;                        // false: its calls are roots of their own
  std::string conversation{};              // its id; empty: the session's
  std::shared_ptr<const Origin> origin{};  // wins over what plugins find in the thread
};

}  // namespace mellea
