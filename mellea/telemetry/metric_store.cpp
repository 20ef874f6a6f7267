#include "mellea/telemetry/metric_store.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <thread>
#include <utility>

#include "mellea/telemetry/metric_mirror.h"

namespace mellea::telemetry {
namespace {

std::int64_t wall_clock() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

std::size_t hash_of(std::span<const LabelRef> labels) noexcept {
  std::size_t hash = labels.size();
  for (const LabelRef label : labels) hash = (hash ^ label->hash) * 0x9E3779B97F4A7C15ULL;
  return hash ^ (hash >> 32U);
}

// The bucket whose upper bound is not below `value`.
std::size_t bucket_of(double value, const std::vector<double>& bounds) noexcept {
  return static_cast<std::size_t>(std::lower_bound(bounds.begin(), bounds.end(), value) -
                                  bounds.begin());
}

// Without what is behind the point; what does not fit is as much as fits.
std::int64_t whole(double value) noexcept {
  constexpr double kMost = 9.2e18;
  return static_cast<std::int64_t>(std::clamp(value, -kMost, kMost));
}

void add_to(std::int64_t& sum, std::int64_t more) noexcept {
  using Limits = std::numeric_limits<std::int64_t>;
  if (__builtin_add_overflow(sum, more, &sum)) sum = more < 0 ? Limits::min() : Limits::max();
}

bool same_name(const InstrumentDescription& a, const InstrumentDescription& b) {
  return a.name == b.name && a.scope == b.scope;
}

}  // namespace

// What the threads of one kind have recorded.
struct alignas(64) MetricInstrument::Shard {
  explicit Shard(std::size_t buckets) : counts(buckets) {}

  std::mutex mutex;        // guards all that follows
  std::int64_t whole = 0;  // of an integer instrument, instead of `sum`
  double sum = 0;
  std::uint64_t count = 0;  // of a histogram's values
  double least = 0;         // this and the next: once any is counted
  double most = 0;
  std::vector<std::uint64_t> counts;  // one a bucket
  std::vector<Exemplar> exemplars;    // one a bucket, or one; empty until the first
};

struct MetricInstrument::Series {
  ~Series() {
    for (auto& shard : shards) delete shard.load(std::memory_order_relaxed);
  }

