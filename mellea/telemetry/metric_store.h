// Where what is measured adds up until somebody looks.
//
//   const auto store = std::make_shared<MetricStore>();
//   MetricInstrument& calls = *store->instrument({.name = "shop.calls", .unit = "{call}"});
//   const LabelRef labels[] = {store->labels().kept({"shop", "north"})};
//   calls.record(1, labels);
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "mellea/core/fork.h"
#include "mellea/telemetry/config.h"
#include "mellea/telemetry/metric.h"
#include "mellea/telemetry/metric_labels.h"
#include "mellea/telemetry/metric_table.h"

namespace mellea::telemetry {

// One instrument, and a sum for each set of labels. Any thread may record. An update looks the set
// up without a lock and adds to what threads of its kind have added: eight of them have a sum each,
// so that they hardly ever wait for each other.
class MetricInstrument {
 public:
  // The last of them is for all sets that come later: it has the label otel.metric.overflow.
  static constexpr std::size_t kMostSeries = 2'000;

  MetricInstrument(InstrumentDescription description, LabelRef overflow, ExemplarFilter exemplars);
  ~MetricInstrument();

  const InstrumentDescription& description() const noexcept { return *description_; }

  // Adds to a counter, counts in a histogram. The order of the labels counts. What a
  // counter can't take (less than nothing, no number) is left out.
  void record(double value, std::span<const LabelRef> labels, const TraceRef& trace = {}) noexcept;

  MetricData collect(std::int64_t since) const;

 private:
  static constexpr std::size_t kShards = 8;
  struct Shard;
  struct Series;

  Series& series_of(std::span<const LabelRef> labels);
  static std::size_t this_shard() noexcept;
  Shard& shard_of(Series& series);
  bool wants(const TraceRef& trace) const noexcept;
  MetricPoint point_of(const Series& series) const;

  const std::shared_ptr<const InstrumentDescription> description_;
  const LabelRef overflow_;
  const ExemplarFilter exemplars_;
  const ForkMark fork_;
  MetricTable<Series> table_;
  mutable std::mutex mutex_;  // for who inserts, and who collects
};

// All instruments of a Telemetry; lives in a shared_ptr. Any thread may call anything. In a child
// of fork() nothing is counted and nothing seen.
class MetricStore : public std::enable_shared_from_this<MetricStore> {
 public:
  using Clock = std::function<std::int64_t()>;  // ns since 1970

  explicit MetricStore(ExemplarFilter exemplars = ExemplarFilter::sampled, Clock clock = {});
  ~MetricStore();

  LabelTable& labels() noexcept { return labels_; }
  bool inherited() const noexcept { return fork_.inherited(); }

  // The one of that name; a new one if there is none. Null if there is one that is not the same.
  MetricInstrument* instrument(InstrumentDescription description);

  // Measured when somebody looks: `measure` is called on the thread that does, never by two at
  // once. It must not throw, and not call the store. What it tells of a counter is the sum so far.
  struct Measured {
    double value = 0;
    std::vector<MetricLabel> labels{};
  };
  using Measure = std::function<std::vector<Measured>()>;
  void observe(InstrumentDescription description, Measure measure);
  // No `measure` is called any more once this has returned.
  void stop_observing() noexcept;

  // Sums since the store was made.
  MetricBatch collect();
  std::int64_t now() const { return clock_(); }
  std::int64_t started() const noexcept { return started_; }

 private:
  struct Observed;
  struct Owner;
  MetricData look_at(Observed& observed, Owner& owner);

  const ForkMark fork_;
  const ExemplarFilter exemplars_;
  const Clock clock_;
  const std::int64_t started_;
  LabelTable labels_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<MetricInstrument>> instruments_;  // guarded by mutex_
  std::mutex observing_;  // held while `measure` is called: no handler of a plugin waits for it
  std::vector<Observed> observed_;  // guarded by observing_
};

}  // namespace mellea::telemetry
