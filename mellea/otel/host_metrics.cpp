#include "mellea/otel/host_metrics.h"

#include <opentelemetry/context/context.h>
#include <opentelemetry/metrics/async_instruments.h>
#include <opentelemetry/metrics/meter.h>
#include <opentelemetry/metrics/observer_result.h>
#include <opentelemetry/metrics/sync_instruments.h>
#include <opentelemetry/sdk/metrics/aggregation/aggregation_config.h>
#include <opentelemetry/sdk/metrics/meter_provider.h>
#include <opentelemetry/sdk/metrics/view/instrument_selector.h>
#include <opentelemetry/sdk/metrics/view/meter_selector.h>
#include <opentelemetry/sdk/metrics/view/view.h>
#include <opentelemetry/trace/context.h>
#include <opentelemetry/trace/default_span.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <variant>

#include "mellea/otel/values.h"
#include "mellea/telemetry/otlp.h"

namespace mellea::otel {
namespace {

namespace metrics = opentelemetry::metrics;
namespace nostd = opentelemetry::nostd;
using opentelemetry::context::Context;
using telemetry::Attribute;
using telemetry::InstrumentDescription;
using telemetry::InstrumentKind;
using telemetry::MetricBatch;

Context context_of(const TraceRef& trace) {
  Context context;
  if (!trace) return context;
  return opentelemetry::trace::SetSpan(
      context, nostd::shared_ptr<opentelemetry::trace::Span>(
                   new opentelemetry::trace::DefaultSpan(to_context(trace))));
}

// Counters add and histograms record; whole numbers are told as such.
template <class Instrument, class Number>
class Mirrored final : public telemetry::MirroredInstrument {
 public:
  explicit Mirrored(nostd::unique_ptr<Instrument> instrument)
      : instrument_(std::move(instrument)) {}

  void record(double value, std::span<const Attribute> labels,
              const TraceRef& trace) noexcept override {
    const Number number = to_number(value);
    if constexpr (requires { instrument_->Record(number, MetricAttributes(labels), Context()); })
      instrument_->Record(number, MetricAttributes(labels), context_of(trace));
    else
      instrument_->Add(number, MetricAttributes(labels), context_of(trace));
  }

 private:
  static Number to_number(double value) noexcept {
    if constexpr (std::is_unsigned_v<Number>)
      return value <= 0 ? 0 : static_cast<Number>(std::min(value, 9.2e18));
    else
      return static_cast<Number>(std::clamp(value, -9.2e18, 9.2e18));
  }

  const nostd::unique_ptr<Instrument> instrument_;
};

template <class Instrument, class Number>
std::unique_ptr<telemetry::MirroredInstrument> mirrored(nostd::unique_ptr<Instrument> instrument) {
  if (!instrument) return nullptr;
  return std::make_unique<Mirrored<Instrument, Number>>(std::move(instrument));
}

// What the host calls back, for as long as it may.
class Looking {
 public:
  Looking(nostd::shared_ptr<metrics::ObservableInstrument> instrument,
          std::function<MetricBatch()> look)
      : instrument_(std::move(instrument)),
        look_(std::make_shared<const std::function<MetricBatch()>>(std::move(look))) {
    instrument_->AddCallback(&Looking::tell, this);
  }
  // Waits for a collection of the host's that is under way: not to be called in one.
  ~Looking() { instrument_->RemoveCallback(&Looking::tell, this); }
  Looking(const Looking&) = delete;
  Looking& operator=(const Looking&) = delete;

  void stop() {
    const std::lock_guard lock(mutex_);
    look_ = nullptr;
  }

 private:
  static void tell(metrics::ObserverResult result, void* looking) {
    const auto look = static_cast<Looking*>(looking)->look();
    if (!look) return;
    const MetricBatch batch = (*look)();
    for (const telemetry::MetricData& metric : batch.metrics)
      for (const telemetry::MetricPoint& point : metric.points) tell(result, point);
  }
  static void tell(metrics::ObserverResult& result, const telemetry::MetricPoint& point) {
    using Whole = nostd::shared_ptr<metrics::ObserverResultT<std::int64_t>>;
    using Real = nostd::shared_ptr<metrics::ObserverResultT<double>>;
    const MetricAttributes labels(point.labels);
    if (const auto* whole = std::get_if<std::int64_t>(&point.value)) {
      if (auto* to = nostd::get_if<Whole>(&result)) (*to)->Observe(*whole, labels);
    } else if (const auto* real = std::get_if<double>(&point.value)) {
      if (auto* to = nostd::get_if<Real>(&result)) (*to)->Observe(*real, labels);
    }
  }

  std::shared_ptr<const std::function<MetricBatch()>> look() {
    const std::lock_guard lock(mutex_);
    return look_;
  }

  const nostd::shared_ptr<metrics::ObservableInstrument> instrument_;
  std::mutex mutex_;
  std::shared_ptr<const std::function<MetricBatch()>> look_;  // guarded by mutex_; null: stopped
};

// Looks when the host does. Its end may come in a callback, or on a thread with a deadline, and the
// host has to be waited for before it forgets the callback: so another thread does that.
class Observing {
 public:
  explicit Observing(std::unique_ptr<Looking> looking) : looking_(std::move(looking)) {}
  ~Observing() {
    looking_->stop();
    Looking* const looking = looking_.release();
    try {
      std::thread([looking] { delete looking; }).detach();
    } catch (const std::system_error&) {  // no thread: it stays, and finds nothing to look at
    }
  }
  Observing(const Observing&) = delete;
  Observing& operator=(const Observing&) = delete;

