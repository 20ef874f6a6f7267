// Where what is measured adds up until somebody looks.
//
//   const auto store = std::make_shared<MetricStore>();
//   MetricInstrument& calls = *store->instrument({.name = "shop.calls", .unit = "{call}"});
//   const LabelRef labels[] = {store->labels().kept({"shop", "north"})};
//   calls.record(1, labels);
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "mellea/core/fork.h"
#include "mellea/core/instant.h"
#include "mellea/telemetry/config.h"
#include "mellea/telemetry/metric.h"
#include "mellea/telemetry/metric_labels.h"
#include "mellea/telemetry/metric_table.h"

namespace mellea::telemetry {

class MetricMirror;
class MirroredInstrument;

// One instrument, and a sum for each set of labels. Any thread may record. An update looks the set
// up without a lock and adds to what threads of its kind have added: eight of them have a sum each,
// so that they hardly ever wait for each other.
class MetricInstrument {
 public:
  // The last of them is for all sets that come later: it has the label otel.metric.overflow.
  static constexpr std::size_t kMostSeries = 2'000;

  // `mirror` may be null.
  MetricInstrument(InstrumentDescription description, LabelRef overflow, ExemplarFilter exemplars,
                   MetricMirror* mirror = nullptr);
  ~MetricInstrument();

  const InstrumentDescription& description() const noexcept { return *description_; }

  // Adds to a counter, counts in a histogram, and tells the mirror. The order of the labels counts.
  // What a counter can't take (less than nothing, no number) is left out.
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
  const std::unique_ptr<MirroredInstrument> mirrored_;  // null: nobody else wants to know
  const ForkMark fork_;
  MetricTable<Series> table_;
  mutable std::mutex mutex_;  // for who inserts, and who collects
};

// All instruments of a Telemetry, each known by its scope and name; lives in a shared_ptr. Any
// thread may call anything. In a child of fork() nothing is counted and nothing seen.
class MetricStore : public std::enable_shared_from_this<MetricStore> {
 public:
  using Clock = std::function<std::int64_t()>;  // ns since 1970

  // `mirror` may be null.
  explicit MetricStore(ExemplarFilter exemplars = ExemplarFilter::sampled, Clock clock = {},
                       std::shared_ptr<MetricMirror> mirror = nullptr);
  ~MetricStore();

  LabelTable& labels() noexcept { return labels_; }
  // False in a child of fork(), and once it is closed: whoever records may save itself the trouble.
  bool working() const noexcept {
    return !closed_.load(std::memory_order_acquire) && !fork_.inherited();
  }

  // The one of that name; a new one if there is none. Null if there is one that is not the same.
  MetricInstrument* instrument(InstrumentDescription description);

  // Measured when somebody looks: `measure` is called on the thread that does, never by two at
  // once; who looks meanwhile sees what was measured before. It must not call the store, and what
  // throws is not seen. What it tells of a counter is the sum so far. Of one set of labels, sums
  // add up, and of a gauge the last value counts.
  struct Measured {
    double value = 0;
    std::vector<MetricLabel> labels{};
  };
  using Measure = std::function<std::vector<Measured>()>;
  // Several of one description are one instrument. False if there is another of that name: then
  // nothing is measured.
  bool observe(InstrumentDescription description, Measure measure);
  // Nothing is measured any more once this has returned, and nobody needs to record. False if
  // `until` was too early for a `measure` under way: it goes on where it is.
  bool close(Instant until) noexcept;

  // Sums since the store was made.
  MetricBatch collect();
  std::int64_t now() const { return clock_(); }
  std::int64_t started() const noexcept { return started_; }

 private:
  struct Observed;
  struct Look;
  struct Owner;
  using Measures = std::vector<std::shared_ptr<const Measure>>;
  void mirror(const std::shared_ptr<Observed>& observed);
  std::shared_ptr<const Look> look_at(Observed& observed);
  std::shared_ptr<const Look> measured(Observed& observed, const Measures& measures);

  const ForkMark fork_;
  const ExemplarFilter exemplars_;
  const Clock clock_;
  const std::int64_t started_;
  const std::shared_ptr<MetricMirror> mirror_;  // null: there is none
  LabelTable labels_;
  std::atomic<bool> closed_{false};
  mutable std::mutex mutex_;  // guards all that follows
  std::condition_variable measured_;
  std::vector<std::unique_ptr<MetricInstrument>> instruments_;
  std::vector<std::shared_ptr<Observed>> observed_;
};

}  // namespace mellea::telemetry
