#include "mellea/telemetry/otlp_protobuf.h"

#include <protozero/pbf_writer.hpp>

#include "mellea/telemetry/otlp.h"
#include "mellea/telemetry/otlp_pbf.h"

namespace mellea::telemetry {
namespace {

using protozero::pbf_writer;

void add_event(pbf_writer& span, const SpanEvent& event, const SpanView& view) {
  pbf_writer message(span, 11);
  message.add_fixed64(1, static_cast<std::uint64_t>(event.at));
  add_text(message, 2, event.name);
  view.each_attribute(event, [&](std::string_view name, const Value& value) {
    add_attribute(message, 3, name, value);
  });
}

void add_link(pbf_writer& span, const TraceRef& link) {
  pbf_writer message(span, 13);
  add_id(message, 1, link.trace);
  add_id(message, 2, link.span);
  message.add_fixed32(6, otlp::link_flags(link));
}

void add_status(pbf_writer& span, const SpanRecord& record) {
  pbf_writer message(span, 15);
  if (!record.description.empty()) add_text(message, 2, record.description);
  message.add_enum(3, otlp::kStatusError);
}

std::string span_bytes(const SpanRecord& record, const SpanView& view) {
  std::string bytes;
  pbf_writer span(bytes);
  add_id(span, 1, record.ids.trace);
  add_id(span, 2, record.ids.span);
  if (!record.trace_state.empty()) add_text(span, 3, record.trace_state);
  if (otlp::has_parent(record)) add_id(span, 4, record.parent);
  add_text(span, 5, record.name);
  span.add_enum(6, otlp::kind(record));
  span.add_fixed64(7, static_cast<std::uint64_t>(record.began));
  span.add_fixed64(8, static_cast<std::uint64_t>(record.ended));
  view.each_attribute(record, [&](std::string_view name, const Value& value) {
    add_attribute(span, 9, name, value);
  });
  for (const SpanEvent& event : record.events()) add_event(span, event, view);
  if (record.dropped_events() != 0) span.add_uint32(12, record.dropped_events());
  for (const TraceRef& link : record.links()) add_link(span, link);
  if (record.status == SpanStatus::error) add_status(span, record);
  span.add_fixed32(16, otlp::flags(record));
  return bytes;
}

}  // namespace

std::vector<std::string> otlp_protobuf(std::span<const SpanPtr> spans, const Resource& resource,
                                       std::size_t most_bytes, const SpanView& view) {
  OtlpRequests requests(resource, most_bytes, view.vocabularies().schema_url());
  for (const SpanPtr& span : spans) requests.add(span->library, span_bytes(*span, view));
  return requests.take();
}

}  // namespace mellea::telemetry
