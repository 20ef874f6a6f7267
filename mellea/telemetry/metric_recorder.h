// How metrics plugins record.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/core/scope.h"
#include "mellea/telemetry/metric_names.h"
#include "mellea/telemetry/metric_store.h"
#include "mellea/telemetry/warnings.h"

namespace mellea::telemetry {

// As many of a program's labels may stand on our metrics.
inline constexpr std::size_t kMostOwnLabels = 12;

// Of the keys that a program wants on our metrics those that can be: each once, and none that is
// ours. What is left out is a warning.
std::vector<std::string> possible_labels(const std::vector<std::string>& keys, Warnings& warnings);

// A few labels. Used by one thread at a time; made anew for each operation.
class LabelList {
 public:
  // Null: none is kept.
  explicit LabelList(LabelTable* table) : table_(table) {}

  // Beyond the most that any metric has, they are left out.
  void add(const Key& key, const LabelValue& value);
  LabelList with(const Key& key, const LabelValue& value) const;

  std::span<const LabelRef> refs() const noexcept { return std::span(refs_).first(size_); }

 private:
  LabelTable* table_;
  std::array<LabelRef, kMostOwnLabels + 12> refs_{};  // no metric of ours has more than 12
  std::size_t size_ = 0;
};

// Shared by the metrics plugins, which outlive Telemetry: nothing is recorded after it, nor in a
// child of fork(). Any thread may call anything.
class MetricRecorder {
 public:
  // `labels` are keys of the program's, as possible_labels() gives them.
  MetricRecorder(std::shared_ptr<MetricStore> store, Vocabulary vocabulary,
                 std::vector<std::string> labels);

  bool working() const noexcept { return store_->working(); }
  bool is_mellea() const noexcept { return vocabulary_ == Vocabulary::mellea; }
  bool has(Metric metric) const noexcept { return at(metric) != nullptr; }

  // With those of the program's that stand in `scope`.
  LabelList labels(const Scope& scope) const;
  // Nothing happens where the vocabulary has no such metric.
  void record(Metric metric, double value, const LabelList& labels,
              const TraceRef& trace = {}) const noexcept;
  // A metric of how things are, measured when somebody looks.
  void observe(Metric metric, MetricStore::Measure measure) const;

 private:
  MetricInstrument* at(Metric metric) const noexcept {
    return instruments_[static_cast<std::size_t>(metric)];
  }

  const std::shared_ptr<MetricStore> store_;
  const Vocabulary vocabulary_;
  const std::vector<std::string> program_labels_;
  std::vector<MetricInstrument*> instruments_;  // null: not in the vocabulary
};

}  // namespace mellea::telemetry
