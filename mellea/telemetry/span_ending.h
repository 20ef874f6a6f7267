// How the end of an operation stands on its span.
#pragma once

#include <string_view>

#include "mellea/core/request.h"
#include "mellea/hooks/event.h"
#include "mellea/telemetry/error_text.h"
#include "mellea/telemetry/tracer.h"

namespace mellea::telemetry {

// Sets what every span says at its start: the program's labels.
void set_labels(SpanRecord& record, const Labels& labels);

// Sets status and outcome, and ends the span. A failure's error.type is its category, unless the
// span has one. A failure stands with its details on the innermost
// span alone: those around it have status and error.type. No text of a provider, of a plugin or of
// the program gets here but words from closed lists, ids, the name of the plugin that blocked, and
// what the tracer's ErrorText lets through. `request`: what failed, where that is known.
void end_span(Tracer& tracer, const Scope& scope, Tracer::Taken span, const Ending& ending,
              const Request* request = nullptr);

// The same on a record that no tracer knows: status, outcome and details, no end.
void set_ending(SpanRecord& record, const Ending& ending, const ErrorText& errors,
                const Request* request);

// How an operation ended that went well until a plugin stopped its closing event.
Ending stopped_ending(const Block& block, Instant at);

// What stands for the error's category where a requirement ended a stream.
inline constexpr std::string_view kRequirementFailed = "requirement_failed";
void end_span_unmet(Tracer& tracer, Tracer::Taken span, Instant at);

// Of what a provider says of a failure, what may be shown: its word for it if that is one we know,
// else `other`; the request's id if it looks like one, else nothing.
std::string_view shown_provider_code(std::string_view code) noexcept;
std::string_view shown_request_id(std::string_view id) noexcept;

// What a program may call its reasons, so that they may be shown: [a-z0-9_]{1,40}.
bool is_code(std::string_view text) noexcept;
// What servers call requests and sessions: 128 letters, digits and marks of URLs at most.
bool is_foreign_id(std::string_view text) noexcept;

}  // namespace mellea::telemetry
