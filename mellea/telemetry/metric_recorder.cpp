#include "mellea/telemetry/metric_recorder.h"

#include <type_traits>
#include <utility>

namespace mellea::telemetry {

void LabelList::add(const Key& key, const LabelValue& value) {
  if (size_ < refs_.size()) refs_[size_++] = table_->kept({key, value}, most_values(key));
}

LabelList LabelList::with(const Key& key, const LabelValue& value) const {
  LabelList more = *this;
  more.add(key, value);
  return more;
}

MetricRecorder::MetricRecorder(std::shared_ptr<MetricStore> store, MetricVocabulary vocabulary,
                               std::vector<std::string> labels)
    : store_(std::move(store)), vocabulary_(vocabulary), program_labels_(std::move(labels)) {
  for (const MetricRow& row : metric_table()) {
    auto description = description_of(row.metric, vocabulary);
    const bool recorded = description && row.metric < Metric::spans_exported;
    instruments_.push_back(recorded ? store_->instrument(std::move(*description)) : nullptr);
  }
}

LabelList MetricRecorder::labels(const Scope& scope) const {
  LabelList list(store_->labels());
  if (program_labels_.empty()) return list;
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
  if (MetricInstrument* instrument = at(metric)) instrument->record(value, labels.refs(), trace);
}

void MetricRecorder::observe(Metric metric, MetricStore::Measure measure) const {
  if (auto description = description_of(metric, vocabulary_))
    store_->observe(std::move(*description), std::move(measure));
}

}  // namespace mellea::telemetry
