// Gives an exporter some of the spans: those of one tenant, say.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "mellea/telemetry/span_exporter.h"

namespace mellea::telemetry {

class ChoosingExporter : public SpanExporter {
 public:
  using When = std::function<bool(const SpanRecord&)>;

  // `when` is asked on the thread that ends a span. What it throws loses the span.
  ChoosingExporter(std::shared_ptr<SpanExporter> exporter, When when);

  void export_spans(std::span<const SpanPtr> spans) noexcept override;
  bool flush(Instant until) noexcept override { return exporter_->flush(until); }
  bool shutdown(Instant until) noexcept override { return exporter_->shutdown(until); }
  std::int64_t lost() const noexcept override { return exporter_->lost() + lost_; }

 private:
  const std::shared_ptr<SpanExporter> exporter_;
  const When when_;
  std::atomic<std::int64_t> lost_{0};
};

}  // namespace mellea::telemetry
