#include "mellea/telemetry/meter.h"

#include "mellea/core/text.h"

namespace mellea::telemetry {

void OwnInstrument::record(double value, std::span<const MetricLabel> labels,
                           const Scope& scope) const noexcept {
  if (!instrument_ || !store_->working()) return;
  try {
    std::vector<MetricLabel> sorted(labels.begin(), labels.end());
    sort_by_name(sorted);
    std::vector<LabelRef> refs;
    refs.reserve(sorted.size());
    for (const MetricLabel& label : sorted) refs.push_back(store_->labels().kept(label));
    instrument_->record(value, refs, scope.trace());
  } catch (...) {  // NOLINT: no memory; what is measured must not break what it measures
  }
}

Meter::Meter(std::shared_ptr<MetricStore> store, std::shared_ptr<Warnings> warnings,
             std::string scope)
    : store_(std::move(store)), warnings_(std::move(warnings)), scope_(std::move(scope)) {}

InstrumentDescription Meter::describe(InstrumentKind kind, Options options) const {
  const bool histogram = kind == InstrumentKind::histogram;
  if (histogram && options.bounds.empty()) options.bounds = default_bounds();
  if (!histogram) options.bounds.clear();
  return {.name = std::move(options.name),
          .kind = kind,
          .unit = std::move(options.unit),
          .description = std::move(options.description),
          .integer = options.integer,
          .bounds = std::move(options.bounds),
          .scope = scope_};
}

template <class Handle>
Handle Meter::make(InstrumentKind kind, Options options) const {
  if (!store_ || !store_->working()) return {};
  const std::string name = options.name;
  MetricInstrument* instrument = store_->instrument(describe(kind, std::move(options)));
  if (!instrument) tell_taken(name);
  return Handle(store_, instrument);
}

void Meter::tell_taken(const std::string& name) const {
  warnings_->add("metric " + one_line(name, 100) +
                 ": there is another of that name; this one is not counted");
}

Counter Meter::counter(Options options) const {
  return make<Counter>(InstrumentKind::counter, std::move(options));
}

UpDownCounter Meter::up_down_counter(Options options) const {
  return make<UpDownCounter>(InstrumentKind::up_down_counter, std::move(options));
}

Histogram Meter::histogram(Options options) const {
  return make<Histogram>(InstrumentKind::histogram, std::move(options));
}

void Meter::gauge(Options options, MetricStore::Measure measure) const {
  if (!store_ || !store_->working()) return;
  const std::string name = options.name;
  if (!store_->observe(describe(InstrumentKind::gauge, std::move(options)), std::move(measure)))
    tell_taken(name);
}

}  // namespace mellea::telemetry
