// An image that was named on the command line.
#pragma once

#include <string>

#include "mellea/core/message.h"

namespace mellea::cli {

// A URL goes to the provider as it is; a file becomes a data URL. Throws UsageError for a file that
// can't be read, is too large, or is no PNG, JPEG, WebP or GIF.
Image image_from(const std::string& file_or_url);

}  // namespace mellea::cli
