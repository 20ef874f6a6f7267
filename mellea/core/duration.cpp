#include "mellea/core/duration.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <utility>

#include "mellea/core/error.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

constexpr std::array<std::pair<std::string_view, double>, 4> kUnits = {
    {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}}};
constexpr double kMost = 365 * 24 * 3'600'000.0;

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  throw Error(Errc::invalid_request, one_line(text, 40) + ": " + why);
}

}  // namespace

std::chrono::milliseconds parse_duration(std::string_view text) {
  double number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc{}) refuse(text, "is no duration: write 120s, 500ms or 2m");
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  if (unit.empty())
    refuse(text, "of what? Write " + one_line(text, 40) + "s or " + one_line(text, 40) + "ms");
  for (const auto& [name, milliseconds] : kUnits) {
    if (unit != name) continue;
    const double length = number * milliseconds;
    if (!(length >= 1 && length <= kMost)) refuse(text, "must be from 1ms to a year");
    return std::chrono::milliseconds(static_cast<std::int64_t>(length));
  }
  refuse(text, "unknown unit \"" + one_line(unit, 20) + "\": write ms, s, m or h");
}

}  // namespace mellea
