// An image as it travels with a message.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "mellea/core/message.h"

namespace mellea {

inline constexpr std::size_t kLargestImage = 20U << 20U;  // bytes: what the large providers take

// "image/png", by the first bytes; empty if it is no PNG, JPEG, WebP or GIF.
std::string_view image_type(std::string_view bytes) noexcept;

// What is in a file, as a data URL; nothing if it is none of the four.
std::optional<Image> image_of(std::string_view bytes);

// Whether it goes to the provider as it is: an http(s) URL or a data URL.
bool is_image_url(std::string_view text) noexcept;

}  // namespace mellea
