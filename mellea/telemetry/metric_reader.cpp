#include "mellea/telemetry/metric_reader.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace mellea::telemetry {
namespace {

// Takes away what was there before.
struct Subtract {
  const std::variant<std::int64_t, double, HistogramValue>& before;

  bool operator()(std::int64_t& value) const {
    return (value -= std::get<std::int64_t>(before)) != 0;
  }
  bool operator()(double& value) const { return (value -= std::get<double>(before)) != 0; }
  bool operator()(HistogramValue& value) const {
    const auto& earlier = std::get<HistogramValue>(before);
    for (std::size_t at = 0; at < value.counts.size(); ++at) value.counts[at] -= earlier.counts[at];
    value.sum -= earlier.sum;
    value.least.reset();
    value.most.reset();
    return value.count() != 0;
  }
};

// One at which a clock can be set.
std::chrono::milliseconds possible(std::chrono::milliseconds interval) {
  if (interval.count() <= 0) return MetricsConfig().interval;
  return std::min<std::chrono::milliseconds>(interval, std::chrono::hours(24));
}

}  // namespace

bool MetricDeltas::is_delta(const MetricData& data) const noexcept {
  const InstrumentKind kind = data.instrument->kind;
  if (kind != InstrumentKind::counter && kind != InstrumentKind::histogram) return false;
  return temporality_ == Temporality::delta ||
         (temporality_ == Temporality::low_memory && !data.observed);
}

void MetricDeltas::apply(MetricBatch& batch) const {
  for (MetricData& data : batch.metrics) {
    data.delta = is_delta(data);
    std::erase_if(data.points, [&](MetricPoint& point) {
      std::erase_if(point.exemplars, [&](const Exemplar& one) { return one.at <= at_; });
      if (!data.delta) return false;
      if (at_ != 0) point.since = at_;
      const auto before = values_.find({data.instrument.get(), point.series});
      return before != values_.end() && !std::visit(Subtract{before->second}, point.value);
    });
  }
  std::erase_if(batch.metrics, [](const MetricData& data) { return data.points.empty(); });
}

void MetricDeltas::delivered(const MetricBatch& seen) {
  at_ = seen.at;
  if (is_cumulative()) return;
  for (const MetricData& data : seen.metrics) {
    if (!is_delta(data)) continue;
    for (const MetricPoint& point : data.points)
      values_.insert_or_assign({data.instrument.get(), point.series}, point.value);
  }
}

class MetricReader::Loop : public ExportLoop {
 public:
  Loop(std::shared_ptr<MetricStore> store, std::shared_ptr<MetricExporter> exporter,
       std::chrono::milliseconds interval, Temporality temporality,
       std::shared_ptr<Warnings> warnings)
      : ExportLoop(std::move(warnings)),
        store_(std::move(store)),
        exporter_(std::move(exporter)),
        interval_(possible(interval)),
        deltas_(temporality) {}

 private:
  // Each look is one that was accepted.
  bool wait(Lock& lock) override {
    const bool asked =
        wake_.wait_until(lock, next_, [&] { return flush_to_ > finished_ || stopping_; });
    if (last_) return false;
    last_ = stopping_;
    if (accepted_ == finished_) ++accepted_;
    const Instant now = Instant::clock::now();
    if (!asked || next_ < now) next_ = std::max(next_ + interval_, now);
    return true;
  }

  Delivery deliver(Lock& lock) override {
    lock.unlock();
    MetricsSent sent;
    try {
      sent = look();
    } catch (const std::exception& error) {  // no memory
      sent.failure = error.what();
    }
    lock.lock();
    all_told_ = sent.failure.empty();
    if (sent.partly && !all_told_ && !deltas_.is_cumulative()) part_lost_ = true;
    return {.count = 1, .failure = std::move(sent.failure)};
  }

  MetricsSent look() {
    MetricBatch batch = store_->collect();
    const MetricBatch seen = deltas_.is_cumulative() ? MetricBatch{.at = batch.at} : batch;
    deltas_.apply(batch);
    MetricsSent sent;
    if (!batch.metrics.empty()) sent = exporter_->send(batch);
    if (sent.failure.empty() || sent.partly) deltas_.delivered(seen);
    return sent;
  }

  // What one look could not deliver, the next did.
  bool is_complete() const noexcept override { return all_told_ && !part_lost_; }

  void on_flush() override { ++accepted_; }

  std::string told(std::int64_t lost, const std::string& why) const override {
    return exporter_->name() + ": metrics not delivered" +
           (lost == 1 ? std::string() : " " + std::to_string(lost) + " times") + ": " + why;
  }
  Signal signal() const noexcept override { return Signal::metrics; }
  std::string label() const override { return exporter_->label(); }
  void interrupt() noexcept override { exporter_->interrupt(); }
  void close() noexcept override { exporter_->close(); }

  const std::shared_ptr<MetricStore> store_;
  const std::shared_ptr<MetricExporter> exporter_;
  const std::chrono::milliseconds interval_;
  MetricDeltas deltas_;  // the thread's own
  Instant next_ = Instant::clock::now() + interval_;
  bool last_ = false;       // the last look was taken
  bool all_told_ = true;    // guarded by mutex_: nothing of the last look is still to be delivered
  bool part_lost_ = false;  // guarded by mutex_: for good
};

MetricReader::MetricReader(std::shared_ptr<MetricStore> store,
                           std::shared_ptr<MetricExporter> exporter,
                           std::chrono::milliseconds interval, Temporality temporality,
                           std::shared_ptr<Warnings> warnings)
    : thread_(std::make_shared<Loop>(std::move(store), std::move(exporter), interval, temporality,
                                     std::move(warnings))) {}

MetricReader::~MetricReader() = default;

}  // namespace mellea::telemetry
