// The moments of checking an answer, and of sampling until one is what it has to be.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "mellea/core/chat.h"
#include "mellea/core/context.h"
#include "mellea/core/cow.h"
#include "mellea/core/strategy.h"
#include "mellea/hooks/event.h"

namespace mellea {

// An answer is about to be checked.
struct ValidationPreCheck {
  static constexpr std::string_view name = "validation_pre_check";
  static constexpr Allows allows{.change = true, .stop = true};
  const Scope scope{};
  const Instant at{};
  const Scope evaluated{};                     // the generation it came from; nothing if none
  const std::shared_ptr<const Reply> reply{};  // never null
  const Context context = Context::simple();   // what was said before it
  const std::shared_ptr<const std::string> conversation{};  // its id; null outside of one
  Requirements requirements{};
  Cow<ModelOptions> options{};  // for those that a model judges
  TraceRef trace{};
  Stopped stopped{};
};

// It was checked, or could not be: then `ending` has the error, and `checks` what was found before.
// What a handler changes in `checks` is what the caller sees.
struct ValidationPostCheck {
  static constexpr std::string_view name = "validation_post_check";
  static constexpr Allows allows{.change = true, .stop = true};
  const std::shared_ptr<const ValidationPreCheck> opening{};  // as it was after all changes
  const Ending ending{};
  std::vector<Checked> checks{};  // one a requirement, in their order, if it ended well
  Stopped stopped{};
};

// A strategy begins to sample.
struct SamplingLoopStart {
  static constexpr std::string_view name = "sampling_loop_start";
  static constexpr Allows allows{.change = true, .stop = true};
  const Scope scope{};
  const Instant at{};
  const Strategy strategy;
  const std::string_view component{};  // class name; static lifetime
  const std::shared_ptr<const Message> action{};
  const Context context = Context::simple();
  Requirements requirements{};
  int budget = 1;  // attempts of one candidate, at most; below one is an error
  TraceRef trace{};
  Stopped stopped{};
};

// An attempt is over, and was checked.
struct SamplingIteration {
  static constexpr std::string_view name = "sampling_iteration";
  static constexpr Allows allows{};
  const Scope scope{};  // of the sampling
  const Strategy strategy;
  const std::shared_ptr<const Attempt> attempt{};  // never null
};

// It was not what it has to be, and the next attempt is made with this.
struct SamplingRepair {
  static constexpr std::string_view name = "sampling_repair";
  static constexpr Allows allows{};
  const Scope scope{};  // of the sampling
  const Strategy strategy;
  const std::string_view repair_type{};           // "none", "template", "multi_turn"; static
  const std::shared_ptr<const Attempt> failed{};  // never null
  const std::shared_ptr<const Message> next{};    // what will be said; never null
};

struct SamplingLoopEnd {
  static constexpr std::string_view name = "sampling_loop_end";
  static constexpr Allows allows{};
  const std::shared_ptr<const SamplingLoopStart> opening{};
  const Ending ending{};
  const std::shared_ptr<const Attempts> attempts{};  // in the order of their ends; never null
  const std::optional<std::size_t> chosen{};         // which of them; nothing unless it ended well
  const bool success = false;                        // the chosen one is ok
};

}  // namespace mellea
