// Collects spans and has them sent, many at once, on a thread of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "mellea/telemetry/config.h"
#include "mellea/telemetry/export_thread.h"
#include "mellea/telemetry/span_exporter.h"
#include "mellea/telemetry/warnings.h"

namespace mellea::telemetry {

// What came of a batch.
struct BatchSent {
  std::string failure{};       // why not all of it was delivered; empty: all was
  std::int64_t delivered = 0;  // of its items, although not all were
};

// What a BatchProcessor sends with. Called on its thread, but for interrupt().
class BatchSender {
 public:
  virtual ~BatchSender() = default;
  virtual std::string name() const = 0;  // for warnings
  // For metrics: without paths, which may have a machine's folders or a token in them.
  virtual std::string label() const { return name(); }

  // Blocks until the spans are delivered or given up.
  virtual BatchSent send(std::span<const SpanPtr> spans) = 0;
  // Any thread: the send() under way and all that follow give up at once.
  virtual void interrupt() noexcept = 0;
  // No send() follows: the place to let go of what may take its time.
  virtual void close() noexcept = 0;
};

// How a batch processor fares, in spans.
struct BatchHealth {
  std::int64_t delivered = 0;
  std::int64_t lost = 0;  // dropped, or not delivered
  std::int64_t waiting = 0;
};

// Bounded: what the queue has no room for is dropped, counted, and told once a minute. Deadlines
// and fork() as an ExportThread has it.
class BatchProcessor : public SpanExporter {
 public:
  BatchProcessor(std::unique_ptr<BatchSender> sender, const BatchOptions& options,
                 std::shared_ptr<Warnings> warnings);
  ~BatchProcessor() override;

  void export_spans(std::span<const SpanPtr> spans) noexcept override;
  bool flush(Instant until) noexcept override { return thread_.flush(until); }
  bool shutdown(Instant until) noexcept override { return thread_.shutdown(until); }

  std::string label() const;  // the sender's
  BatchHealth health() const noexcept;
  std::int64_t lost() const noexcept override { return health().lost; }

 private:
  class Loop;
  const std::shared_ptr<Loop> loop_;
  ExportThread thread_;
};

}  // namespace mellea::telemetry
