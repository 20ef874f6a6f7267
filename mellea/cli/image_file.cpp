#include "mellea/cli/image_file.h"

#include <cstdint>

#include "mellea/cli/exit_code.h"
#include "mellea/cli/input.h"

namespace mellea::cli {

std::string_view image_type(std::string_view bytes) noexcept {
  if (bytes.starts_with("\x89PNG\r\n\x1A\n")) return "image/png";
  if (bytes.starts_with("\xFF\xD8\xFF")) return "image/jpeg";
  if (bytes.starts_with("GIF87a") || bytes.starts_with("GIF89a")) return "image/gif";
  if (bytes.starts_with("RIFF") && bytes.substr(0, 12).ends_with("WEBP")) return "image/webp";
  return {};
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::string_view group = bytes.substr(at, 3);
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i)
      bits = bits << 8U | (i < group.size() ? static_cast<unsigned char>(group[i]) : 0U);
    for (std::size_t i = 0; i < 4; ++i)
      text += i <= group.size() ? kDigits[bits >> (18 - 6 * i) & 63U] : '=';
  }
  return text;
}

Image image_from(const std::string& file_or_url) {
  for (const std::string_view scheme : {"http://", "https://", "data:"})
    if (file_or_url.starts_with(scheme)) return {.url = file_or_url};
  constexpr std::size_t kLargest = 20U << 20U;  // what the large providers take
  const std::string bytes = read_file("--image", file_or_url, kLargest);
  const std::string_view type = image_type(bytes);
  if (type.empty()) throw UsageError("--image " + file_or_url + ": is no PNG, JPEG, WebP or GIF");
  return {.url = "data:" + std::string(type) + ";base64," + base64(bytes)};
}

}  // namespace mellea::cli
