// The moments of a tool's call, and of an agent that makes some.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "mellea/core/chat.h"
#include "mellea/core/tool.h"
#include "mellea/hooks/event.h"

namespace mellea {

// A tool that the model asked for is about to run.
struct ToolPreInvoke {
  static constexpr std::string_view name = "tool_pre_invoke";
  static constexpr Allows allows{.change = true, .stop = true};
  const Scope scope{};
  const Instant at{};
  const std::shared_ptr<const ToolSpec> tool{};             // null: there is none of that name
  const bool control_flow = false;                          // it ends an agent
  const Scope asked_by{};                                   // the generation; nothing if unknown
  const std::shared_ptr<const std::string> conversation{};  // its id; null outside of one
  ToolCall call{};
  TraceRef trace{};
  Stopped stopped{};
};

// It has run, or could not: then `ending` has the error, whose text the model is told.
struct ToolPostInvoke {
  static constexpr std::string_view name = "tool_post_invoke";
  static constexpr Allows allows{.change = true, .stop = true};
  const std::shared_ptr<const ToolPreInvoke> opening{};  // as it was after all changes
  const Ending ending{};
  const std::chrono::nanoseconds took{0};            // the tool alone
  const std::shared_ptr<const RemoteCall> remote{};  // null: no server was asked, as far as we know
  std::string output{};                              // what the model is told
  Stopped stopped{};
};

// An agent begins to work.
struct AgentStart {
  static constexpr std::string_view name = "agent_start";
  static constexpr Allows allows{.change = true, .stop = true};
  const Scope scope{};
  const Instant at{};
  const std::string_view agent{};                   // its name: static lifetime
  const std::string_view provider{};                // of the session: static lifetime
  const std::shared_ptr<const std::string> goal{};  // never null
  const std::shared_ptr<const Tools> tools{};       // never null
  const std::shared_ptr<const std::string> conversation{};
  int max_steps = 0;  // 0: no limit
  TraceRef trace{};
  Stopped stopped{};
};

struct AgentEnd {
  static constexpr std::string_view name = "agent_end";
  static constexpr Allows allows{};
  const std::shared_ptr<const AgentStart> opening{};
  const Ending ending{};
  const int steps = 0;                                // turns of the model
  const std::shared_ptr<const std::string> answer{};  // null: it gave none
};

}  // namespace mellea
