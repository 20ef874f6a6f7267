// mellea demo: a few calls to a scripted provider in this process, and their trace.
#pragma once

#include <string>

#include "mellea/cli/console.h"
#include "mellea/cli/model_choice.h"

namespace mellea::cli {

struct DemoArguments {
  bool json = false;
  std::string trace_file = "demo.trace.jsonl";
};

// Returns kFailed if a call did not do what it is there to show. Throws OutputLost.
int demo(const DemoArguments& arguments, Console& console, const Environment& environment);

}  // namespace mellea::cli
