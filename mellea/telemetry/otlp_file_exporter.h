// Appends spans to a file: OTLP as JSON, one line a batch.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "mellea/telemetry/batch_processor.h"
#include "mellea/telemetry/resource.h"

namespace mellea::telemetry {

// Several processes may append to one file. A line that could not be written whole is taken back.
class OtlpFileExporter : public BatchSender {
 public:
  OtlpFileExporter(std::string path, std::shared_ptr<const Resource> resource);
  ~OtlpFileExporter() override { close(); }

  std::string name() const override { return path_; }
  std::string send(std::span<const SpanPtr> spans) override;
  void interrupt() noexcept override { interrupted_ = true; }
  void close() noexcept override;

 private:
  std::string append(std::string_view line);

  const std::string path_;
  const std::shared_ptr<const Resource> resource_;
  std::atomic<bool> interrupted_{false};
  int file_ = -1;  // opened by the first send()
};

}  // namespace mellea::telemetry
