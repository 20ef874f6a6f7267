// Send metrics as OTLP: to a collector, or into a file.
#pragma once

#include <memory>
#include <string>

#include "mellea/telemetry/line_file.h"
#include "mellea/telemetry/metric_exporter.h"
#include "mellea/telemetry/otlp_http_client.h"
#include "mellea/telemetry/resource.h"

namespace mellea::telemetry {

class OtlpHttpMetricExporter : public MetricExporter {
 public:
  OtlpHttpMetricExporter(OtlpHttp settings, std::shared_ptr<const Resource> resource);

  std::string name() const override { return client_.name(); }
  std::string label() const override { return client_.host(); }
  MetricsSent send(const MetricBatch& batch) override;
  void interrupt() noexcept override { client_.interrupt(); }
  void close() noexcept override { client_.close(); }

 private:
  OtlpHttpClient client_;
  const std::shared_ptr<const Resource> resource_;
};

// One line a look.
class OtlpFileMetricExporter : public MetricExporter {
 public:
  OtlpFileMetricExporter(std::string path, std::shared_ptr<const Resource> resource);

  std::string name() const override { return file_.path(); }
  std::string label() const override { return "file"; }
  MetricsSent send(const MetricBatch& batch) override;
  void interrupt() noexcept override { file_.interrupt(); }
  void close() noexcept override { file_.close(); }

 private:
  LineFile file_;
  const std::shared_ptr<const Resource> resource_;
};

}  // namespace mellea::telemetry
