// The trace that was asked for on the command line, beside that of the environment.
#pragma once

#include <string>

#include "mellea/cli/console.h"
#include "mellea/cli/model_choice.h"
#include "mellea/telemetry/telemetry.h"

namespace mellea::cli {

struct TraceArguments {
  std::string form{};  // of --trace: "tree" or "json"; empty: not wanted
  std::string file{};
  bool content = false;  // prompts and answers go into the trace
};

// Throws UsageError for a form that there is not, or a file that can't be appended to.
void check(const TraceArguments& arguments);

// What the environment says; no exporters if it says nothing. What is wrong with it is warned of on
// `console`, which must outlive the Telemetry that is made of it.
telemetry::Config config_from(const Environment& environment, Console& console);

// What was asked for, on standard error and in the file. Throws UsageError where content is to go
// into a trace that there is not.
void add_exporters(telemetry::Config& config, const TraceArguments& arguments, Console& console);

// Off if there are no exporters.
Telemetry make_telemetry(telemetry::Config config);

// The program waits no longer than this for a collector that does not answer.
inline constexpr Telemetry::Duration kFlushLimit{3'000};

telemetry::TreeStyle tree_style(const Canvas& canvas);

}  // namespace mellea::cli
