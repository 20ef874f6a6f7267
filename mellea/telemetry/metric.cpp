#include "mellea/telemetry/metric.h"

#include <algorithm>
#include <numeric>

namespace mellea::telemetry {

std::vector<double> default_bounds() {
  return {0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10'000};
}

void sort_by_name(std::span<MetricLabel> labels) noexcept {
  std::sort(labels.begin(), labels.end(), [](const MetricLabel& a, const MetricLabel& b) {
    return name_of(a.key) < name_of(b.key);
  });
}

std::uint64_t HistogramValue::count() const noexcept {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

std::size_t MetricBatch::points() const noexcept {
  std::size_t count = 0;
  for (const MetricData& metric : metrics) count += metric.points.size();
  return count;
}

}  // namespace mellea::telemetry
