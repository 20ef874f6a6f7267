// What a request to a model and its reply say on a span.
#pragma once

#include <chrono>
#include <span>
#include <string_view>

#include "mellea/hooks/generation_events.h"
#include "mellea/telemetry/content.h"
#include "mellea/telemetry/pricing.h"
#include "mellea/telemetry/span.h"

namespace mellea::telemetry {

// As the conventions tell times.
double seconds(std::chrono::nanoseconds time) noexcept;

// The conventions' word: chat, text_completion, embeddings.
std::string_view operation_name(Request::Kind kind) noexcept;

// client: what answers is somewhere else. internal: it is in this process, or nobody knows it.
SpanKind kind_of(const Target& target) noexcept;

// How the span of a generation or a batch begins; what it was asked is not in it.
void describe(SpanRecord& record, const GenerationPreCall& event);
void describe(SpanRecord& record, const GenerationBatchPreCall& event);

// What it was asked, which is said only by who may.
void show_question(SpanRecord& record, const Target& target, const Request& request,
                   const Content& content);

// What is known of the answer, however it ended, and what it cost; `pricing` null: not that.
void complete(SpanRecord& record, const GenerationPostCall& event, const Pricing* pricing);
void complete(SpanRecord& record, const GenerationError& event, const Pricing* pricing);
void complete(SpanRecord& record, const GenerationBatchPostCall& event, const Pricing* pricing);
void complete(SpanRecord& record, const GenerationBatchError& event, const Pricing* pricing);

// What was said in answer: as many as there are prompts, or one, or none.
std::span<const Reply> replies_of(const GenerationPostCall& event) noexcept;
std::span<const Reply> replies_of(const GenerationError& event) noexcept;
std::span<const Reply> replies_of(const GenerationBatchPostCall& event) noexcept;
std::span<const Reply> replies_of(const GenerationBatchError& event) noexcept;

}  // namespace mellea::telemetry
