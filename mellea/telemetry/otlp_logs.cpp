#include "mellea/telemetry/otlp_logs.h"

#include <algorithm>
#include <protozero/pbf_writer.hpp>
#include <string_view>
#include <utility>
#include <variant>

#include "mellea/core/text.h"
#include "mellea/telemetry/hex.h"
#include "mellea/telemetry/log_json.h"
#include "mellea/telemetry/otlp.h"
#include "mellea/telemetry/otlp_json_parts.h"
#include "mellea/telemetry/otlp_pbf.h"

namespace mellea::telemetry {
namespace {

using protozero::pbf_writer;
using Json = OtlpJson;

// The conventions' attributes of where in the source it was logged.
constexpr std::string_view kFile = "code.file.path";
constexpr std::string_view kFunction = "code.function.name";
constexpr std::string_view kLine = "code.line.number";
constexpr std::string_view kThread = "thread.id";

// Calls `add(key, value)` for each attribute, whose value is a Value or a JsonText.
template <class Add>
void for_each_attribute(const LogRecord& record, const Add& add) {
  struct Visit {
    const Add& add;
    std::string_view key;

    void operator()(const std::string& text) const { add(key, Value(std::string_view(text))); }
    void operator()(std::int64_t value) const { add(key, Value(value)); }
    void operator()(double value) const { add(key, Value(value)); }
    void operator()(bool value) const { add(key, Value(value)); }
    void operator()(const std::vector<std::string>& texts) const {
      const std::vector<std::string_view> views(texts.begin(), texts.end());
      add(key, Value(std::span<const std::string_view>(views)));
    }
    void operator()(const JsonText& json) const { add(key, json); }
  };
  for (const LogAttribute& attribute : record.attributes)
    std::visit(Visit{add, name_of(attribute)}, attribute.value);
  const SourceLine& source = record.source;
  if (!source.file.empty()) add(kFile, Value(std::string_view(source.file)));
  if (!source.function.empty()) add(kFunction, Value(std::string_view(source.function)));
  if (source.line != 0) add(kLine, Value(std::int64_t{source.line}));
  if (record.thread != 0) add(kThread, Value(record.thread));
}

// Into an AnyValue; as deep as parsed() lets it be.
void add_structure(pbf_writer& any, const Json& value) {
  switch (value.type()) {
    case Json::value_t::string:
      return add_value(any, std::string_view(value.get_ref<const std::string&>()));
    case Json::value_t::boolean: return add_value(any, value.get<bool>());
    case Json::value_t::number_integer: return add_value(any, value.get<std::int64_t>());
    case Json::value_t::number_unsigned:
      if (value.get<std::uint64_t>() <= INT64_MAX) return add_value(any, value.get<std::int64_t>());
      [[fallthrough]];
    case Json::value_t::number_float: return add_value(any, value.get<double>());
    case Json::value_t::array: {
      pbf_writer array(any, 5);
      for (const Json& element : value) {
        pbf_writer item(array, 1);
        add_structure(item, element);
      }
      return;
    }
    case Json::value_t::object: {
      pbf_writer list(any, 6);
      for (const auto& [key, member] : value.items()) {
        pbf_writer pair(list, 1);
        add_text(pair, 1, key);
        pbf_writer item(pair, 2);
        add_structure(item, member);
      }
      return;
    }
    default: return;  // null is an AnyValue without a value
  }
}

std::string record_bytes(const LogRecord& record) {
  std::string bytes;
  pbf_writer message(bytes);
  message.add_fixed64(1, static_cast<std::uint64_t>(record.at));
  message.add_enum(2, static_cast<int>(record.severity));
  add_text(message, 3, to_string(record.severity));
  {
    pbf_writer any(message, 5);
    add_value(any, std::string_view(record.body));
  }
  for_each_attribute(record, [&](std::string_view key, const auto& value) {
    if constexpr (std::is_same_v<decltype(value), const JsonText&>) {
      const auto structure = parsed(value);
      if (!structure) return add_attribute(message, 6, key, std::string_view(value.text));
      pbf_writer pair(message, 6);
      add_text(pair, 1, key);
      pbf_writer any(pair, 2);
      add_structure(any, *structure);
    } else {
      add_attribute(message, 6, key, value);
    }
  });
  if (record.span) {
    message.add_fixed32(8, record.span.flags);
    add_id(message, 9, record.span.trace);
    add_id(message, 10, record.span.span);
  }
  message.add_fixed64(11, static_cast<std::uint64_t>(record.at));
  if (!record.event.empty()) add_text(message, 12, record.event);
  return bytes;
}

// As an AnyValue.
Json structure_json(const Json& value) {
  if (value.is_string()) return value_json(std::string_view(value.get_ref<const std::string&>()));
  if (value.is_boolean()) return value_json(value.get<bool>());
  const bool large = value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX;
  if (value.is_number_integer() && !large) return value_json(value.get<std::int64_t>());
  if (value.is_number()) return value_json(value.get<double>());
  Json list = Json::array();
  if (value.is_array()) {
    for (const Json& element : value) list.push_back(structure_json(element));
    return {{"arrayValue", {{"values", std::move(list)}}}};
  }
  if (value.is_object()) {
    for (const auto& [key, member] : value.items())
      list.push_back(pair_json(key, structure_json(member)));
    return {{"kvlistValue", {{"values", std::move(list)}}}};
  }
  return Json::object();
}

Json record_json(const LogRecord& record) {
  const std::string at = std::to_string(record.at);
  Json json = {{"timeUnixNano", at},
               {"observedTimeUnixNano", at},
               {"severityNumber", static_cast<int>(record.severity)},
               {"severityText", to_string(record.severity)},
               {"body", value_json(std::string_view(record.body))}};
  Json attributes = Json::array();
  for_each_attribute(record, [&](std::string_view key, const auto& value) {
    if constexpr (std::is_same_v<decltype(value), const JsonText&>) {
      const auto structure = parsed(value);
      attributes.push_back(pair_json(
          key, structure ? structure_json(*structure) : value_json(std::string_view(value.text))));
    } else {
      attributes.push_back(attribute_json(key, value));
    }
  });
  json["attributes"] = std::move(attributes);
  if (record.span) {
    json["flags"] = record.span.flags;
    json["traceId"] = hex(record.span.trace);
    json["spanId"] = hex(record.span.span);
  }
  if (!record.event.empty()) json["eventName"] = record.event;
  return json;
}

}  // namespace

std::vector<std::string> otlp_logs_protobuf(std::span<const LogPtr> logs, const Resource& resource,
                                            std::size_t most_bytes) {
  OtlpRequests requests(resource, most_bytes);
  for (const LogPtr& log : logs) requests.add(log->logger, record_bytes(*log));
  return requests.take();
}

std::string otlp_logs_json(std::span<const LogPtr> logs, const Resource& resource) {
  Json scopes = Json::array();
  std::vector<std::string_view> names;
  for (const LogPtr& log : logs) {
    auto found = std::find(names.begin(), names.end(), log->logger);
    if (found == names.end()) {
      found = names.insert(names.end(), log->logger);
      scopes.push_back(
          {{"scope", scope_json(log->logger, resource)}, {"logRecords", Json::array()}});
    }
    const auto place = static_cast<std::size_t>(found - names.begin());
    scopes[place]["logRecords"].push_back(record_json(*log));
  }
  Json of_resource = {{"resource", resource_json(resource)}, {"scopeLogs", std::move(scopes)}};
  const Json request = {{"resourceLogs", Json::array({std::move(of_resource)})}};
  return request.dump();
}

}  // namespace mellea::telemetry
