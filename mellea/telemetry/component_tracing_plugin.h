// Traces each action: one call of instruct, chat, ...
#pragma once

#include <memory>

#include "mellea/hooks/hook.h"
#include "mellea/telemetry/content.h"
#include "mellea/telemetry/tracer.h"

namespace mellea::telemetry {

// One span "action" for each. What was said and answered is not on it.
std::shared_ptr<Plugin> make_component_tracing_plugin(std::shared_ptr<Tracer> tracer,
                                                      std::shared_ptr<const Content> content);

}  // namespace mellea::telemetry
