// All plugins that trace.
#pragma once

#include <memory>

#include "mellea/hooks/hook.h"
#include "mellea/telemetry/content.h"
#include "mellea/telemetry/pricing.h"
#include "mellea/telemetry/tracer.h"

namespace mellea::telemetry {

// One for each kind of operation. Each chunk of a streamed reply is an event if `chunk_events`.
// `pricing` null: spans do not say what a generation cost. `content` says what they show of what
// was said: by default nothing.
Plugins make_tracing_plugins(
    const std::shared_ptr<Tracer>& tracer, bool chunk_events,
    std::shared_ptr<const Pricing> pricing = nullptr,
    const std::shared_ptr<const Content>& content = std::make_shared<const Content>());

}  // namespace mellea::telemetry
