#include "mellea/otel/host_sampler.h"

#include <opentelemetry/sdk/trace/sampler.h>

#include <string>
#include <utility>

#include "mellea/otel/values.h"

namespace mellea::otel {

HostSampler::HostSampler(std::shared_ptr<const Host> host, const telemetry::SpanView& view)
    : host_(std::move(host)), view_(view) {}

bool HostSampler::operator()(telemetry::SpanRecord& beginning, const TraceRef& parent) const {
  const auto context = to_context(beginning.ids);
  const auto result = host_->tracer().GetSampler().ShouldSample(
      to_context(parent, beginning.trace_state), context.trace_id(), to_nostd(beginning.name),
      beginning.kind == telemetry::SpanKind::client ? opentelemetry::trace::SpanKind::kClient
                                                    : opentelemetry::trace::SpanKind::kInternal,
      Attributes(beginning, view_), Links(beginning.links()));
  if (result.decision != opentelemetry::sdk::trace::Decision::RECORD_AND_SAMPLE) return false;
  if (result.attributes)
    for (const auto& [key, value] : *result.attributes) add_attribute(beginning, key, value);
  if (result.trace_state) beginning.trace_state = beginning.kept(result.trace_state->ToHeader());
  return true;
}

}  // namespace mellea::otel
