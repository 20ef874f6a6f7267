// Appends spans to a file: OTLP as JSON, one line a batch.
#pragma once

#include <memory>
#include <string>

#include "mellea/telemetry/batch_processor.h"
#include "mellea/telemetry/line_file.h"
#include "mellea/telemetry/resource.h"
#include "mellea/telemetry/span_view.h"

namespace mellea::telemetry {

class OtlpFileExporter : public BatchSender {
 public:
  OtlpFileExporter(std::string path, std::shared_ptr<const Resource> resource,
                   const SpanView& view = SpanView());

  std::string name() const override { return file_.path(); }
  std::string label() const override { return "file"; }
  BatchSent send(std::span<const SpanPtr> spans) override;
  void interrupt() noexcept override { file_.interrupt(); }
  void close() noexcept override { file_.close(); }

 private:
  LineFile file_;
  const std::shared_ptr<const Resource> resource_;
  const SpanView view_;
};

}  // namespace mellea::telemetry
