// Metrics as OTLP, in both of its encodings.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "mellea/telemetry/metric.h"
#include "mellea/telemetry/resource.h"

namespace mellea::telemetry {

// As few ExportMetricsServiceRequests as can be, each of about `most_bytes` at most: a metric with
// very many points is cut into several of the same name.
std::vector<std::string> otlp_metrics_protobuf(const MetricBatch& batch, const Resource& resource,
                                               std::size_t most_bytes);

// One ExportMetricsServiceRequest, on one line without its end.
std::string otlp_metrics_json(const MetricBatch& batch, const Resource& resource);

}  // namespace mellea::telemetry
