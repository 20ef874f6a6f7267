// Tells people what happens before the answer comes.
#pragma once

#include "mellea/cli/console.h"
#include "mellea/hooks/hook.h"

namespace mellea::cli {

// `plugins`, and one more: it warns of options that have no effect and of what else the library has
// to say; shows retries to those who watch, and with --verbose where each request goes. `console`
// must outlive it.
Plugins with_progress(Plugins plugins, Console& console);

}  // namespace mellea::cli
