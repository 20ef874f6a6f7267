// Metrics as text, for short expectations.
#pragma once

#include <sstream>
#include <string>

#include "mellea/telemetry/metric.h"
#include "mellea/telemetry/tracing_for_test.h"

namespace mellea::telemetry {

// A span that is sampled, or not.
inline TraceRef trace_of(std::uint8_t number, bool sampled = true) {
  TraceRef trace;
  trace.trace[15] = number;
  trace.span[7] = number;
  trace.flags = sampled ? 1 : 0;
  return trace;
}

inline std::string text_of(const MetricPoint& point) {
  struct ToText {
    std::string operator()(std::int64_t value) const { return std::to_string(value); }
    std::string operator()(double value) const { return number(value); }
    std::string operator()(const HistogramValue& value) const {
      return std::to_string(value.count()) + "x sum " + number(value.sum);
    }
    static std::string number(double value) {
      std::ostringstream text;
      text << value;
      return text.str();
    }
  };
  std::string text;
  for (const Attribute& label : point.labels)
    text.append(" ").append(name_of(label.key)).append("=").append(text_of(label.value));
  return text + " " + std::visit(ToText(), point.value);
}

// A line a point: "name key=value ... 5", of a histogram "name key=value ... 2x sum 3.5".
inline std::string text_of(const MetricBatch& batch) {
  std::string text;
  for (const MetricData& metric : batch.metrics)
    for (const MetricPoint& point : metric.points)
      text.append(metric.instrument->name).append(text_of(point)).append("\n");
  return text;
}

}  // namespace mellea::telemetry
