// mellea hooks: all events, and what a plugin may do with them.
#pragma once

#include "mellea/cli/console.h"

namespace mellea::cli {

int show_hooks(bool json, Console& console);

}  // namespace mellea::cli
