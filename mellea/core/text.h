// What we do to text that came from elsewhere before it goes on.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace mellea {

bool is_utf8(std::string_view text) noexcept;

// Each byte that is not part of a code point becomes U+FFFD.
std::string to_utf8(std::string_view text);

std::string base64(std::string_view bytes);

// How many there are in valid UTF-8.
std::size_t code_points(std::string_view text) noexcept;

// The first `count` code points of valid UTF-8.
std::string_view first_code_points(std::string_view text, std::size_t count) noexcept;

// One line of at most `count` code points, valid UTF-8, control characters as spaces: for messages.
std::string one_line(std::string_view text, std::size_t count = 200);

// Without the blanks at its ends.
std::string_view trimmed(std::string_view text) noexcept;

// The one of `known` that `word` was probably meant to be; empty if none is near.
std::string_view nearest(std::string_view word, std::span<const std::string_view> known);

// `: did you mean "openai"?`, or nothing.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> known);

}  // namespace mellea
