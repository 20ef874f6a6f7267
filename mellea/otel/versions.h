// Whether opentelemetry-cpp's headers and library belong together.
#pragma once

#include <string_view>

namespace mellea::otel {

struct Versions {
  std::string_view library{};  // as in "1.19.0": what runs
  std::string_view headers{};  // what was compiled against
};

// Throws Error (Errc::invalid_request) that names both if they differ.
void require_same_version(const Versions& versions);

}  // namespace mellea::otel
