// Asks the host's sampler.
#pragma once

#include <memory>

#include "mellea/core/scope.h"
#include "mellea/otel/host.h"
#include "mellea/telemetry/span.h"
#include "mellea/telemetry/span_view.h"

namespace mellea::otel {

// For telemetry::Sampler::decide. What the host would record without sampling it is not recorded.
class HostSampler {
 public:
  // The host's sampler is shown what its processors will be: by the names of `view`.
  explicit HostSampler(std::shared_ptr<const Host> host,
                       const telemetry::SpanView& view = telemetry::SpanView());

  bool operator()(telemetry::SpanRecord& beginning, const TraceRef& parent) const;

 private:
  std::shared_ptr<const Host> host_;
  telemetry::SpanView view_;
};

}  // namespace mellea::otel
