#include "mellea/core/image.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "mellea/core/text.h"

namespace mellea {

std::string_view image_type(std::string_view bytes) noexcept {
  if (bytes.starts_with("\x89PNG\r\n\x1A\n")) return "image/png";
  if (bytes.starts_with("\xFF\xD8\xFF")) return "image/jpeg";
  if (bytes.starts_with("GIF87a") || bytes.starts_with("GIF89a")) return "image/gif";
  if (bytes.starts_with("RIFF") && bytes.substr(0, 12).ends_with("WEBP")) return "image/webp";
  return {};
}

std::optional<Image> image_of(std::string_view bytes) {
  const std::string_view type = image_type(bytes);
  if (type.empty()) return {};
  return Image{.url = "data:" + std::string(type) + ";base64," + base64(bytes)};
}

bool is_image_url(std::string_view text) noexcept {
  constexpr std::array<std::string_view, 3> kSchemes = {"http://", "https://", "data:"};
  return std::any_of(kSchemes.begin(), kSchemes.end(),
                     [&](std::string_view scheme) { return text.starts_with(scheme); });
}

}  // namespace mellea
