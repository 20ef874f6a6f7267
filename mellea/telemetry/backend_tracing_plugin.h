// Traces each generation and each batch.
#pragma once

#include <memory>

#include "mellea/hooks/hook.h"
#include "mellea/telemetry/content.h"
#include "mellea/telemetry/pricing.h"
#include "mellea/telemetry/tracer.h"

namespace mellea::telemetry {

// One span "chat {model}" (or "text_completion {model}", "embeddings {model}") for each, with what
// was asked and what is known of the answer, and words of either only with `content`, which is
// never null; retries are events on it.
// Hands the span's ids to the provider in `traceparent`. Each chunk is an event too if
// `chunk_events`. `pricing` null: the span does not say what it cost.
std::shared_ptr<Plugin> make_backend_tracing_plugin(std::shared_ptr<Tracer> tracer,
                                                    bool chunk_events,
                                                    std::shared_ptr<const Pricing> pricing,
                                                    std::shared_ptr<const Content> content);

}  // namespace mellea::telemetry
