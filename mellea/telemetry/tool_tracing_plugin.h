// Traces each call of a tool.
#pragma once

#include <memory>

#include "mellea/hooks/hook.h"
#include "mellea/telemetry/content.h"
#include "mellea/telemetry/tracer.h"

namespace mellea::telemetry {

// One span "execute_tool {tool}" for each, linked to the chat that asked for it. Of the arguments
// there is a fingerprint only, and of the result nothing.
std::shared_ptr<Plugin> make_tool_tracing_plugin(std::shared_ptr<Tracer> tracer,
                                                 std::shared_ptr<const Content> content);

}  // namespace mellea::telemetry
