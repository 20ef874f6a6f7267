// Tokens, times, failures and cost of requests to models.
#pragma once

#include <memory>

#include "mellea/hooks/hook.h"
#include "mellea/telemetry/metric_recorder.h"
#include "mellea/telemetry/pricing.h"

namespace mellea::telemetry {

// As make_metrics_plugins() has it.
std::shared_ptr<Plugin> make_generation_metrics_plugin(
    std::shared_ptr<const MetricRecorder> recorder, std::shared_ptr<const Pricing> pricing,
    bool chunk_events);

}  // namespace mellea::telemetry
