#include "mellea/telemetry/otlp_http_exporter.h"

#include <utility>

#include "mellea/telemetry/otlp_protobuf.h"

namespace mellea::telemetry {

OtlpHttpExporter::OtlpHttpExporter(OtlpHttp settings, std::shared_ptr<const Resource> resource,
                                   const SpanView& view)
    : client_(std::move(settings), "spans"), resource_(std::move(resource)), view_(view) {}

std::string OtlpHttpExporter::send(std::span<const SpanPtr> spans) {
  std::string failure;
  for (std::string& request : otlp_protobuf(spans, *resource_, OtlpHttpClient::kMostBytes, view_)) {
    OtlpHttpClient::Posted posted = client_.post(std::move(request));
    if (!posted.failure.empty()) failure = std::move(posted.failure);
  }
  return failure;
}

}  // namespace mellea::telemetry
