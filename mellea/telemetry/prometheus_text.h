// Metrics as Prometheus reads them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "mellea/telemetry/metric.h"
#include "mellea/telemetry/resource.h"

namespace mellea::telemetry {

enum class PrometheusFormat : std::uint8_t {
  text,          // 0.0.4
  open_metrics,  // 1.0.0: with units and exemplars
};

// What a scraper likes best, by its Accept header; text if it does not say.
PrometheusFormat preferred_format(std::string_view accept) noexcept;
std::string_view content_type(PrometheusFormat format) noexcept;

// All sums are since the beginning, so `batch` has to be as MetricStore::collect() gives it. Names
// and units are translated by OpenTelemetry's rules: "mellea.tool.calls" becomes
// mellea_tool_calls_total, and "gen_ai.client.operation.duration", in seconds,
// gen_ai_client_operation_duration_seconds. The resource stands in target_info.
std::string prometheus_text(const MetricBatch& batch, const Resource& resource,
                            PrometheusFormat format);

// How an instrument is called there, without what _total and _bucket add.
std::string prometheus_name(const InstrumentDescription& instrument);

}  // namespace mellea::telemetry
