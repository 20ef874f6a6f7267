#include "mellea/telemetry/otlp_json.h"

#include <utility>

#include "mellea/core/text.h"
#include "mellea/telemetry/hex.h"
#include "mellea/telemetry/otlp.h"
#include "mellea/telemetry/otlp_json_parts.h"

namespace mellea::telemetry {
namespace {

using Json = OtlpJson;

Json shown_json(const auto& carrier, const SpanView& view) {
  Json list = Json::array();
  view.each_attribute(carrier, [&](std::string_view name, const Value& value) {
    list.push_back(attribute_json(name, value));
  });
  return list;
}

Json events_json(const SpanRecord& span, const SpanView& view) {
  Json list = Json::array();
  for (const SpanEvent& event : span.events())
    list.push_back({{"timeUnixNano", std::to_string(event.at)},
                    {"name", to_utf8(event.name)},
                    {"attributes", shown_json(event, view)}});
  return list;
}

Json links_json(const SpanRecord& span) {
  Json list = Json::array();
  for (const TraceRef& link : span.links())
    list.push_back({{"traceId", hex(link.trace)},
                    {"spanId", hex(link.span)},
                    {"flags", otlp::link_flags(link)}});
  return list;
}

Json span_json(const SpanRecord& span, const SpanView& view) {
  Json json = {{"traceId", hex(span.ids.trace)}, {"spanId", hex(span.ids.span)}};
  if (otlp::has_parent(span)) json["parentSpanId"] = hex(span.parent);
  if (!span.trace_state.empty()) json["traceState"] = to_utf8(span.trace_state);
  json["flags"] = otlp::flags(span);
  json["name"] = to_utf8(span.name);
  json["kind"] = otlp::kind(span);
  json["startTimeUnixNano"] = std::to_string(span.began);
  json["endTimeUnixNano"] = std::to_string(span.ended);
  json["attributes"] = shown_json(span, view);
  if (!span.events().empty()) json["events"] = events_json(span, view);
  if (span.dropped_events() != 0) json["droppedEventsCount"] = span.dropped_events();
  if (!span.links().empty()) json["links"] = links_json(span);
  json["status"] = Json::object();
  if (span.status == SpanStatus::error) {
    json["status"]["code"] = otlp::kStatusError;
    if (!span.description.empty()) json["status"]["message"] = to_utf8(span.description);
  }
  return json;
}

}  // namespace

std::string otlp_json(std::span<const SpanPtr> spans, const Resource& resource,
                      const SpanView& view) {
  const std::string_view schema_url = view.vocabularies().schema_url();
  Json libraries = Json::array();
  for (const std::string_view library : otlp::kLibraries) {
    Json list = Json::array();
    for (const SpanPtr& span : spans)
      if (span->library == library) list.push_back(span_json(*span, view));
    if (list.empty()) continue;
    Json of_library = {{"scope", scope_json(library, resource)}, {"spans", std::move(list)}};
    if (!schema_url.empty()) of_library["schemaUrl"] = schema_url;
    libraries.push_back(std::move(of_library));
  }
  Json of_resource = {{"resource", resource_json(resource)}, {"scopeSpans", std::move(libraries)}};
  const Json request = {{"resourceSpans", Json::array({std::move(of_resource)})}};
  return request.dump();
}

}  // namespace mellea::telemetry
