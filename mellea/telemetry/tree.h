// Spans as a tree for people: one line a span, by its name as exported, so that `grep` counts.
//
//   trace 7f3c1d0e52b84a6f9a1e0c44d2b7e810       in/out tokens     time  0                182 ms
//   session                                              42/18    182 ms  ███████████████████████
//   └─ action Message                                    42/18    181 ms  ██████████████████████▉
//      └─ chat demo-small  stream, first chunk 31 ms     42/18    180 ms  ██████████████████████▊
#pragma once

#include <span>
#include <string>

#include "mellea/telemetry/span.h"

namespace mellea::telemetry {

struct TreeStyle {
  int width = 100;      // columns; bars are drawn from 80 on
  bool utf8 = true;     // else ASCII alone
  bool colour = false;  // as ANSI escapes
};

// Each trace is a tree under a header of its own; a span whose parent is not among `spans` stands
// at the left. Parents show the sum of the tokens inside; what no provider told is `-`; where no
// model was asked there is nothing. What was said is in it only where the records have it.
std::string render_tree(std::span<const SpanPtr> spans, const TreeStyle& style = {});

}  // namespace mellea::telemetry
