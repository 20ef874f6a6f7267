// Traces each sampling: the attempts until an answer is what it has to be.
#pragma once

#include <memory>

#include "mellea/hooks/hook.h"
#include "mellea/telemetry/tracer.h"

namespace mellea::telemetry {

// One span "sampling" for each; attempts and repairs are events on it. That no attempt passed is no
// error.
std::shared_ptr<Plugin> make_sampling_tracing_plugin(std::shared_ptr<Tracer> tracer);

}  // namespace mellea::telemetry
