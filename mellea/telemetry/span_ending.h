// How the end of an operation stands on its span.
#pragma once

#include "mellea/hooks/event.h"
#include "mellea/telemetry/tracer.h"

namespace mellea::telemetry {

// Sets what every span says at its start: the program's labels.
void set_labels(SpanRecord& record, const Labels& labels);

// Sets status and outcome, and ends the span. A failure stands with its details on the innermost
// span alone: those around it have status and error.type. No text of a provider, of a plugin or of
// the program gets here but words from closed lists, ids, and the name of the plugin that blocked.
void end_span(Tracer& tracer, const Scope& scope, Tracer::Taken span, const Ending& ending);

}  // namespace mellea::telemetry
