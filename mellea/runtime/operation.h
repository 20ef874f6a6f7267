// Anything with a beginning and exactly one end, announced to plugins.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <utility>

#include "mellea/hooks/hook.h"
#include "mellea/hooks/workers.h"

namespace mellea {

// What is known when an operation ends, beside how it ended; and how that is told. Specialised for
// each opening event.
//
//   struct Facts;             // with defaults for an operation of which nothing came
//   static bool wanted(const Hooks&);
//   // Tells the one closing event. The block, if a plugin stopped the end itself; else null.
//   static std::shared_ptr<const Block> tell(const Hooks&, std::shared_ptr<const Opening>, Ending,
//                                            Facts);
template <class Opening>
struct Closing;

template <>
struct Closing<SessionPreInit> {
  struct Facts {
    Context context = Context::simple();
    int interactions = 0;
  };
  static bool wanted(const Hooks& hooks) noexcept { return hooks.wanted<SessionCleanup>(); }
  static std::shared_ptr<const Block> tell(const Hooks& hooks,
                                           std::shared_ptr<const SessionPreInit> opening,
                                           Ending ending, Facts facts);
};

template <>
struct Closing<ComponentPreExecute> {
  struct Facts {
    std::shared_ptr<const Reply> reply{};
    int generations = 0;
    std::shared_ptr<const Attempts> attempts{};
    std::optional<std::size_t> chosen{};
    Context context = Context::simple();
  };
  static bool wanted(const Hooks& hooks) noexcept {
    return hooks.wanted<ComponentPostSuccess>() || hooks.wanted<ComponentPostError>();
  }
  static std::shared_ptr<const Block> tell(const Hooks& hooks,
                                           std::shared_ptr<const ComponentPreExecute> opening,
                                           Ending ending, Facts facts);
};

template <>
struct Closing<GenerationPreCall> {
  struct Facts {
    std::shared_ptr<const Reply> reply{};
    Effort effort{};
  };
  static bool wanted(const Hooks& hooks) noexcept {
    return hooks.wanted<GenerationPostCall>() || hooks.wanted<GenerationError>();
  }
  static std::shared_ptr<const Block> tell(const Hooks& hooks,
                                           std::shared_ptr<const GenerationPreCall> opening,
                                           Ending ending, Facts facts);
};

template <>
struct Closing<GenerationBatchPreCall> {
  struct Facts {
    std::shared_ptr<const std::vector<Reply>> replies{};
    std::optional<Usage> usage{};
    Effort effort{};
  };
  static bool wanted(const Hooks& hooks) noexcept {
    return hooks.wanted<GenerationBatchPostCall>() || hooks.wanted<GenerationBatchError>();
  }
  static std::shared_ptr<const Block> tell(const Hooks& hooks,
                                           std::shared_ptr<const GenerationBatchPreCall> opening,
                                           Ending ending, Facts facts);
};

template <>
struct Closing<SamplingLoopStart> {
  struct Facts {
    std::shared_ptr<const Attempts> attempts = std::make_shared<const Attempts>();
    std::optional<std::size_t> chosen{};
  };
  static bool wanted(const Hooks& hooks) noexcept { return hooks.wanted<SamplingLoopEnd>(); }
  static std::shared_ptr<const Block> tell(const Hooks& hooks,
                                           std::shared_ptr<const SamplingLoopStart> opening,
                                           Ending ending, Facts facts);
};

template <>
struct Closing<ValidationPreCheck> {
  struct Facts {
    // What was found; handlers may change it, and that is what is here then. Null: nothing was.
    std::shared_ptr<std::vector<Checked>> checks{};
  };
  static bool wanted(const Hooks& hooks) noexcept { return hooks.wanted<ValidationPostCheck>(); }
  static std::shared_ptr<const Block> tell(const Hooks& hooks,
                                           std::shared_ptr<const ValidationPreCheck> opening,
                                           Ending ending, Facts facts);
};

template <>
struct Closing<ToolPreInvoke> {
  struct Facts {
    std::chrono::nanoseconds took{0};
    std::shared_ptr<const RemoteCall> remote{};
    // What the model is told; handlers may change it, and that is what is here then. Null: nothing.
    std::shared_ptr<std::string> output{};
  };
  static bool wanted(const Hooks& hooks) noexcept { return hooks.wanted<ToolPostInvoke>(); }
  static std::shared_ptr<const Block> tell(const Hooks& hooks,
                                           std::shared_ptr<const ToolPreInvoke> opening,
                                           Ending ending, Facts facts);
};

template <>
struct Closing<AgentStart> {
  struct Facts {
    int steps = 0;
    std::shared_ptr<const std::string> answer{};
  };
  static bool wanted(const Hooks& hooks) noexcept { return hooks.wanted<AgentEnd>(); }
  static std::shared_ptr<const Block> tell(const Hooks& hooks,
                                           std::shared_ptr<const AgentStart> opening, Ending ending,
                                           Facts facts);
};

template <>
struct Closing<StreamingStart> {
  struct Facts {
    bool success = false;
    std::shared_ptr<const std::vector<Checked>> failures{};
    std::size_t length = 0;
    std::shared_ptr<const GenerationPreCall> generation{};
  };
  static bool wanted(const Hooks& hooks) noexcept { return hooks.wanted<StreamingEnd>(); }
  static std::shared_ptr<const Block> tell(const Hooks& hooks,
                                           std::shared_ptr<const StreamingStart> opening,
                                           Ending ending, Facts facts);
};

// The error that a stopped operation gives its caller.
Error blocked_error(const Block& block);
// What is being thrown, as an Error. Only within a catch block.
Error caught_error(std::string_view where);
Ending ended_ok();
// As the error says: failed, blocked, or cancelled; then for `reason`.
Ending ended_with(const Error& error, CancelReason reason = CancelReason::caller);
Ending ended_cancelled(CancelReason reason);

// Tells the opening event when constructed, and from then on exactly one closing event: from end(),
// or else, as dropped, from a worker once it is destroyed; the destructor itself runs no plugin
// code. Used by one thread at a time.
template <class Opening>
class Operation {
 public:
  using Facts = typename Closing<Opening>::Facts;

