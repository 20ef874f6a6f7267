#include "mellea/telemetry/otlp_metric_exporters.h"

#include <utility>

#include "mellea/telemetry/otlp_metrics.h"

namespace mellea::telemetry {

OtlpHttpMetricExporter::OtlpHttpMetricExporter(OtlpHttp settings,
                                               std::shared_ptr<const Resource> resource)
    : client_(std::move(settings), "points"), resource_(std::move(resource)) {}

std::string OtlpHttpMetricExporter::send(const MetricBatch& batch) {
  std::string failure;
  for (std::string& request :
       otlp_metrics_protobuf(batch, *resource_, OtlpHttpClient::kMostBytes)) {
    std::string why = client_.post(std::move(request));
    if (!why.empty()) failure = std::move(why);
  }
  return failure;
}

OtlpFileMetricExporter::OtlpFileMetricExporter(std::string path,
                                               std::shared_ptr<const Resource> resource)
    : file_(std::move(path)), resource_(std::move(resource)) {}

std::string OtlpFileMetricExporter::send(const MetricBatch& batch) {
  return file_.append(otlp_metrics_json(batch, *resource_) + "\n");
}

}  // namespace mellea::telemetry
