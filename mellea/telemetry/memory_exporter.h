// Keeps spans, for tests and for those who look at them in the program.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "mellea/telemetry/span_exporter.h"

namespace mellea::telemetry {

// Once it is full, new spans are counted and not kept.
class MemoryExporter : public SpanExporter {
 public:
  explicit MemoryExporter(std::size_t most = 16'384) : most_(most) {}

  void export_spans(std::span<const SpanPtr> spans) noexcept override;
  bool flush(Instant) noexcept override { return true; }
  bool shutdown(Instant) noexcept override { return true; }

  std::vector<SpanPtr> spans() const;
  std::vector<SpanPtr> take();  // as spans(), and forgets them
  std::int64_t dropped() const noexcept { return dropped_; }

 private:
  const std::size_t most_;
  std::atomic<std::int64_t> dropped_{0};
  mutable std::mutex mutex_;
  std::vector<SpanPtr> spans_;  // guarded by mutex_
};

}  // namespace mellea::telemetry
