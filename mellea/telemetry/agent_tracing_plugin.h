// Traces each run of an agent.
#pragma once

#include <memory>

#include "mellea/hooks/hook.h"
#include "mellea/telemetry/content.h"
#include "mellea/telemetry/tracer.h"

namespace mellea::telemetry {

// One span "invoke_agent {agent}" for each, around its chats and tools. Neither goal nor answer is
// on it.
std::shared_ptr<Plugin> make_agent_tracing_plugin(std::shared_ptr<Tracer> tracer,
                                                  std::shared_ptr<const Content> content);

}  // namespace mellea::telemetry
