// What callers tell goes on to those who may hear it, and becomes labels.
#pragma once

#include <memory>

#include "mellea/hooks/hook.h"
#include "mellea/telemetry/config.h"
#include "mellea/telemetry/tracer.h"
#include "mellea/telemetry/warnings.h"

namespace mellea::telemetry {

// A request to one of the hosts has `tracestate`, and of `baggage` what may leave, beside the
// `traceparent` that the tracing plugin sends to all; a call has labels of its caller's baggage,
// percent-decoded, 256 code points of each. `tracer` null: nothing is traced. Null if the options
// ask for nothing; what they ask for in vain is a warning.
std::shared_ptr<Plugin> make_propagation_plugin(std::shared_ptr<Tracer> tracer,
                                                const PropagationOptions& options,
                                                Warnings& warnings);

}  // namespace mellea::telemetry
