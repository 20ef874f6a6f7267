// Metrics as values: what is measured, and what was measured when somebody looked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "mellea/core/scope.h"
#include "mellea/telemetry/span.h"

namespace mellea::telemetry {

enum class InstrumentKind : std::uint8_t {
  counter,          // only ever grows
  up_down_counter,  // a sum that may shrink
  histogram,        // how often which values
  gauge,            // what is so at the moment; only by MetricStore::observe()
};

struct InstrumentDescription {
  std::string name{};  // in OpenTelemetry's form: "mellea.tool.calls"
  InstrumentKind kind = InstrumentKind::counter;
  std::string unit = "1";  // UCUM; what is counted in braces: "{call}", "s", "By"
  std::string description{};
  bool integer = true;                   // its values are whole numbers; histograms sum up any
  std::vector<double> bounds{};          // of a histogram's buckets, upper and inclusive, rising
  std::string scope = "mellea.metrics";  // whose instrument it is

  friend bool operator==(const InstrumentDescription&, const InstrumentDescription&) = default;
};

// What a program's own histograms have if it names none: the default of OpenTelemetry's SDKs.
std::vector<double> default_bounds();

using LabelValue = std::variant<std::string_view, std::int64_t, double, bool>;
struct MetricLabel {
  Key key{};
  LabelValue value{};
};

// The order of a program's labels does not count: they stand in that of their names.
void sort_by_name(std::span<MetricLabel> labels) noexcept;

// One of the values in a sum, and the span in which it was measured.
struct Exemplar {
  double value = 0;
  std::int64_t at = 0;  // ns since 1970; 0: there is none
  TraceRef trace{};
};

struct HistogramValue {
  std::vector<std::uint64_t> counts{};  // one a bucket, the last for what is above all bounds
  double sum = 0;
  std::optional<double> least{};  // of all that was recorded: nothing if that is not known
  std::optional<double> most{};

  std::uint64_t count() const noexcept;
};

// One set of labels and what was measured with it.
struct MetricPoint {
  std::uint64_t series = 0;  // the same at each look; of one instrument
  std::span<const Attribute> labels{};
  std::variant<std::int64_t, double, HistogramValue> value{};
  std::vector<Exemplar> exemplars{};
  std::int64_t since = 0;  // ns since 1970: what is summed up came after this
};

struct MetricData {
  std::shared_ptr<const InstrumentDescription> instrument{};
  bool delta = false;     // the sums are of what came since the look before
  bool observed = false;  // measured at the look, by MetricStore::observe()
  std::vector<MetricPoint> points{};
};

// All that somebody saw at one look.
struct MetricBatch {
  std::int64_t at = 0;  // ns since 1970
  std::vector<MetricData> metrics{};
  std::shared_ptr<const void> owner{};  // of what the labels view

  std::size_t points() const noexcept;
};

}  // namespace mellea::telemetry
