// What is said to one receiver alone, made of what a span says.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "mellea/telemetry/span.h"

namespace mellea::telemetry {

struct MadeAttribute {
  std::string name{};
  std::variant<std::string, std::int64_t> held{};

  Value value() const {  // views what is held
    if (const auto* text = std::get_if<std::string>(&held)) return std::string_view(*text);
    return std::get<std::int64_t>(held);
  }
};
using MadeAttributes = std::vector<MadeAttribute>;

}  // namespace mellea::telemetry
