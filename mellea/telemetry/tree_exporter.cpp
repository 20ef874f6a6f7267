#include "mellea/telemetry/tree_exporter.h"

#include <algorithm>
#include <set>
#include <utility>

namespace mellea::telemetry {
namespace {

bool is_local_root(const SpanRecord& span) {
  return span.remote_parent || span.parent == decltype(span.parent){};
}

}  // namespace

TreeExporter::TreeExporter(TreeStyle style, std::function<void(std::string_view)> write)
    : style_(style), write_(std::move(write)) {}

void TreeExporter::export_spans(std::span<const SpanPtr> spans) noexcept {
  for (const SpanPtr& span : spans) {
    std::vector<SpanPtr> tree;
    {
      const std::lock_guard lock(mutex_);
      held_back_.push_back(span);
      if (is_local_root(*span))
        tree = take_tree_of(span);
      else if (held_back_.size() >= kMostHeldBack)
        tree = std::exchange(held_back_, {});
    }
    write(tree);
  }
}

// Spans end after those below them, so one look backwards finds them all.
std::vector<SpanPtr> TreeExporter::take_tree_of(const SpanPtr& root) {
  std::set<std::array<std::uint8_t, 8>> inside{root->ids.span};
  std::vector<SpanPtr> tree;
  for (auto at = held_back_.rbegin(); at != held_back_.rend(); ++at) {
    const SpanRecord& span = **at;
    if (*at != root && (span.ids.trace != root->ids.trace || !inside.contains(span.parent)))
      continue;
    inside.insert(span.ids.span);
    tree.push_back(std::move(*at));
  }
  std::erase(held_back_, nullptr);
  return tree;
}

bool TreeExporter::flush(Instant) noexcept {
  std::vector<SpanPtr> all;
  {
    const std::lock_guard lock(mutex_);
    all = std::exchange(held_back_, {});
  }
  write(all);
  return true;
}

void TreeExporter::write(const std::vector<SpanPtr>& tree) noexcept {
  if (tree.empty()) return;
  try {
    write_(render_tree(tree, style_));
  } catch (...) {  // NOLINT: a tree that can't be shown harms nothing
  }
}

}  // namespace mellea::telemetry
