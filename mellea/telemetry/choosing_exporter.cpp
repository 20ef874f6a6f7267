#include "mellea/telemetry/choosing_exporter.h"

#include <utility>

namespace mellea::telemetry {

ChoosingExporter::ChoosingExporter(std::shared_ptr<SpanExporter> exporter, When when)
    : exporter_(std::move(exporter)), when_(std::move(when)) {}

void ChoosingExporter::export_spans(std::span<const SpanPtr> spans) noexcept {
  for (const SpanPtr& span : spans) {
    try {
      if (!when_(*span)) continue;
    } catch (...) {
      ++lost_;
      continue;
    }
    exporter_->export_spans({&span, 1});
  }
}

}  // namespace mellea::telemetry
