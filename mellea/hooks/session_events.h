// The moments of a session, and of one action in it.
#pragma once

#include <optional>

#include "mellea/core/chat.h"
#include "mellea/core/context.h"
#include "mellea/core/cow.h"
#include "mellea/core/prompt.h"
#include "mellea/core/strategy.h"
#include "mellea/hooks/event.h"

namespace mellea {

// A session is about to start: the last moment to choose another model.
struct SessionPreInit {
  static constexpr std::string_view name = "session_pre_init";
  static constexpr Allows allows{.change = true, .stop = true};
  const Scope scope{};
  const Instant at{};
  const std::string_view backend{};  // static lifetime
  const Context::Kind context = Context::Kind::simple;
  const bool span = true;  // false: the session is not to be a span of its own
  std::string model{};
  Cow<ModelOptions> options{};
  TraceRef trace{};
  Stopped stopped{};
};

struct SessionPostInit {
  static constexpr std::string_view name = "session_post_init";
  static constexpr Allows allows{};
  const std::shared_ptr<const SessionPreInit> opening{};
};

// The conversation is forgotten, and starts anew under another id.
struct SessionReset {
  static constexpr std::string_view name = "session_reset";
  static constexpr Allows allows{};
  const Scope scope{};
  const Context previous = Context::simple();
};

// What was said long ago was made shorter, or forgotten.
struct ContextCompacted {
  static constexpr std::string_view name = "context_compacted";
  static constexpr Allows allows{};
  const Scope scope{};           // of the session, or the action or agent that caused it
  const std::string_view how{};  // "window", "tokens", "summary": static lifetime
  const Context before = Context::simple();
  const Context after = Context::simple();
};

struct SessionCleanup {
  static constexpr std::string_view name = "session_cleanup";
  static constexpr Allows allows{};
  const std::shared_ptr<const SessionPreInit> opening{};
  const Ending ending{};
  const Context context = Context::simple();
  const int interactions = 0;  // actions that ended well
};

// One call of the user begins: instruct, chat, ...
struct ComponentPreExecute {
  static constexpr std::string_view name = "component_pre_execute";
  static constexpr Allows allows{.change = true, .stop = true};
  const Scope scope{};
  const Instant at{};
  const std::string_view component{};                       // class name; static lifetime
  const std::shared_ptr<const Message> action{};            // what is to be said
  const Context context = Context::simple();                // what was said before
  const std::shared_ptr<const std::string> conversation{};  // its id; null outside of one
  const std::shared_ptr<const Prompt> prompt{};             // null: made from no template
  Cow<ModelOptions> options{};
  std::optional<Format> format{};
  std::vector<ToolSpec> tools{};
  Requirements requirements{};
  std::optional<Strategy> strategy{};  // nothing: one answer, whatever it is
  TraceRef trace{};
  Stopped stopped{};
};

// It ended well, or was cancelled.
struct ComponentPostSuccess {
  static constexpr std::string_view name = "component_post_success";
  static constexpr Allows allows{};
  const std::shared_ptr<const ComponentPreExecute> opening{};
  const Ending ending{};
  const std::shared_ptr<const Reply> reply{};        // null if nothing was said
  const int generations = 0;                         // how many replies it took
  const std::shared_ptr<const Attempts> attempts{};  // of its strategy; null: there was none
  const std::optional<std::size_t> chosen{};         // which of them is the answer
  const Context context = Context::simple();         // after this turn
};

// It failed, or was blocked.
struct ComponentPostError {
  static constexpr std::string_view name = "component_post_error";
  static constexpr Allows allows{};
  const std::shared_ptr<const ComponentPreExecute> opening{};
  const Ending ending{};
  const Context context = Context::simple();  // as it was: a failed turn is not added
};

}  // namespace mellea