  std::size_t hash = 0;
  std::vector<LabelRef> key{};
  std::vector<Attribute> labels{};
  std::uint64_t number = 0;
  std::array<std::atomic<Shard*>, kShards> shards{};  // null: no such thread yet
};

MetricInstrument::MetricInstrument(InstrumentDescription description, LabelRef overflow,
                                   ExemplarFilter exemplars, MetricMirror* mirror)
    : description_(std::make_shared<const InstrumentDescription>(std::move(description))),
      overflow_(overflow),
      exemplars_(exemplars),
      mirrored_(mirror ? mirror->mirror(*description_) : nullptr) {}

MetricInstrument::~MetricInstrument() = default;

MetricInstrument::Series& MetricInstrument::series_of(std::span<const LabelRef> labels) {
  const std::size_t hash = hash_of(labels);
  const auto is_it = [&](const Series& series) {
    return std::equal(labels.begin(), labels.end(), series.key.begin(), series.key.end());
  };
  if (Series* found = table_.find(hash, is_it)) return *found;
  const std::lock_guard lock(mutex_);
  if (Series* found = table_.find(hash, is_it)) return *found;  // another thread was faster
  const std::size_t count = table_.entries().size();
  if (count == kMostSeries) return *table_.entries().back();
  auto series = std::make_unique<Series>();
  series->number = count;
  if (count + 1 == kMostSeries) {
    series->key = {overflow_};
    series->hash = hash_of(series->key);
  } else {
    series->key.assign(labels.begin(), labels.end());
    series->hash = hash;
  }
  for (const LabelRef label : series->key) series->labels.push_back(label->attribute);
  return table_.insert(std::move(series));
}

// Threads are told apart by their ids' bits, which are addresses.
std::size_t MetricInstrument::this_shard() noexcept {
  const std::size_t id = std::hash<std::thread::id>()(std::this_thread::get_id());
  return (id * 0x9E3779B97F4A7C15ULL >> 32U) % kShards;
}

MetricInstrument::Shard& MetricInstrument::shard_of(Series& series) {
  std::atomic<Shard*>& slot = series.shards[this_shard()];
  if (Shard* shard = slot.load(std::memory_order_acquire)) return *shard;
  const bool histogram = description_->kind == InstrumentKind::histogram;
  auto made = std::make_unique<Shard>(histogram ? description_->bounds.size() + 1 : 0);
  Shard* there = nullptr;
  if (slot.compare_exchange_strong(there, made.get(), std::memory_order_acq_rel))
    return *made.release();
  return *there;
}

bool MetricInstrument::wants(const TraceRef& trace) const noexcept {
  if (exemplars_ == ExemplarFilter::all) return true;
  return exemplars_ == ExemplarFilter::sampled && trace && (trace.flags & 1U) != 0;
}

void MetricInstrument::record(double value, std::span<const LabelRef> labels,
                              const TraceRef& trace) noexcept {
  const InstrumentKind kind = description_->kind;
  if (fork_.inherited() || !std::isfinite(value)) return;
  if (kind == InstrumentKind::counter && value < 0) return;
  try {
    Series& series = series_of(labels);
    if (mirrored_) mirrored_->record(value, series.labels, trace);
    Shard& shard = shard_of(series);
    const std::int64_t now = wants(trace) ? wall_clock() : 0;
    const bool histogram = kind == InstrumentKind::histogram;
    const std::size_t bucket = histogram ? bucket_of(value, description_->bounds) : 0;
    const std::lock_guard lock(shard.mutex);
    if (histogram) {
      shard.least = shard.count == 0 ? value : std::min(shard.least, value);
      shard.most = shard.count == 0 ? value : std::max(shard.most, value);
      ++shard.count;
      ++shard.counts[bucket];
    }
    if (description_->integer && !histogram)
      add_to(shard.whole, whole(value));
    else
      shard.sum += value;
    if (now != 0) {
      if (shard.exemplars.empty())
        shard.exemplars.resize(std::max<std::size_t>(1, shard.counts.size()));
      shard.exemplars[bucket] = {value, now, trace};
    }
  } catch (...) {  // NOLINT: no memory; what is measured must not break what it measures
  }
}

MetricPoint MetricInstrument::point_of(const Series& series) const {
  std::int64_t total = 0;
  HistogramValue sum;
  std::vector<Exemplar> exemplars;
  if (description_->kind == InstrumentKind::histogram)
    sum.counts.resize(description_->bounds.size() + 1);
  for (const auto& slot : series.shards) {
    Shard* shard = slot.load(std::memory_order_acquire);
    if (!shard) continue;
    const std::lock_guard lock(shard->mutex);
    add_to(total, shard->whole);
    sum.sum += shard->sum;
    for (std::size_t at = 0; at < shard->counts.size(); ++at) sum.counts[at] += shard->counts[at];
    if (shard->count != 0) {
      sum.least = std::min(sum.least.value_or(shard->least), shard->least);
      sum.most = std::max(sum.most.value_or(shard->most), shard->most);
    }
    exemplars.resize(std::max(exemplars.size(), shard->exemplars.size()));
    for (std::size_t at = 0; at < shard->exemplars.size(); ++at)
      if (shard->exemplars[at].at > exemplars[at].at) exemplars[at] = shard->exemplars[at];
  }
  std::erase_if(exemplars, [](const Exemplar& exemplar) { return exemplar.at == 0; });
  MetricPoint point{.series = series.number, .labels = series.labels};
  point.exemplars = std::move(exemplars);
  if (description_->kind == InstrumentKind::histogram)
    point.value = std::move(sum);
  else if (description_->integer)
    point.value = total;
  else
    point.value = sum.sum;
  return point;
}

MetricData MetricInstrument::collect(std::int64_t since) const {
  std::vector<const Series*> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& series : table_.entries()) all.push_back(series.get());
  }
  MetricData data{.instrument = description_};
  for (const Series* series : all) {
    data.points.push_back(point_of(*series));
    data.points.back().since = since;
  }
  return data;
}

struct MetricStore::Observed {
  std::shared_ptr<const InstrumentDescription> description{};
  Measures measures{};                 // guarded by the store's mutex_, as the next two
  bool measuring = false;              // somebody is, and alone uses `numbers`
  std::shared_ptr<const Look> last{};  // null: it was not measured yet
  std::map<std::vector<LabelRef>, std::uint64_t> numbers{};  // of the series seen so far
  std::shared_ptr<void> mirrored{};  // guarded by mutex_; what looks here besides; null: nobody
};

// What was measured of one instrument at one look.
struct MetricStore::Look {
  MetricData data{};
  std::deque<std::vector<Attribute>> labels{};  // of its points
};

// What the labels of a batch view.
struct MetricStore::Owner {
  std::shared_ptr<MetricStore> store{};
  std::vector<std::shared_ptr<const Look>> looks{};
};

MetricStore::MetricStore(ExemplarFilter exemplars, Clock clock,
                         std::shared_ptr<MetricMirror> mirror)
    : exemplars_(exemplars),
      clock_(clock ? std::move(clock) : wall_clock),
      started_(clock_()),
      mirror_(std::move(mirror)) {}

MetricStore::~MetricStore() = default;

MetricInstrument* MetricStore::instrument(InstrumentDescription description) {
  const LabelRef overflow = labels_.kept({"otel.metric.overflow", true});
  std::unique_ptr<MetricInstrument> made;
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      for (const auto& known : instruments_)
        if (same_name(known->description(), description))
          return known->description() == description ? known.get() : nullptr;
      for (const auto& known : observed_)
        if (same_name(*known->description, description)) return nullptr;
      if (made) return instruments_.emplace_back(std::move(made)).get();
    }
    // Unlocked: whom the mirror asks may be looking at this store.
    made = std::make_unique<MetricInstrument>(description, overflow, exemplars_, mirror_.get());
  }
}

