// A program's own metrics, beside ours.
//
//   mellea::telemetry::Meter meter = telemetry.meter("shop");
//   const auto sales = meter.counter({.name = "shop.sales", .unit = "{sale}"});
//   sales.add(1, {{"shop.region", "north"}});
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mellea/core/scope.h"
#include "mellea/telemetry/metric_store.h"
#include "mellea/telemetry/warnings.h"

namespace mellea::telemetry {

// What all that a Meter gives is: a handle, cheap to copy, which may outlive Telemetry. Any thread
// may use it. The order of labels does not count; of a key, 1,000 values are told apart, and of an
// instrument 2,000 sets.
class OwnInstrument {
 public:
  using MetricLabels = std::initializer_list<MetricLabel>;

  OwnInstrument() = default;  // off: nothing happens
  // `instrument` is of `store`; null: off.
  OwnInstrument(std::shared_ptr<MetricStore> store, MetricInstrument* instrument)
      : store_(std::move(store)), instrument_(instrument) {}

 protected:
  void record(double value, std::span<const MetricLabel> labels, const Scope& scope) const noexcept;

 private:
  std::shared_ptr<MetricStore> store_;
  MetricInstrument* instrument_ = nullptr;
};

// `scope`: of the operation that it belongs to, for exemplars.
class Counter : public OwnInstrument {
 public:
  using OwnInstrument::OwnInstrument;
  // Less than nothing is not counted.
  void add(double value = 1, MetricLabels labels = {}, const Scope& scope = {}) const noexcept {
    record(value, labels, scope);
  }
};
class UpDownCounter : public OwnInstrument {
 public:
  using OwnInstrument::OwnInstrument;
  void add(double value, MetricLabels labels = {}, const Scope& scope = {}) const noexcept {
    record(value, labels, scope);
  }
};
class Histogram : public OwnInstrument {
 public:
  using OwnInstrument::OwnInstrument;
  void record(double value, MetricLabels labels = {}, const Scope& scope = {}) const noexcept {
    OwnInstrument::record(value, labels, scope);
  }
};

// Gives instruments; the same one for the same name. A name that another kind of instrument of this
// scope has is a warning, and what is given is off. Any thread may call anything.
class Meter {
 public:
  struct Options {
    std::string name{};  // in OpenTelemetry's form: "shop.sales"
    std::string unit = "1";
    std::string description{};
    bool integer = false;          // not of a histogram: only whole numbers are counted
    std::vector<double> bounds{};  // of a histogram's buckets, rising; none: default_bounds()
  };

  Meter() = default;  // off: all it gives is off
  Meter(std::shared_ptr<MetricStore> store, std::shared_ptr<Warnings> warnings, std::string scope);

  Counter counter(Options options) const;
  UpDownCounter up_down_counter(Options options) const;
  Histogram histogram(Options options) const;
  // Measured when somebody looks, by calling `measure` on the thread that does, never by two at
  // once, until Telemetry is shut down. What throws is not seen. Several for one gauge tell of it
  // together.
  void gauge(Options options, MetricStore::Measure measure) const;

 private:
  template <class Handle>
  Handle make(InstrumentKind kind, Options options) const;
  InstrumentDescription describe(InstrumentKind kind, Options options) const;
  void tell_taken(const std::string& name) const;

  std::shared_ptr<MetricStore> store_;  // null: off
  std::shared_ptr<Warnings> warnings_;
  std::string scope_;
};

}  // namespace mellea::telemetry
