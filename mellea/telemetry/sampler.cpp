#include "mellea/telemetry/sampler.h"

#include <cmath>
#include <cstddef>

namespace mellea::telemetry {

bool Sampler::samples(const TraceRef& parent,
                      const std::array<std::uint8_t, 16>& trace) const noexcept {
  if (follow_parent && parent) return (parent.flags & 1U) != 0;
  if (ratio >= 1.0) return true;
  if (!(ratio > 0.0)) return false;
  std::uint64_t low = 0;
  for (std::size_t at = 8; at < 16; ++at) low = (low << 8U) | trace[at];
  return low < static_cast<std::uint64_t>(std::ldexp(ratio, 64));
}

}  // namespace mellea::telemetry
