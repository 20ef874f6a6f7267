// Collects spans and has them sent, many at once, on a thread of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "mellea/core/fork.h"
#include "mellea/telemetry/config.h"
#include "mellea/telemetry/span_exporter.h"
#include "mellea/telemetry/warnings.h"

namespace mellea::telemetry {

// What a BatchProcessor sends with. Called on its thread, but for interrupt().
class BatchSender {
 public:
  virtual ~BatchSender() = default;
  virtual std::string name() const = 0;  // for warnings

  // Blocks until the spans are delivered or given up. Returns why they were not delivered; nothing
  // if they were.
  virtual std::string send(std::span<const SpanPtr> spans) = 0;
  // Any thread: the send() under way and all that follow give up at once.
  virtual void interrupt() noexcept = 0;
  // No send() follows: the place to let go of what may take its time.
  virtual void close() noexcept = 0;
};

// Bounded: what the queue has no room for is dropped, counted, and told once a minute. The
// deadlines of flush() and shutdown() hold even if the sender hangs for good: then its thread is
// left behind with what it holds. In a child of fork() it does nothing.
class BatchProcessor : public SpanExporter {
 public:
  BatchProcessor(std::unique_ptr<BatchSender> sender, const BatchOptions& options,
                 std::shared_ptr<Warnings> warnings);
  ~BatchProcessor() override;  // as shutdown(), without waiting

  void export_spans(std::span<const SpanPtr> spans) noexcept override;
  bool flush(Instant until) noexcept override;
  bool shutdown(Instant until) noexcept override;

  std::int64_t lost() const noexcept;  // dropped, or not delivered

 private:
  struct State;
  const ForkMark fork_;
  const std::shared_ptr<State> state_;
  std::thread thread_;
};

}  // namespace mellea::telemetry
