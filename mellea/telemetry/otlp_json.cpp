#include "mellea/telemetry/otlp_json.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "mellea/core/text.h"
#include "mellea/telemetry/hex.h"
#include "mellea/telemetry/otlp.h"

namespace mellea::telemetry {
namespace {

using Json = nlohmann::ordered_json;

Json text_value(std::string_view text) { return {{"stringValue", to_utf8(text)}}; }

// As protobuf's JSON has it.
Json number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

struct ToJson {
  Json operator()(std::string_view text) const { return text_value(text); }
  Json operator()(std::int64_t value) const { return {{"intValue", std::to_string(value)}}; }
  Json operator()(double value) const { return {{"doubleValue", number(value)}}; }
  Json operator()(bool value) const { return {{"boolValue", value}}; }
  Json operator()(std::span<const std::string_view> texts) const {
    Json values = Json::array();
    for (const std::string_view text : texts) values.push_back(text_value(text));
    return {{"arrayValue", {{"values", std::move(values)}}}};
  }
};

Json attribute(std::string_view key, Json value) {
  return {{"key", to_utf8(key)}, {"value", std::move(value)}};
}

Json attributes_json(std::span<const Attribute> attributes) {
  Json list = Json::array();
  for (const Attribute& one : attributes)
    list.push_back(attribute(name_of(one.key), std::visit(ToJson(), one.value)));
  return list;
}

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

Json resource_json(const Resource& resource) {
  Json list = Json::array();
  for (const auto& [key, value] : resource.attributes)
    list.push_back(attribute(key, text_value(value)));
  return {{"attributes", std::move(list)}};
}

}  // namespace

std::string otlp_json(std::span<const SpanPtr> spans, const Resource& resource) {
  Json libraries = Json::array();
  for (const std::string_view library : otlp::kLibraries) {
    Json list = Json::array();
    for (const SpanPtr& span : spans)
      if (span->library == library) list.push_back(span_json(*span));
    if (list.empty()) continue;
    libraries.push_back({{"scope", {{"name", library}, {"version", resource.library_version}}},
                         {"spans", std::move(list)}});
  }
  Json of_resource = {{"resource", resource_json(resource)}, {"scopeSpans", std::move(libraries)}};
  const Json request = {{"resourceSpans", Json::array({std::move(of_resource)})}};
  return request.dump();
}

}  // namespace mellea::telemetry
