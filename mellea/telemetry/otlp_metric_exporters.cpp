#include "mellea/telemetry/otlp_metric_exporters.h"

#include <utility>

#include "mellea/telemetry/otlp_metrics.h"

namespace mellea::telemetry {

OtlpHttpMetricExporter::OtlpHttpMetricExporter(OtlpHttp settings,
                                               std::shared_ptr<const Resource> resource)
    : client_(std::move(settings), "points"), resource_(std::move(resource)) {}

MetricsSent OtlpHttpMetricExporter::send(const MetricBatch& batch) {
  MetricsSent sent;
  for (std::string& request :
       otlp_metrics_protobuf(batch, *resource_, OtlpHttpClient::kMostBytes)) {
    OtlpHttpClient::Posted posted = client_.post(std::move(request));
    sent.partly = sent.partly || posted.taken;
    if (!posted.failure.empty()) sent.failure = std::move(posted.failure);
    if (!sent.partly) break;  // all of it can still come again
  }
  return sent;
}

OtlpFileMetricExporter::OtlpFileMetricExporter(std::string path,
                                               std::shared_ptr<const Resource> resource)
    : file_(std::move(path)), resource_(std::move(resource)) {}

MetricsSent OtlpFileMetricExporter::send(const MetricBatch& batch) {
  return {.failure = file_.append(otlp_metrics_json(batch, *resource_) + "\n")};
}

}  // namespace mellea::telemetry
