// SHA-256 (FIPS 180-4): for short fingerprints on spans, never for secrets.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace mellea::telemetry {

std::array<std::uint8_t, 32> sha256(std::string_view text);

// The first 16 hex digits of it: tells texts apart, and nothing of what is in a long one. A short
// one can be guessed.
std::string fingerprint(std::string_view text);

}  // namespace mellea::telemetry
