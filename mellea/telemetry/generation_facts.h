// What a request to a model and its reply say on a span.
#pragma once

#include <chrono>
#include <string_view>

#include "mellea/hooks/generation_events.h"
#include "mellea/telemetry/span.h"

namespace mellea::telemetry {

// As the conventions tell times.
double seconds(std::chrono::nanoseconds time) noexcept;

// The conventions' word: chat, text_completion, embeddings.
std::string_view operation_name(Request::Kind kind) noexcept;

// client: what answers is somewhere else. internal: it is in this process, or nobody knows it.
SpanKind kind_of(const Target& target) noexcept;

void set_request(SpanRecord& record, const Target& target, const Request& request);
void set_reply(SpanRecord& record, const Reply& reply);
void set_usage(SpanRecord& record, const Usage& usage);
void set_effort(SpanRecord& record, const Effort& effort, bool streamed);

}  // namespace mellea::telemetry
