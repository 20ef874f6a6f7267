// Spans as OTLP's JSON.
#pragma once

#include <span>
#include <string>

#include "mellea/telemetry/resource.h"
#include "mellea/telemetry/span.h"
#include "mellea/telemetry/span_view.h"

namespace mellea::telemetry {

// One ExportTraceServiceRequest, on one line without its end. Ids are hexadecimal, 64-bit numbers
// are strings; what is no UTF-8 in any text is replaced.
std::string otlp_json(std::span<const SpanPtr> spans, const Resource& resource,
                      const SpanView& view = SpanView());

}  // namespace mellea::telemetry
