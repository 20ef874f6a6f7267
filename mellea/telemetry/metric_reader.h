// Looks at the metrics now and then, and sends what it sees.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <utility>
#include <variant>

#include "mellea/telemetry/config.h"
#include "mellea/telemetry/export_thread.h"
#include "mellea/telemetry/metric_exporter.h"
#include "mellea/telemetry/metric_store.h"

namespace mellea::telemetry {

// What one reader has seen and delivered, so that it can tell what is new.
class MetricDeltas {
 public:
  explicit MetricDeltas(Temporality temporality) : temporality_(temporality) {}

  // Makes of the sums in `batch`, where this temporality asks for it, sums since what was delivered
  // last; of sets of labels with which nothing was recorded since, nothing is left. Exemplars that
  // were told before are left out, too.
  void apply(MetricBatch& batch) const;
  // What apply() was last called with, was delivered: `seen` is the batch as it was before.
  void delivered(const MetricBatch& seen);
  // Nothing is ever taken away: what was not delivered is part of what comes next.
  bool is_cumulative() const noexcept { return temporality_ == Temporality::cumulative; }

 private:
  using SeriesKey = std::pair<const InstrumentDescription*, std::uint64_t>;

  bool is_delta(const MetricData& data) const noexcept;

  const Temporality temporality_;
  std::int64_t at_ = 0;  // of the batch that was delivered last; 0: none was
  std::map<SeriesKey, std::variant<std::int64_t, double, HistogramValue>> values_;
};

// Looks on a thread of its own each `interval`, at flush(), and a last time at shutdown().
// Deadlines and fork() as an ExportThread has it.
class MetricReader {
 public:
  MetricReader(std::shared_ptr<MetricStore> store, std::shared_ptr<MetricExporter> exporter,
               std::chrono::milliseconds interval, Temporality temporality,
               std::shared_ptr<Warnings> warnings);
  ~MetricReader();

  ExportThread& thread() noexcept { return thread_; }

 private:
  class Loop;
  ExportThread thread_;
};

}  // namespace mellea::telemetry
