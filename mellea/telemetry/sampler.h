// Which traces are recorded.
#pragma once

#include <cstdint>

#include "mellea/core/scope.h"

namespace mellea::telemetry {

// Decides by the trace's id, so that all who use the same rule and ratio keep the same traces.
struct Sampler {
  double ratio = 1.0;         // of the traces; 1: all, 0: none
  bool follow_parent = true;  // a span with a parent is recorded exactly if its parent is

  bool samples(const TraceRef& parent, const std::array<std::uint8_t, 16>& trace) const noexcept;
};

}  // namespace mellea::telemetry