  Operation(Hooks hooks, Opening event) : hooks_(std::move(hooks)) {
    const Verdict verdict = hooks_.decide(event);
    scope_ = event.scope.traced(event.trace);
    block_ = verdict.block();
    opening_ = std::make_shared<const Opening>(std::move(event));
    hooks_.tell(*opening_);
  }

  ~Operation() {
    if (ended_ || !Closing<Opening>::wanted(hooks_) || !hooks_.workers()) return;
    try {
      hooks_.workers()->post(
          [hooks = hooks_, opening = opening_, ending = ended_cancelled(CancelReason::dropped)] {
            Closing<Opening>::tell(hooks, opening, ending, Facts{});
          });
    } catch (...) {  // no memory to say so
    }
  }

  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  const Hooks& hooks() const noexcept { return hooks_; }
  const Scope& scope() const noexcept { return scope_; }  // for what happens inside
  const std::shared_ptr<const Opening>& opening() const noexcept { return opening_; }
  // Why it must not go on; null if it may. It is still to be ended.
  const std::shared_ptr<const Block>& block() const noexcept { return block_; }
  bool ended() const noexcept { return ended_; }

  // Only the first call tells. Gives the block if a plugin stopped an end that was ok.
  std::shared_ptr<const Block> end(Ending ending, Facts facts = {}) {
    if (std::exchange(ended_, true)) return nullptr;
    return Closing<Opening>::tell(hooks_, opening_, std::move(ending), std::move(facts));
  }

 private:
  const Hooks hooks_;
  Scope scope_;
  std::shared_ptr<const Opening> opening_;
  std::shared_ptr<const Block> block_;  // null: it may go on
  bool ended_ = false;
};

}  // namespace mellea
