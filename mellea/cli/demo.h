// mellea demo: a few calls to a scripted provider in this process, or to a real model, and their
// trace.
#pragma once

#include <string>

#include "mellea/cli/console.h"
#include "mellea/cli/model_choice.h"

namespace mellea::cli {

struct DemoArguments {
  bool local = false;  // a model that is made for it, run by llama-server or in this process
  bool json = false;
  bool content = false;  // prompts and answers go into the trace
  std::string trace_file = "demo.trace.jsonl";
};

// Returns kFailed if a call did not do what it is there to show. Throws OutputLost, and UsageError
// where nothing is there to run a model.
int demo(const DemoArguments& arguments, Console& console, const Environment& environment);

}  // namespace mellea::cli
