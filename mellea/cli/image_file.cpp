#include "mellea/cli/image_file.h"

#include <optional>

#include "mellea/cli/exit_code.h"
#include "mellea/cli/input.h"
#include "mellea/core/image.h"

namespace mellea::cli {

Image image_from(const std::string& file_or_url) {
  if (is_image_url(file_or_url)) return {.url = file_or_url};
  const std::optional<Image> image = image_of(read_file("--image", file_or_url, kLargestImage));
  if (!image) throw UsageError("--image " + file_or_url + ": is no PNG, JPEG, WebP or GIF");
  return *image;
}

}  // namespace mellea::cli
