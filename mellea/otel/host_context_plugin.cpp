#include "mellea/otel/host_context_plugin.h"

#include <opentelemetry/baggage/baggage_context.h>
#include <opentelemetry/context/runtime_context.h>
#include <opentelemetry/trace/context.h>
#include <opentelemetry/trace/default_span.h>

#include <utility>

#include "mellea/otel/values.h"
#include "mellea/telemetry/logger.h"

namespace mellea::otel {
namespace {

namespace nostd = opentelemetry::nostd;
using opentelemetry::context::Context;
using opentelemetry::context::RuntimeContext;

// What a context is while this lives. Made and destroyed in one thread, the last first.
class Current {
 public:
  explicit Current(const Context& context) : token_(RuntimeContext::Attach(context)) {}

 private:
  nostd::unique_ptr<opentelemetry::context::Token> token_;
};

// Without what is not the host's to know: our own span is no caller.
void find_caller(CallBegin& event) {
  if (event.origin) return;
  const Context context = RuntimeContext::GetCurrent();
  const auto span = opentelemetry::trace::GetSpan(context)->GetContext();
  const TraceRef ids = to_ids(span);
  const bool in_ours = span.IsValid() && ids == event.scope.trace();
  Origin origin{.baggage = opentelemetry::baggage::GetBaggage(context)->ToHeader()};
  if (span.IsValid()) {
    origin.traceparent = ids.traceparent();
    origin.tracestate = span.trace_state()->ToHeader();
  }
  if (in_ours || origin == Origin()) return;
  event.origin = std::make_shared<const Origin>(std::move(origin));
}

void make_current(UserCodeBegin& event) {
  const TraceRef place = telemetry::place_of(event.scope);
  if (!place) return;
  const Origin* const origin = event.scope.nearest_origin();
  const bool same_trace =
      origin && TraceRef::from_traceparent(origin->traceparent).trace == place.trace;
  Context context = RuntimeContext::GetCurrent();
  // On a thread of ours nobody has set it.
  if (origin && !origin->baggage.empty() && !context.HasKey(opentelemetry::baggage::kBaggageHeader))
    context = opentelemetry::baggage::SetBaggage(
        context, opentelemetry::baggage::Baggage::FromHeader(to_nostd(origin->baggage)));
  const nostd::shared_ptr<opentelemetry::trace::Span> span(new opentelemetry::trace::DefaultSpan(
      to_context(place, same_trace ? std::string_view(origin->tracestate) : std::string_view())));
  event.held.push_back(std::make_shared<Current>(opentelemetry::trace::SetSpan(context, span)));
}

class HostContextPlugin final : public Plugin {
 public:
  std::string_view name() const override { return "otel_host_context"; }

  void subscribe(Subscriber& hooks) override {
    hooks.transform<CallBegin>(find_caller, {.priority = kTelemetryPriority});
    hooks.transform<UserCodeBegin>(make_current, {.priority = kTelemetryPriority});
  }
};

}  // namespace

std::shared_ptr<Plugin> make_host_context_plugin() { return std::make_shared<HostContextPlugin>(); }

}  // namespace mellea::otel
