// All metrics plugins: they count what the runtime tells of.
#pragma once

#include <memory>

#include "mellea/hooks/hook.h"
#include "mellea/telemetry/metric_recorder.h"
#include "mellea/telemetry/pricing.h"

namespace mellea::telemetry {

// `pricing` null: cost is not counted. `chunk_events`: the time between chunks is.
Plugins make_metrics_plugins(const std::shared_ptr<const MetricRecorder>& recorder,
                             std::shared_ptr<const Pricing> pricing, bool chunk_events);

}  // namespace mellea::telemetry
