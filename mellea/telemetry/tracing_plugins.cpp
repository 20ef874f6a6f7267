#include "mellea/telemetry/tracing_plugins.h"

#include <utility>

#include "mellea/telemetry/agent_tracing_plugin.h"
#include "mellea/telemetry/backend_tracing_plugin.h"
#include "mellea/telemetry/component_tracing_plugin.h"
#include "mellea/telemetry/sampling_tracing_plugin.h"
#include "mellea/telemetry/session_tracing_plugin.h"
#include "mellea/telemetry/streaming_tracing_plugin.h"
#include "mellea/telemetry/tool_tracing_plugin.h"
#include "mellea/telemetry/validation_tracing_plugin.h"

namespace mellea::telemetry {

Plugins make_tracing_plugins(const std::shared_ptr<Tracer>& tracer, bool chunk_events,
                             std::shared_ptr<const Pricing> pricing,
                             const std::shared_ptr<const Content>& content) {
  return {make_session_tracing_plugin(tracer),
          make_component_tracing_plugin(tracer, content),
          make_backend_tracing_plugin(tracer, chunk_events, std::move(pricing), content),
          make_streaming_tracing_plugin(tracer, content),
          make_tool_tracing_plugin(tracer, content),
          make_sampling_tracing_plugin(tracer),
          make_validation_tracing_plugin(tracer, content),
          make_agent_tracing_plugin(tracer, content)};
}

}  // namespace mellea::telemetry
