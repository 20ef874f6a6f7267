// Writes each trace as a tree when it is whole.
#pragma once

#include <functional>
#include <mutex>
#include <string_view>
#include <vector>

#include "mellea/telemetry/span_exporter.h"
#include "mellea/telemetry/tree.h"

namespace mellea::telemetry {

// Holds spans back until the one that all others are below has ended. What is held back for too
// long, or has no such span, is written by flush() and shutdown().
class TreeExporter : public SpanExporter {
 public:
  static constexpr std::size_t kMostHeldBack = 10'000;

  // `write` gets a whole tree at a time, on the thread that ended its span: several may come at
  // once.
  TreeExporter(TreeStyle style, std::function<void(std::string_view)> write);

  void export_spans(std::span<const SpanPtr> spans) noexcept override;
  bool flush(Instant until) noexcept override;
  bool shutdown(Instant until) noexcept override { return flush(until); }

 private:
  std::vector<SpanPtr> take_tree_of(const SpanPtr& root);  // with mutex_ held
  void write(const std::vector<SpanPtr>& tree) noexcept;

  const TreeStyle style_;
  const std::function<void(std::string_view)> write_;
  std::mutex mutex_;
  std::vector<SpanPtr> held_back_;  // guarded by mutex_; in the order in which they ended
};

}  // namespace mellea::telemetry
