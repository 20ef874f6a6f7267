// Sends spans to a collector: OTLP in protobuf over HTTP.
#pragma once

#include <memory>
#include <string>

#include "mellea/telemetry/batch_processor.h"
#include "mellea/telemetry/otlp_http_client.h"
#include "mellea/telemetry/resource.h"
#include "mellea/telemetry/span_view.h"

namespace mellea::telemetry {

class OtlpHttpExporter : public BatchSender {
 public:
  OtlpHttpExporter(OtlpHttp settings, std::shared_ptr<const Resource> resource,
                   const SpanView& view = SpanView());

  std::string name() const override { return client_.name(); }
  std::string label() const override { return client_.host(); }
  BatchSent send(std::span<const SpanPtr> spans) override;
  void interrupt() noexcept override { client_.interrupt(); }
  void close() noexcept override { client_.close(); }

 private:
  OtlpHttpClient client_;
  const std::shared_ptr<const Resource> resource_;
  const SpanView view_;
};

}  // namespace mellea::telemetry
