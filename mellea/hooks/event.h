// What all events have in common.
//
// An event is a value, cheap to copy. What a handler may change is no const member; what is large
// and may be changed is a Cow. A const event is const all the way down, so the type system decides
// who may write what.
#pragma once

#include <memory>
#include <string_view>

#include "mellea/core/outcome.h"
#include "mellea/core/reply.h"
#include "mellea/core/scope.h"
#include "mellea/hooks/block.h"

namespace mellea {

struct Target;

// What a handler may do with an event, besides looking.
struct Allows {
  bool change = false;
  bool stop = false;
};

// How an operation ended: in every closing event. Which of the fields are filled follows from
// `outcome`.
struct Ending {
  Outcome outcome = Outcome::ok;
  CancelReason reason = CancelReason::none;  // if cancelled
  std::shared_ptr<const Error> error{};      // if blocked or error
  Instant at{};
};

// A public call begins, on the caller's thread, before anything else. For plugins that know where
// the caller is in its own trace, and what its work came with. `origin` is the caller's own word if
// it gave one. `labels` go on all that the call does; where the program has given a label of that
// name, they give way.
struct CallBegin {
  static constexpr std::string_view name = "call_begin";
  static constexpr Allows allows{.change = true};
  const Scope scope{};  // of the session; nothing outside of one
  std::shared_ptr<const Origin> origin{};
  Labels labels{};
};

// A tool, a validator or a callback of the user is about to run on this thread. `held` is released
// on this thread, last first, when it has returned.
struct UserCodeBegin {
  static constexpr std::string_view name = "user_code_begin";
  static constexpr Allows allows{.change = true};
  const Scope scope{};
  std::vector<std::shared_ptr<void>> held{};
};

// What went wrong where no operation can carry it, or what must be known and is no failure.
struct Diagnostic {
  static constexpr std::string_view name = "diagnostic";
  static constexpr Allows allows{};
  const Scope scope{};  // nothing where no operation is concerned
  const Notice notice{};
  const std::shared_ptr<const Target> target{};  // of the request it is about; null: about none
};

}  // namespace mellea
