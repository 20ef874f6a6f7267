// A duration that was typed.
#pragma once

#include <chrono>
#include <string_view>

namespace mellea::cli {

// As mellea/core/duration.h has it. Throws UsageError that begins with `flag`.
std::chrono::milliseconds parse_duration(std::string_view flag, std::string_view text);

}  // namespace mellea::cli