bool MetricStore::observe(InstrumentDescription description, Measure measure) {
  auto shared = std::make_shared<const Measure>(std::move(measure));
  std::unique_lock lock(mutex_);
  for (const auto& known : instruments_)
    if (same_name(known->description(), description)) return false;
  for (const auto& known : observed_) {
    if (!same_name(*known->description, description)) continue;
    if (*known->description != description) return false;
    known->measures.push_back(std::move(shared));
    return true;
  }
  auto observed = std::make_shared<Observed>();
  observed->description = std::make_shared<const InstrumentDescription>(std::move(description));
  observed->measures.push_back(std::move(shared));
  observed_.push_back(observed);
  lock.unlock();
  if (mirror_) mirror(observed);
  return true;
}

void MetricStore::mirror(const std::shared_ptr<Observed>& observed) {
  auto mirrored = mirror_->observe(
      *observed->description, [of = weak_from_this(), one = std::weak_ptr<Observed>(observed)] {
        const auto store = of.lock();
        const auto still = one.lock();
        if (!store || !still) return MetricBatch{};
        MetricBatch batch{.at = store->now()};
        if (auto look = store->look_at(*still)) {
          batch.metrics.push_back(look->data);
          const auto owner = std::make_shared<Owner>();
          owner->store = store;
          owner->looks.push_back(std::move(look));
          batch.owner = owner;
        }
        return batch;
      });
  const std::lock_guard lock(mutex_);
  observed->mirrored = std::move(mirrored);
}

bool MetricStore::close(Instant until) noexcept {
  if (fork_.inherited()) return true;
  std::vector<std::shared_ptr<Observed>> gone;  // what measures, a program's own, goes unlocked
  std::unique_lock lock(mutex_);
  closed_.store(true, std::memory_order_release);
  gone.swap(observed_);
  return measured_.wait_until(lock, until, [&] {
    return std::none_of(gone.begin(), gone.end(), [](const auto& one) { return one->measuring; });
  });
}

MetricBatch MetricStore::collect() {
  const auto owner = std::make_shared<Owner>();
  owner->store = shared_from_this();
  MetricBatch batch{.at = now(), .owner = owner};
  if (fork_.inherited()) return batch;
  std::vector<const MetricInstrument*> all;
  std::vector<std::shared_ptr<Observed>> observed;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& instrument : instruments_) all.push_back(instrument.get());
    observed = observed_;
  }
  for (const MetricInstrument* instrument : all)
    batch.metrics.push_back(instrument->collect(started_));
  for (const auto& one : observed)
    if (auto look = look_at(*one)) {
      batch.metrics.push_back(look->data);
      owner->looks.push_back(std::move(look));
    }
  std::erase_if(batch.metrics, [](const MetricData& data) { return data.points.empty(); });
  return batch;
}

std::shared_ptr<const MetricStore::Look> MetricStore::look_at(Observed& observed) {
  if (!working()) return nullptr;  // in a child of fork() the lock may be held for good
  Measures measures;
  {
    const std::lock_guard lock(mutex_);
    if (!working()) return nullptr;
    if (observed.measuring) return observed.last;
    measures = observed.measures;
    observed.measuring = true;
  }
  std::shared_ptr<const Look> look;
  try {
    look = measured(observed, measures);
  } catch (...) {  // NOLINT: what a program measures must not take the rest with it
  }
  const std::lock_guard lock(mutex_);
  observed.measuring = false;
  observed.last = look;
  measured_.notify_all();
  return look;
}

std::shared_ptr<const MetricStore::Look> MetricStore::measured(Observed& observed,
                                                               const Measures& measures) {
  const auto look = std::make_shared<Look>();
  const InstrumentDescription& description = *observed.description;
  look->data = {.instrument = observed.description, .observed = true};
  std::vector<MetricPoint>& points = look->data.points;
  std::map<std::uint64_t, std::size_t> places;  // of the points, by their series
  const auto add = [&](Measured one) {
    if (!std::isfinite(one.value)) return;
    sort_by_name(one.labels);
    std::vector<LabelRef> key;
    for (const MetricLabel& label : one.labels) key.push_back(labels_.kept(label));
    std::uint64_t number = observed.numbers.size();
    const auto known = observed.numbers.find(key);
    if (known != observed.numbers.end())
      number = known->second;
    else if (number == MetricInstrument::kMostSeries)
      return;
    else
      observed.numbers.emplace(key, number);
    const auto [place, fresh] = places.try_emplace(number, points.size());
    if (fresh) {
      std::vector<Attribute>& labels = look->labels.emplace_back();
      for (const LabelRef label : key) labels.push_back(label->attribute);
      points.push_back({.series = number, .labels = labels, .since = started_});
      if (!description.integer) points.back().value = 0.0;
    }
    auto& value = points[place->second].value;
    const bool adds_up = description.kind != InstrumentKind::gauge;
    if (auto* sum = std::get_if<std::int64_t>(&value)) {
      if (!adds_up) *sum = 0;
      add_to(*sum, whole(one.value));
    } else {
      value = (adds_up ? std::get<double>(value) : 0) + one.value;
    }
  };
  for (const auto& measure : measures)
    for (Measured& one : (*measure)()) add(std::move(one));
  return look;
}

}  // namespace mellea::telemetry
