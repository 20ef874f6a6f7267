// JSON texts in log records, as what they say. Only for .cpp files of this layer.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "mellea/telemetry/log_record.h"

namespace mellea::telemetry {

// Nothing if it is no JSON, or so deep that whoever walks through it runs out of stack: then it
// stays a text. What is no UTF-8 in it is replaced.
std::optional<nlohmann::ordered_json> parsed(const JsonText& json);

}  // namespace mellea::telemetry
