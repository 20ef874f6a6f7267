#include "mellea/telemetry/otlp_json_parts.h"

#include <cmath>
#include <string>
#include <utility>

#include "mellea/core/text.h"
#include "mellea/telemetry/otlp.h"

namespace mellea::telemetry {
namespace {

using Json = OtlpJson;

Json text_value(std::string_view text) { return {{"stringValue", to_utf8(text)}}; }

struct ToJson {
  Json operator()(std::string_view text) const { return text_value(text); }
  Json operator()(std::int64_t value) const { return {{"intValue", std::to_string(value)}}; }
  Json operator()(double value) const { return {{"doubleValue", number_json(value)}}; }
  Json operator()(bool value) const { return {{"boolValue", value}}; }
  Json operator()(std::span<const std::string_view> texts) const {
    Json values = Json::array();
    for (const std::string_view text : texts) values.push_back(text_value(text));
    return {{"arrayValue", {{"values", std::move(values)}}}};
  }
};

}  // namespace

OtlpJson number_json(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

OtlpJson value_json(const Value& value) { return std::visit(ToJson(), value); }

OtlpJson pair_json(std::string_view key, OtlpJson value) {
  return {{"key", to_utf8(key)}, {"value", std::move(value)}};
}

OtlpJson attribute_json(std::string_view name, const Value& value) {
  return pair_json(name, value_json(value));
}

OtlpJson attributes_json(std::span<const Attribute> attributes) {
  Json list = Json::array();
  for (const Attribute& one : attributes)
    list.push_back(attribute_json(name_of(one.key), one.value));
  return list;
}

OtlpJson resource_json(const Resource& resource) {
  Json list = Json::array();
  for (const auto& [key, value] : resource.attributes)
    list.push_back(pair_json(key, text_value(value)));
  return {{"attributes", std::move(list)}};
}

OtlpJson scope_json(std::string_view name, const Resource& resource) {
  Json scope = {{"name", to_utf8(name)}};
  if (otlp::is_ours(name)) scope["version"] = resource.library_version;
  return scope;
}

}  // namespace mellea::telemetry
