// Traces each validation of an answer.
#pragma once

#include <memory>

#include "mellea/hooks/hook.h"
#include "mellea/telemetry/content.h"
#include "mellea/telemetry/tracer.h"

namespace mellea::telemetry {

// One span "validation" for each, linked to the chat that it evaluates; what was found of each
// requirement is an event on it, without the reason. A requirement that is not met is no error.
std::shared_ptr<Plugin> make_validation_tracing_plugin(std::shared_ptr<Tracer> tracer,
                                                       std::shared_ptr<const Content> content);

}  // namespace mellea::telemetry
