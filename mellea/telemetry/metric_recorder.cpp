#include "mellea/telemetry/metric_recorder.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "mellea/core/text.h"

namespace mellea::telemetry {
namespace {

bool is_ours(std::string_view key) {
  const auto has = [&](std::span<const Key> keys) {
    return std::any_of(keys.begin(), keys.end(),
                       [&](const Key& one) { return name_of(one) == key; });
  };
  const auto table = metric_table();
  return has(more_labels()) ||
         std::any_of(table.begin(), table.end(), [&](const auto& row) { return has(row.labels); });
}

}  // namespace

std::vector<std::string> possible_labels(const std::vector<std::string>& keys, Warnings& warnings) {
  std::vector<std::string> possible;
  for (const std::string& key : keys) {
    if (std::find(possible.begin(), possible.end(), key) != possible.end()) continue;
    if (is_ours(key))
      warnings.add("metrics have a label " + key + " of their own: the program's is left out");
    else if (possible.size() == kMostOwnLabels)
      warnings.add("metrics have " + std::to_string(kMostOwnLabels) +
                   " labels of the program's at most: " + one_line(key, 100) + " is left out");
    else
      possible.push_back(key);
  }
  return possible;
}

void LabelList::add(const Key& key, const LabelValue& value) {
  if (table_ && size_ < refs_.size()) refs_[size_++] = table_->kept({key, value}, most_values(key));
}

LabelList LabelList::with(const Key& key, const LabelValue& value) const {
  LabelList more = *this;
  more.add(key, value);
  return more;
}

MetricRecorder::MetricRecorder(std::shared_ptr<MetricStore> store, Vocabulary vocabulary,
                               std::vector<std::string> labels)
    : store_(std::move(store)), vocabulary_(vocabulary), program_labels_(std::move(labels)) {
  for (const MetricRow& row : metric_table()) {
    auto description = description_of(row.metric, vocabulary);
    const bool recorded = description && row.metric < Metric::spans_exported;
    instruments_.push_back(recorded ? store_->instrument(std::move(*description)) : nullptr);
  }
}

LabelList MetricRecorder::labels(const Scope& scope) const {
  LabelList list(working() ? &store_->labels() : nullptr);
  if (program_labels_.empty() || !working()) return list;
  const Labels& all = scope.labels();
  for (const std::string& key : program_labels_)
    if (const auto found = all.find(key); found != all.end())
      std::visit(
          [&](const auto& value) {
            if constexpr (std::is_same_v<decltype(value), const std::string&>)
              list.add(std::string_view(key), std::string_view(value));
            else
              list.add(std::string_view(key), value);
          },
          found->second);
  return list;
}

void MetricRecorder::record(Metric metric, double value, const LabelList& labels,
                            const TraceRef& trace) const noexcept {
  if (!working()) return;
  if (MetricInstrument* instrument = at(metric)) instrument->record(value, labels.refs(), trace);
}

void MetricRecorder::observe(Metric metric, MetricStore::Measure measure) const {
  if (auto description = description_of(metric, vocabulary_))
    store_->observe(std::move(*description), std::move(measure));
}

}  // namespace mellea::telemetry
