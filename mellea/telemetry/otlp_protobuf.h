// Spans as OTLP's protobuf.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "mellea/telemetry/resource.h"
#include "mellea/telemetry/span.h"
#include "mellea/telemetry/span_view.h"

namespace mellea::telemetry {

// As few ExportTraceServiceRequests as can be, each of at most `most_bytes`, unless one span alone
// is larger. What is no UTF-8 in any text is replaced: a receiver would throw away all of it.
std::vector<std::string> otlp_protobuf(std::span<const SpanPtr> spans, const Resource& resource,
                                       std::size_t most_bytes, const SpanView& view = SpanView());

}  // namespace mellea::telemetry
