// Somebody else who hears of each measurement: a host that has instruments of its own.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "mellea/core/scope.h"
#include "mellea/telemetry/metric.h"

namespace mellea::telemetry {

// The other's instrument beside one of ours. Any thread may call it.
class MirroredInstrument {
 public:
  virtual ~MirroredInstrument() = default;
  // What is viewed is good for this call only.
  virtual void record(double value, std::span<const Attribute> labels,
                      const TraceRef& trace) noexcept = 0;
};

class MetricMirror {
 public:
  virtual ~MetricMirror() = default;

  // Called for each of our instruments, under no lock. Null: the other does not want it.
  virtual std::unique_ptr<MirroredInstrument> mirror(const InstrumentDescription& description) = 0;
  // Called for each that is measured when somebody looks. What is returned may call `look` as long
  // as it lives, on any thread: a batch of this one metric, or of none.
  virtual std::shared_ptr<void> observe(const InstrumentDescription& description,
                                        std::function<MetricBatch()> look) = 0;
};

}  // namespace mellea::telemetry
