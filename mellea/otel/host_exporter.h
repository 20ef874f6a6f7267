// Gives our spans to the host's span processors.
#pragma once

#include <atomic>
#include <memory>
#include <span>

#include "mellea/otel/host.h"
#include "mellea/telemetry/span_exporter.h"
#include "mellea/telemetry/span_view.h"

namespace mellea::otel {

// Keeps nothing itself: each span goes on the thread that ends it. Any thread may call anything.
class HostExporter final : public telemetry::SpanExporter {
 public:
  explicit HostExporter(std::shared_ptr<const Host> host,
                        const telemetry::SpanView& view = telemetry::SpanView());

  void export_spans(std::span<const telemetry::SpanPtr> spans) noexcept override;
  // Flushes the host's processors, one after the other: each may take until then.
  bool flush(Instant until) noexcept override;
  // What the processors hold is the host's to deliver.
  bool shutdown(Instant until) noexcept override;

 private:
  void give(const telemetry::SpanRecord& span) const noexcept;

  const std::shared_ptr<const Host> host_;
  const telemetry::SpanView view_;
  std::atomic<bool> closed_{false};
};

}  // namespace mellea::otel
