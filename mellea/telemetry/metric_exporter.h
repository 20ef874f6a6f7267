// Where metrics go.
#pragma once

#include <string>

#include "mellea/telemetry/metric.h"

namespace mellea::telemetry {

// What became of a batch.
struct MetricsSent {
  std::string failure{};  // why not all of it was delivered; empty: all was
  bool partly = false;  // a part was: nothing of it may come again, or that part would count twice
};

// Called on the thread that looks now and then, but for interrupt().
class MetricExporter {
 public:
  virtual ~MetricExporter() = default;
  virtual std::string name() const = 0;  // for warnings
  // For records: without paths, which may have a machine's folders or a token in them.
  virtual std::string label() const { return "metrics"; }

  // Blocks until the batch is delivered or given up. What is summed up since the look before comes
  // again, added up, if nothing of it was delivered.
  virtual MetricsSent send(const MetricBatch& batch) = 0;
  // Any thread: the send() under way and all that follow give up at once.
  virtual void interrupt() noexcept = 0;
  // No send() follows: the place to let go of what may take its time.
  virtual void close() noexcept = 0;
};

}  // namespace mellea::telemetry
