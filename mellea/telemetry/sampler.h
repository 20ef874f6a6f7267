// Which traces are recorded.
#pragma once

#include <array>
#include <cstdint>
#include <functional>

#include "mellea/core/scope.h"

namespace mellea::telemetry {

class SpanRecord;

// Decides by the trace's id, so that all who use the same rule and ratio keep the same traces.
struct Sampler {
  double ratio = 1.0;         // of the traces; 1: all, 0: none
  bool follow_parent = true;  // a span with a parent is recorded exactly if its parent is
  // Asked in place of these two, on the thread that opens the span, when it says all that is known
  // at its start; may add to it. `parent` is zero for a root. Must not throw.
  std::function<bool(SpanRecord& beginning, const TraceRef& parent)> decide{};

  bool samples(const TraceRef& parent, const std::array<std::uint8_t, 16>& trace) const noexcept;
};

}  // namespace mellea::telemetry
