// One call of the user's that says something to the model: from its first event to its last.
#pragma once

#include <memory>
#include <optional>

#include "mellea/runtime/component.h"
#include "mellea/runtime/sampling.h"
#include "mellea/runtime/session_state.h"

namespace mellea {

// A call, and what depends on the moment and the thread it is made on. The rest may be done later
// and elsewhere.
struct MadeCall {
  std::shared_ptr<const Component> component{};
  CallOptions options{};
  Hooks hooks{};
  Scope parent{};
  std::shared_ptr<RunningCall> running{};
  Caller caller{};
  Context before = Context::simple();
  std::shared_ptr<const std::string> conversation{};
  bool aside = false;  // neither goes on from the session's conversation nor adds to it
};

// How the model of a session is asked within a call.
Model model_of(const SessionState& session, const std::shared_ptr<RunningCall>& running,
               const CallOptions& options, Hooks hooks,
               std::shared_ptr<const std::string> conversation);

// Used by one thread at a time, and then by whoever sees the end of its generation.
class Action : public std::enable_shared_from_this<Action> {
 public:
  // Tells the opening event, and has the model sum up what was said before if that is due. Throws
  // Error, with the closing one told, if a plugin stopped it, the call can't be made as it is, or
  // it was cancelled meanwhile.
  static std::shared_ptr<Action> begin(std::shared_ptr<SessionState> session, MadeCall call);

  // Whether one answer may not be enough: then only run() will do.
  bool may_sample_again() const noexcept;

  // Sends the request; the action ends when its generation does. Throws as begin() does.
  std::shared_ptr<Generation> send();
  // Blocks for the answer, sampled as the strategy says. Throws Error, with all ends told.
  Result run();
  // What send() gave, with what else is known of it. To be called when that has ended.
  Result completed(const Result& of_generation) const;

 private:
  Action(std::shared_ptr<SessionState> session, MadeCall call, Message message);
  void refuse_what_can_not_be() const;
  Question question() const;
  void begin_sampling(Question& question);
  std::optional<Error> ended(const Generated& generated);
  // Adds what was said to the conversation, the reply last, and tells the end.
  void end_well(std::vector<Message> said, Closing<ComponentPreExecute>::Facts facts);
  void end(const Ending& ending);

  const std::shared_ptr<SessionState> session_;
  MadeCall call_;
  Operation<ComponentPreExecute> operation_;
  const Model model_;
  const std::shared_ptr<const Tools> tools_;  // null: none
  std::shared_ptr<const Message> message_;    // never null once it has begun
  std::shared_ptr<const Schema> schema_;      // of the format; null: it has none
  // Of send(): a strategy that has made its one attempt when the generation ends. Null: none.
  std::unique_ptr<Operation<SamplingLoopStart>> sampling_;
  std::shared_ptr<const Attempts> attempts_;  // likewise; written before readers see the end
};

}  // namespace mellea
