// The labels of metrics: each exists once, so that sets of them are compared by address.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <tuple>

#include "mellea/core/fork.h"
#include "mellea/telemetry/metric.h"
#include "mellea/telemetry/metric_table.h"

namespace mellea::telemetry {

// A label that is kept. Lives as long as its LabelTable.
struct KeptLabel {
  std::size_t hash = 0;
  Attribute attribute{};  // views what follows
  std::string key{};      // empty: a fact
  std::string text{};
};
using LabelRef = const KeptLabel*;

// No key has more values than it is allowed: those that come later are "other" of that key. Any
// thread may call anything. In a child of fork() nothing is kept any more.
class LabelTable {
 public:
  static constexpr std::size_t kMostValues = 1'000;  // of a program's own key

  // Never null. What is no UTF-8 in a text is replaced, and what is longer than 200 code points
  // cut off.
  LabelRef kept(const MetricLabel& label, std::size_t most = kMostValues);

 private:
  LabelRef find(const MetricLabel& label, std::size_t hash) const noexcept;
  LabelRef add(const MetricLabel& label, std::size_t hash);

  const ForkMark fork_;
  const KeptLabel none_{};  // for what is not kept
  MetricTable<KeptLabel> table_;
  std::mutex mutex_;
  // By key and what it is allowed, so that a program's key is not taken for ours; guarded by
  // mutex_.
  std::map<std::tuple<std::size_t, std::string, std::size_t>, std::size_t> counts_;
};

}  // namespace mellea::telemetry
