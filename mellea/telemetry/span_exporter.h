// Where ended spans go.
#pragma once

#include <cstdint>
#include <span>

#include "mellea/core/reply.h"
#include "mellea/telemetry/span.h"

namespace mellea::telemetry {

// Any thread may call anything, several at once. Nothing throws: what goes wrong is the exporter's
// to count and to tell.
class SpanExporter {
 public:
  virtual ~SpanExporter() = default;

  // Each ended span comes here once. On the thread that ended it, so it should not take long: what
  // may take long goes behind a BatchProcessor.
  virtual void export_spans(std::span<const SpanPtr> spans) noexcept = 0;

  // Returns by `until`; false if that was too early for what came before, or some of it was lost
  // meanwhile.
  virtual bool flush(Instant until) noexcept = 0;
  // The same for the last time; false if anything was ever lost. Then spans are ignored.
  virtual bool shutdown(Instant until) noexcept = 0;
  // How many spans it lost so far; 0 if it does not count them.
  virtual std::int64_t lost() const noexcept { return 0; }
};

}  // namespace mellea::telemetry
