// What a tree says of a span beside its name.
#pragma once

#include <string>
#include <vector>

#include "mellea/telemetry/span.h"
#include "mellea/telemetry/tree_layout.h"

namespace mellea::telemetry {

// "31 ms", "12.3 s".
std::string duration_text(double seconds);

// The span's name; an action's with its component.
std::string title_of(const SpanRecord& span);

// What it did, in a few words; empty where the name says all.
std::string facts_of(const SpanRecord& span);

// What its end was, in capitals; empty if it was good, or if its parent's says it.
std::string mark_of(const TreeRow& row);

// An event that has a line of its own; empty if it has none.
std::string note_of(const SpanEvent& event);

// What was said, where the span shows it: "asked: Why?", "said: Because."
std::vector<std::string> said_in(const SpanRecord& span);

}  // namespace mellea::telemetry
