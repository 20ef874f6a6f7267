// What the JSON of all signals of OTLP has in common. Only for .cpp files of this layer.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "mellea/telemetry/resource.h"
#include "mellea/telemetry/span.h"

namespace mellea::telemetry {

using OtlpJson = nlohmann::ordered_json;

OtlpJson number_json(double value);  // as protobuf's JSON has it: what is none is a string
OtlpJson value_json(const Value& value);
OtlpJson attribute_json(std::string_view name, const Value& value);
OtlpJson pair_json(std::string_view key, OtlpJson value);
OtlpJson attributes_json(std::span<const Attribute> attributes);
OtlpJson resource_json(const Resource& resource);
OtlpJson scope_json(std::string_view name, const Resource& resource);

}  // namespace mellea::telemetry
