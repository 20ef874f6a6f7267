#include "mellea/telemetry/otlp_http_exporter.h"

#include <algorithm>
#include <utility>

#include "mellea/telemetry/otlp_protobuf.h"

namespace mellea::telemetry {

OtlpHttpExporter::OtlpHttpExporter(OtlpHttp settings, std::shared_ptr<const Resource> resource,
                                   const SpanView& view)
    : client_(std::move(settings), "spans"), resource_(std::move(resource)), view_(view) {}

BatchSent OtlpHttpExporter::send(std::span<const SpanPtr> spans) {
  return client_.post_all(otlp_protobuf(spans, *resource_, OtlpHttpClient::kMostBytes, view_),
                          spans.size());
}

}  // namespace mellea::telemetry
