// JSON as the program prints it: one line, members in the order they were put in.
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace mellea::cli {

using OrderedJson = nlohmann::ordered_json;

// With its newline; what is not UTF-8 is replaced.
inline std::string line_of(const OrderedJson& value) {
  return value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + '\n';
}

inline std::int64_t milliseconds(std::chrono::nanoseconds time) {
  return std::chrono::round<std::chrono::milliseconds>(time).count();
}

}  // namespace mellea::cli
