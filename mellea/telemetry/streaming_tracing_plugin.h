// Traces each stream: an answer that is cut into chunks and checked while it comes in.
#pragma once

#include <memory>

#include "mellea/hooks/hook.h"
#include "mellea/telemetry/content.h"
#include "mellea/telemetry/tracer.h"

namespace mellea::telemetry {

// One span "stream" for each. Its chunks and checks are events on it, without their text. It is an
// error where a requirement ended it; leaving early is none.
std::shared_ptr<Plugin> make_streaming_tracing_plugin(std::shared_ptr<Tracer> tracer,
                                                      std::shared_ptr<const Content> content);

}  // namespace mellea::telemetry
