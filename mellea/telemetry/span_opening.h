// How a tracing plugin follows operations of one kind: each beginning opens a span, each end
// completes and ends it.
#pragma once

#include <memory>
#include <utility>

#include "mellea/hooks/hook.h"
#include "mellea/telemetry/content.h"
#include "mellea/telemetry/span_ending.h"
#include "mellea/telemetry/tracer.h"

namespace mellea::telemetry {

// Opens the span of the operation that begins with `event`. `describe(record, event)` names it and
// says what is known at its start. Returns its ids: zero if nothing is traced any more.
template <class Opening, class Describe>
TraceRef open_span(Tracer& tracer, const Opening& event, Describe&& describe) {
  Tracer::Started started = tracer.start(event.scope, event.at, event.trace);
  if (!started.record) return started.ids;
  describe(*started.record, event);
  set_labels(*started.record, event.scope.labels());
  if (tracer.decide(started)) tracer.keep(event.scope.id(), std::move(started.record));
  return started.ids;
}

// For a beginning whose transforms a stop has skipped.
template <class Opening, class Describe>
void open_missing_span(Tracer& tracer, const Opening& event, Describe&& describe) {
  if (!event.trace && !tracer.knows(event.scope.id())) open_span(tracer, event, describe);
}

// Subscribes to the beginnings. The span opens in a transform, so that it shows what is really
// done; where a stop has skipped that, it opens when the stop is told.
template <class Opening, class Describe>
void open_spans(Subscriber& hooks, const std::shared_ptr<Tracer>& tracer, How how,
                const Describe& describe) {
  hooks.transform<Opening>(
      [tracer, describe](Opening& event) { event.trace = open_span(*tracer, event, describe); },
      how);
  hooks.observe<Opening>(
      [tracer, describe](const Opening& event) { open_missing_span(*tracer, event, describe); },
      how);
}

// `say(record, event, content)` as what describes or completes a span: for those that may show what
// was said. `content` is never null.
template <class Event>
auto showing(std::shared_ptr<const Content> content,
             void (*say)(SpanRecord&, const Event&, const Content&)) {
  return [content = std::move(content), say](SpanRecord& record, const Event& event) {
    say(record, event, *content);
  };
}

template <class Closing>
Ending ending_of(const Closing& event) {
  if constexpr (StoppableEvent<Closing>)
    if (event.stopped) return stopped_ending(*event.stopped, event.ending.at);
  return event.ending;
}

// Subscribes to the ends. `complete` says what has become known.
template <class Closing, class Complete>
void close_spans(Subscriber& hooks, const std::shared_ptr<Tracer>& tracer, How how,
                 const Complete& complete) {
  hooks.observe<Closing>(
      [tracer, complete](const Closing& event) {
        const Scope& scope = event.opening->scope;
        Tracer::Taken span = tracer->take(scope.id());
        if (!span.record) return;
        complete(*span.record, event);
        end_span(*tracer, scope, std::move(span), ending_of(event));
      },
      how);
}

template <class Closing>
void close_spans(Subscriber& hooks, const std::shared_ptr<Tracer>& tracer, How how) {
  close_spans<Closing>(hooks, tracer, how, [](SpanRecord&, const Closing&) {});
}

}  // namespace mellea::telemetry
