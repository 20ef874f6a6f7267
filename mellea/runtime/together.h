// Several things done at once, and waited for.
#pragma once

#include <functional>
#include <vector>

#include "mellea/hooks/workers.h"

namespace mellea {

// Runs all of `tasks`: the first on this thread, each of the others on a worker of its own if there
// is one at once, else on this thread, one after the other. Returns when all have returned. They
// must not throw. `workers` may be null. Throws Error (Errc::shutdown) if the end of the Runtime
// left one out.
void run_together(Workers* workers, std::vector<std::function<void()>> tasks);

}  // namespace mellea
