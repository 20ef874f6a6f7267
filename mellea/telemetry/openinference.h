// What OpenInference says in other words than a fact by a fact. Only for .cpp files of this layer.
#pragma once

#include <span>
#include <string_view>

#include "mellea/telemetry/made_attribute.h"

namespace mellea::telemetry {

// Adds the kind of the span, its model, its parameters as one JSON text, the program's labels as
// `metadata`; and with `content` what was said, in flattened lists. JSON that can't be read, or is
// not of the shape that it ought to be, stands there whole as input or output.
void add_openinference(const SpanRecord& span, bool content, MadeAttributes& made);

// What that adds; of a flattened list its beginning, up to the number: "llm.tools.".
std::span<const std::string_view> openinference_names() noexcept;

}  // namespace mellea::telemetry
