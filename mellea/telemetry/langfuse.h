// What Langfuse reads beside any vocabulary. Only for .cpp files of this layer.
#pragma once

#include <span>
#include <string_view>

#include "mellea/telemetry/made_attribute.h"

namespace mellea::telemetry {

// Adds when the answer began to come, the prompt that it knows, and on the root of a trace what
// the trace is called: by the agent, the prompt or the component that it is about. What the program
// says itself, by a label of such a name, is left as it is.
void add_langfuse(const SpanRecord& span, MadeAttributes& made);

// All that it may add.
std::span<const std::string_view> langfuse_names() noexcept;

}  // namespace mellea::telemetry
