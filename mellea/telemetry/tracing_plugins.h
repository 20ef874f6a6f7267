// All plugins that trace.
#pragma once

#include <memory>

#include "mellea/hooks/hook.h"
#include "mellea/telemetry/pricing.h"
#include "mellea/telemetry/tracer.h"

namespace mellea::telemetry {

// One for each kind of operation. Each chunk of a streamed reply is an event if `chunk_events`.
// `pricing` null: spans do not say what a generation cost.
Plugins make_tracing_plugins(const std::shared_ptr<Tracer>& tracer, bool chunk_events,
                             std::shared_ptr<const Pricing> pricing = nullptr);

}  // namespace mellea::telemetry
