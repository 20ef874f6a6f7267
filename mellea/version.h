// The version of the library: macros for #if, a string for people. CMake reads it from here.
#pragma once

#include <string_view>

#define MELLEA_VERSION_MAJOR 0
#define MELLEA_VERSION_MINOR 1
#define MELLEA_VERSION_PATCH 0

#define MELLEA_STRINGIFY_(x) #x
#define MELLEA_STRINGIFY(x) MELLEA_STRINGIFY_(x)
#define MELLEA_VERSION_STRING            \
  MELLEA_STRINGIFY(MELLEA_VERSION_MAJOR) \
  "." MELLEA_STRINGIFY(MELLEA_VERSION_MINOR) "." MELLEA_STRINGIFY(MELLEA_VERSION_PATCH)

namespace mellea {

inline constexpr std::string_view kVersion = MELLEA_VERSION_STRING;

}  // namespace mellea
