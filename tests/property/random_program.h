// Random programs over the scripted backend: calls of every kind, those that block and those that
// do not, samplings, checks, tools, agents, streams, ready-callbacks, drops, cancels, faults of the
// provider, several threads, a Runtime that ends in the middle.
#pragma once

#include <cstdint>

#include "mellea/hooks/hook.h"

namespace mellea {

// All of it has ended when this returns. It fails the test that runs where a completion was not
// called exactly once.
void run_random_program(std::uint64_t seed, const Plugins& plugins);

}  // namespace mellea
