#include "mellea/telemetry/otlp_json.h"

#include <utility>

#include "mellea/core/text.h"
#include "mellea/telemetry/hex.h"
#include "mellea/telemetry/otlp.h"
#include "mellea/telemetry/otlp_json_parts.h"

namespace mellea::telemetry {
namespace {

using Json = OtlpJson;

Json events_json(const SpanRecord& span) {
  Json list = Json::array();
  for (const SpanEvent& event : span.events())
    list.push_back({{"timeUnixNano", std::to_string(event.at)},
                    {"name", to_utf8(event.name)},
                    {"attributes", attributes_json(event.attributes)}});
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

Json span_json(const SpanRecord& span) {
  Json json = {{"traceId", hex(span.ids.trace)}, {"spanId", hex(span.ids.span)}};
  if (otlp::has_parent(span)) json["parentSpanId"] = hex(span.parent);
  if (!span.trace_state.empty()) json["traceState"] = to_utf8(span.trace_state);
  json["flags"] = otlp::flags(span);
  json["name"] = to_utf8(span.name);
  json["kind"] = otlp::kind(span);
  json["startTimeUnixNano"] = std::to_string(span.began);
  json["endTimeUnixNano"] = std::to_string(span.ended);
  json["attributes"] = attributes_json(span.attributes());
  if (!span.events().empty()) json["events"] = events_json(span);
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

std::string otlp_json(std::span<const SpanPtr> spans, const Resource& resource) {
  Json libraries = Json::array();
  for (const std::string_view library : otlp::kLibraries) {
    Json list = Json::array();
    for (const SpanPtr& span : spans)
      if (span->library == library) list.push_back(span_json(*span));
    if (list.empty()) continue;
    libraries.push_back({{"scope", scope_json(library, resource)}, {"spans", std::move(list)}});
  }
  Json of_resource = {{"resource", resource_json(resource)}, {"scopeSpans", std::move(libraries)}};
  const Json request = {{"resourceSpans", Json::array({std::move(of_resource)})}};
  return request.dump();
}

}  // namespace mellea::telemetry
