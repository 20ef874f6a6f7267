// An image as it travels with a message.
#pragma once

#include <string>
#include <string_view>

#include "mellea/core/message.h"

namespace mellea::cli {

// A URL goes to the provider as it is; a file becomes a data URL. Throws UsageError for a file that
// can't be read, is too large, or is no PNG, JPEG, WebP or GIF.
Image image_from(const std::string& file_or_url);

// "image/png", by the first bytes; empty if it is none of the four.
std::string_view image_type(std::string_view bytes) noexcept;

std::string base64(std::string_view bytes);

}  // namespace mellea::cli
