#include "mellea/telemetry/otlp_http_exporter.h"

#include <algorithm>
#include <utility>

#include "mellea/telemetry/otlp_protobuf.h"

namespace mellea::telemetry {

OtlpHttpExporter::OtlpHttpExporter(OtlpHttp settings, std::shared_ptr<const Resource> resource)
    : client_(std::move(settings), "spans"), resource_(std::move(resource)) {}

BatchSent OtlpHttpExporter::send(std::span<const SpanPtr> spans) {
  BatchSent sent;
  std::int64_t lost = 0;
  for (std::string& request : otlp_protobuf(spans, *resource_, OtlpHttpClient::kMostBytes)) {
    OtlpHttpClient::Posted posted = client_.post(std::move(request));
    if (posted.failure.empty()) continue;
    sent.failure = std::move(posted.failure);
    // One that was not taken may be all there is, and nearly always is.
    lost += posted.taken ? posted.rejected : static_cast<std::int64_t>(spans.size());
  }
  sent.delivered = std::max<std::int64_t>(static_cast<std::int64_t>(spans.size()) - lost, 0);
  return sent;
}

}  // namespace mellea::telemetry
