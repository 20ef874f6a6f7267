#include "mellea/telemetry/memory_exporter.h"

#include <utility>

namespace mellea::telemetry {

void MemoryExporter::export_spans(std::span<const SpanPtr> spans) noexcept {
  const std::lock_guard lock(mutex_);
  for (const SpanPtr& span : spans) {
    if (spans_.size() < most_)
      spans_.push_back(span);
    else
      ++dropped_;
  }
}

std::vector<SpanPtr> MemoryExporter::spans() const {
  const std::lock_guard lock(mutex_);
  return spans_;
}

std::vector<SpanPtr> MemoryExporter::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(spans_, {});
}

}  // namespace mellea::telemetry
