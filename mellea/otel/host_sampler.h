// Asks the host's sampler.
#pragma once

#include <memory>

#include "mellea/core/scope.h"
#include "mellea/otel/host.h"
#include "mellea/telemetry/span.h"

namespace mellea::otel {

// For telemetry::Sampler::decide. What the host would record without sampling it is not recorded.
class HostSampler {
 public:
  explicit HostSampler(std::shared_ptr<const Host> host);

  bool operator()(telemetry::SpanRecord& beginning, const TraceRef& parent) const;

 private:
  std::shared_ptr<const Host> host_;
};

}  // namespace mellea::otel