 private:
  std::unique_ptr<Looking> looking_;
};

class HostMetrics final : public telemetry::MetricMirror {
 public:
  explicit HostMetrics(metrics::MeterProvider& host) : host_(&host) {}

  std::unique_ptr<telemetry::MirroredInstrument> mirror(
      const InstrumentDescription& description) override {
    metrics::Meter& meter = meter_of(description.scope);
    const auto name = to_nostd(description.name);
    const auto what = to_nostd(description.description);
    const auto unit = to_nostd(description.unit);
    switch (description.kind) {
      case InstrumentKind::counter:
        if (description.integer)
          return mirrored<metrics::Counter<std::uint64_t>, std::uint64_t>(
              meter.CreateUInt64Counter(name, what, unit));
        return mirrored<metrics::Counter<double>, double>(
            meter.CreateDoubleCounter(name, what, unit));
      case InstrumentKind::up_down_counter:
        if (description.integer)
          return mirrored<metrics::UpDownCounter<std::int64_t>, std::int64_t>(
              meter.CreateInt64UpDownCounter(name, what, unit));
        return mirrored<metrics::UpDownCounter<double>, double>(
            meter.CreateDoubleUpDownCounter(name, what, unit));
      case InstrumentKind::histogram:
        add_view(description);
        if (description.integer)
          return mirrored<metrics::Histogram<std::uint64_t>, std::uint64_t>(
              meter.CreateUInt64Histogram(name, what, unit));
        return mirrored<metrics::Histogram<double>, double>(
            meter.CreateDoubleHistogram(name, what, unit));
      case InstrumentKind::gauge: break;  // only ever observed
    }
    return nullptr;
  }

  std::shared_ptr<void> observe(const InstrumentDescription& description,
                                std::function<MetricBatch()> look) override {
    auto instrument = observable(meter_of(description.scope), description);
    if (!instrument) return nullptr;
    return std::make_shared<Observing>(
        std::make_unique<Looking>(std::move(instrument), std::move(look)));
  }

 private:
  static nostd::shared_ptr<metrics::ObservableInstrument> observable(
      metrics::Meter& meter, const InstrumentDescription& description) {
    const auto name = to_nostd(description.name);
    const auto what = to_nostd(description.description);
    const auto unit = to_nostd(description.unit);
    const bool whole = description.integer;
    switch (description.kind) {
      case InstrumentKind::counter:
        return whole ? meter.CreateInt64ObservableCounter(name, what, unit)
                     : meter.CreateDoubleObservableCounter(name, what, unit);
      case InstrumentKind::up_down_counter:
        return whole ? meter.CreateInt64ObservableUpDownCounter(name, what, unit)
                     : meter.CreateDoubleObservableUpDownCounter(name, what, unit);
      case InstrumentKind::gauge:
        return whole ? meter.CreateInt64ObservableGauge(name, what, unit)
                     : meter.CreateDoubleObservableGauge(name, what, unit);
      case InstrumentKind::histogram: break;  // never observed
    }
    return nostd::shared_ptr<metrics::ObservableInstrument>();
  }

  metrics::Meter& meter_of(const std::string& scope) {
    const std::lock_guard lock(mutex_);
    auto& meter = meters_[scope];
    if (!meter) meter = host_->GetMeter(to_nostd(scope), version_of(scope));
    return *meter;
  }

  static nostd::string_view version_of(const std::string& scope) {
    return telemetry::otlp::is_ours(scope) ? MELLEA_VERSION : "";
  }

  // Views may be added by one thread at a time, and apply to instruments made later.
  void add_view(const InstrumentDescription& description) {
    namespace sdk = opentelemetry::sdk::metrics;
    auto* const inside = dynamic_cast<sdk::MeterProvider*>(host_);
    if (!inside) return;
    auto buckets = std::make_shared<sdk::HistogramAggregationConfig>();
    buckets->boundaries_ = description.bounds;
    const std::lock_guard lock(mutex_);
    inside->AddView(
        std::make_unique<sdk::InstrumentSelector>(sdk::InstrumentType::kHistogram, description.name,
                                                  description.unit),
        std::make_unique<sdk::MeterSelector>(description.scope, std::string(), std::string()),
        std::make_unique<sdk::View>(std::string(), description.description, description.unit,
                                    sdk::AggregationType::kHistogram, std::move(buckets)));
  }

  metrics::MeterProvider* const host_;
  std::mutex mutex_;
  std::map<std::string, nostd::shared_ptr<metrics::Meter>> meters_;  // guarded by mutex_; by scope
};

}  // namespace

std::shared_ptr<telemetry::MetricMirror> make_host_metrics(metrics::MeterProvider& host) {
  return std::make_shared<HostMetrics>(host);
}

}  // namespace mellea::otel
