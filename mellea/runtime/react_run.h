// How an agent works; for session.cpp.
#pragma once

#include <memory>
#include <string>

#include "mellea/runtime/action.h"
#include "mellea/runtime/react.h"

namespace mellea {

// Tells the events of the agent and of all it does; turn by turn, on this thread. `call` says where
// and in which conversation it works. Throws Error: a turn failed, was blocked, or cancelled.
AgentResult run_react(const std::shared_ptr<SessionState>& session, MadeCall call, std::string goal,
                      const ReactOptions& options);

}  // namespace mellea
