// W3C ids as text.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace mellea::telemetry {

template <std::size_t n>
std::string hex(const std::array<std::uint8_t, n>& bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * n);
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 0xFU];
  }
  return text;
}

}  // namespace mellea::telemetry
