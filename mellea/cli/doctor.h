// mellea doctor: what is configured, and whether it works.
#pragma once

#include <string>

#include "mellea/cli/console.h"
#include "mellea/cli/model_choice.h"

namespace mellea::cli {

struct DoctorArguments {
  std::string backend{};  // the one to ask, even where it is not on this machine
  bool json = false;
};

// Returns kFailed if something that is configured does not work. Throws UsageError and OutputLost.
int doctor(const DoctorArguments& arguments, Console& console, const Environment& environment);

}  // namespace mellea::cli
