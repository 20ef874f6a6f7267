// Our measurements in instruments of the host's.
#pragma once

#include <opentelemetry/metrics/meter_provider.h>

#include <memory>

#include "mellea/telemetry/metric_mirror.h"

namespace mellea::otel {

// `host` has to outlive the making of it, and gets a view for each of our histograms, with its
// buckets: this API can't name them. What is measured in a span is recorded with that span as
// context, for exemplars. Where the host's provider records nothing, nor does this.
std::shared_ptr<telemetry::MetricMirror> make_host_metrics(
    opentelemetry::metrics::MeterProvider& host);

}  // namespace mellea::otel
