// Durations as people write them.
#pragma once

#include <chrono>
#include <string_view>

namespace mellea::cli {

// `120s`, `500ms`, `1.5m`, `2h`. Throws UsageError that begins with `flag`: for a bare number, for
// what is none, for zero.
std::chrono::milliseconds parse_duration(std::string_view flag, std::string_view text);

}  // namespace mellea::cli
