#include "mellea/otel/host_exporter.h"

#include <opentelemetry/common/timestamp.h>
#include <opentelemetry/sdk/trace/processor.h>
#include <opentelemetry/sdk/trace/recordable.h>

#include <chrono>
#include <utility>

#include "mellea/core/text.h"
#include "mellea/otel/values.h"

namespace mellea::otel {
namespace {

using opentelemetry::sdk::trace::Recordable;
using std::chrono::microseconds;
using std::chrono::nanoseconds;

opentelemetry::common::SystemTimestamp to_time(std::int64_t ns_since_1970) {
  return opentelemetry::common::SystemTimestamp(nanoseconds(ns_since_1970));
}

// What the SDK's own spans say before the processors are told of their start.
void write_start(const telemetry::SpanRecord& span, const telemetry::SpanView& view,
                 opentelemetry::sdk::trace::Tracer& tracer, Recordable& to) {
  to.SetName(to_nostd(to_utf8(span.name)));
  to.SetInstrumentationScope(tracer.GetInstrumentationScope());
  to.SetIdentity(to_context(span.ids, span.trace_state), to_span_id(span.parent));
  to.SetTraceFlags(opentelemetry::trace::TraceFlags(span.ids.flags));
  Attributes(span, view).ForEachKeyValue([&](auto key, auto value) {
    to.SetAttribute(key, value);
    return true;
  });
  Links(span.links()).ForEachKeyValue([&](auto context, const auto& attributes) {
    to.AddLink(context, attributes);
    return true;
  });
  to.SetSpanKind(span.kind == telemetry::SpanKind::client
                     ? opentelemetry::trace::SpanKind::kClient
                     : opentelemetry::trace::SpanKind::kInternal);
  to.SetStartTime(to_time(span.began));
  to.SetResource(tracer.GetResource());
}

void write_end(const telemetry::SpanRecord& span, const telemetry::SpanView& view, Recordable& to) {
  for (const telemetry::SpanEvent& event : span.events())
    to.AddEvent(to_nostd(event.name), to_time(event.at), Attributes(event, view));
  if (span.status == telemetry::SpanStatus::error)
    to.SetStatus(opentelemetry::trace::StatusCode::kError, to_nostd(to_utf8(span.description)));
  to.SetDuration(nanoseconds(span.ended - span.began));
}

// Of the parent we know no more than the span does.
opentelemetry::trace::SpanContext parent_of(const telemetry::SpanRecord& span) {
  if (span.parent == decltype(span.parent){})
    return opentelemetry::trace::SpanContext::GetInvalid();
  TraceRef parent = span.ids;
  parent.span = span.parent;
  return to_context(parent, span.trace_state);
}

}  // namespace

HostExporter::HostExporter(std::shared_ptr<const Host> host, const telemetry::SpanView& view)
    : host_(std::move(host)), view_(view) {}

void HostExporter::export_spans(std::span<const telemetry::SpanPtr> spans) noexcept {
  if (closed_.load(std::memory_order_acquire)) return;
  for (const telemetry::SpanPtr& span : spans) give(*span);
}

void HostExporter::give(const telemetry::SpanRecord& span) const noexcept {
  opentelemetry::sdk::trace::Tracer& tracer = host_->tracer(span.library);
  opentelemetry::sdk::trace::SpanProcessor& processor = tracer.GetProcessor();
  std::unique_ptr<Recordable> recordable = processor.MakeRecordable();
  if (!recordable) return;
  write_start(span, view_, tracer, *recordable);
  processor.OnStart(*recordable, parent_of(span));
  write_end(span, view_, *recordable);
  processor.OnEnd(std::move(recordable));
}

bool HostExporter::flush(Instant until) noexcept {
  // Zero means for ever there.
  const auto left = std::chrono::floor<microseconds>(until - Instant::clock::now());
  return left > microseconds::zero() && host_->tracer().GetProcessor().ForceFlush(left);
}

bool HostExporter::shutdown(Instant) noexcept {
  closed_.store(true, std::memory_order_release);
  return true;
}

}  // namespace mellea::otel
