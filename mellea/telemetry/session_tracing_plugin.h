// Traces each session, from its first moment to its last.
#pragma once

#include <memory>

#include "mellea/hooks/hook.h"
#include "mellea/telemetry/tracer.h"

namespace mellea::telemetry {

// One span "session" for each, unless the session is not to be a span.
std::shared_ptr<Plugin> make_session_tracing_plugin(std::shared_ptr<Tracer> tracer);

}  // namespace mellea::telemetry
