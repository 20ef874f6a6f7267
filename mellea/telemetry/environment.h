// How telemetry is set up from outside: MELLEA_TRACES_*, MELLEA_METRICS_*, MELLEA_LOGS_* and
// OTEL_*.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "mellea/telemetry/config.h"

namespace mellea::telemetry {

// The value of a variable; nothing if it is not set. An empty one counts as not set.
using Environment = std::function<std::optional<std::string>(const char* name)>;
std::optional<std::string> process_environment(const char* name);

struct EnvironmentSettings {
  bool traces = false;   // else they are off, and `config.exporters` says nothing
  bool metrics = false;  // else they are off, and `config.metrics.exporters` says nothing
  bool logs = false;     // else they are off, and `config.logs.exporters` says nothing
  Config config{};
  std::vector<std::string> warnings{};  // one sentence each, with the variable and its value
};

// Touches nothing but the environment. `console` is the exporter that MELLEA_TRACES_CONSOLE and
// OTEL_TRACES_EXPORTER=console mean; metrics and log records for people are written where it
// writes.
EnvironmentSettings read_environment(const Environment& environment, const TreeText& console);

// How a tree looks best on standard error: its width and colours if it is a terminal (NO_COLOR is
// honoured), letters beyond ASCII if the locale is UTF-8.
TreeStyle style_of_standard_error(const Environment& environment);

}  // namespace mellea::telemetry
