// mellea run: a program from a file.
#pragma once

#include <string>
#include <vector>

#include "mellea/cli/console.h"
#include "mellea/cli/model_choice.h"
#include "mellea/cli/tracing.h"

namespace mellea::cli {

// As typed; what is empty was not.
struct RunArguments {
  std::string file{};  // "-": standard input
  ModelArguments model{};
  std::vector<std::string> variables{};  // K=V
  std::vector<std::string> options{};    // K=V
  std::string timeout{};
  std::string idle_timeout{};
  bool dry_run = false;
  bool keep_going = false;
  bool allow_commands = false;
  bool json = false;
  TraceArguments trace{};
};

// Returns the exit code. Throws UsageError and OutputLost.
int run_file(const RunArguments& arguments, Console& console, const Environment& environment);

}  // namespace mellea::cli
