// Our spans through mellea::otel, to a host's opentelemetry-cpp that keeps them in memory.
#pragma once

#include <memory>

#include "mellea/hooks/hook.h"

namespace mellea::bench {

class BridgedSpans {
 public:
  virtual ~BridgedSpans() = default;
  virtual Plugins plugins() const = 0;
  virtual void clear() = 0;  // forgets what was exported
};

// Null where mellea::otel was not built.
std::unique_ptr<BridgedSpans> bridged_spans();

}  // namespace mellea::bench
