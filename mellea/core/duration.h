// Durations as people write them.
#pragma once

#include <chrono>
#include <string_view>

namespace mellea {

// `120s`, `500ms`, `1.5m`, `2h`. Throws Error (Errc::invalid_request) that begins with `text`: for
// a bare number, for what is none, for less than a millisecond and more than a year.
std::chrono::milliseconds parse_duration(std::string_view text);

}  // namespace mellea
