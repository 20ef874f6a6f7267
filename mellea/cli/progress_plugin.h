// Tells people what happens before the answer comes.
#pragma once

#include <memory>

#include "mellea/cli/console.h"
#include "mellea/hooks/hook.h"

namespace mellea::cli {

// Warns of options that have no effect and of what else the library has to say; shows retries to
// those who watch, and with --verbose where each request goes. `console` must outlive it.
std::shared_ptr<Plugin> make_progress_plugin(Console& console);

}  // namespace mellea::cli
