// Collects spans or log records and has them sent, many at once, on a thread of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "mellea/telemetry/batch_sent.h"
#include "mellea/telemetry/config.h"
#include "mellea/telemetry/export_thread.h"
#include "mellea/telemetry/log_record.h"
#include "mellea/telemetry/span_exporter.h"
#include "mellea/telemetry/warnings.h"

namespace mellea::telemetry {

// What batches are sent with. Called on their thread, but for interrupt(). An item is a SpanPtr or
// a LogPtr.
template <class Item>
class SenderOf {
 public:
  virtual ~SenderOf() = default;
  virtual std::string name() const = 0;  // for warnings
  // For metrics: without paths, which may have a machine's folders or a token in them.
  virtual std::string label() const { return name(); }

  // Blocks until the items are delivered or given up.
  virtual BatchSent send(std::span<const Item> items) = 0;
  // Any thread: the send() under way and all that follow give up at once.
  virtual void interrupt() noexcept = 0;
  // No send() follows: the place to let go of what may take its time.
  virtual void close() noexcept = 0;
};
using BatchSender = SenderOf<SpanPtr>;
using LogSender = SenderOf<LogPtr>;

// How a processor fares, in items.
struct BatchHealth {
  std::int64_t delivered = 0;
  std::int64_t lost = 0;  // dropped, or not delivered
  std::int64_t waiting = 0;
};

// What the processors of both signals are. Bounded: what the queue has no room for is dropped,
// counted, and told once a minute. Deadlines and fork() as an ExportThread has it.
template <class Item>
class Batches {
 public:
  Batches(std::unique_ptr<SenderOf<Item>> sender, const BatchOptions& options,
          std::shared_ptr<Warnings> warnings);
  ~Batches();

  void add(std::span<const Item> items) noexcept;
  ExportThread& thread() noexcept { return thread_; }

  std::string label() const;  // the sender's
  BatchHealth health() const noexcept;

 private:
  class Loop;
  const std::shared_ptr<Loop> loop_;
  ExportThread thread_;
};
extern template class Batches<SpanPtr>;
extern template class Batches<LogPtr>;

class BatchProcessor : public SpanExporter {
 public:
  BatchProcessor(std::unique_ptr<BatchSender> sender, const BatchOptions& options,
                 std::shared_ptr<Warnings> warnings)
      : batches_(std::move(sender), options, std::move(warnings)) {}

  void export_spans(std::span<const SpanPtr> spans) noexcept override { batches_.add(spans); }
  bool flush(Instant until) noexcept override { return batches_.thread().flush(until); }
  bool shutdown(Instant until) noexcept override { return batches_.thread().shutdown(until); }

  std::string label() const { return batches_.label(); }
  BatchHealth health() const noexcept { return batches_.health(); }
  std::int64_t lost() const noexcept override { return health().lost; }

 private:
  Batches<SpanPtr> batches_;
};

class LogBatchProcessor : public LogExporter {
 public:
  LogBatchProcessor(std::unique_ptr<LogSender> sender, const BatchOptions& options,
                    std::shared_ptr<Warnings> warnings)
      : batches_(std::move(sender), options, std::move(warnings)) {}

  void export_logs(std::span<const LogPtr> logs) noexcept override { batches_.add(logs); }
  bool flush(Instant until) noexcept override { return batches_.thread().flush(until); }
  bool shutdown(Instant until) noexcept override { return batches_.thread().shutdown(until); }

  std::string label() const { return batches_.label(); }
  BatchHealth health() const noexcept { return batches_.health(); }
  std::int64_t lost() const noexcept override { return health().lost; }

 private:
  Batches<LogPtr> batches_;
};

}  // namespace mellea::telemetry
