#include "mellea/backends/header_count.h"

#include <algorithm>
#include <charconv>

namespace mellea {

std::optional<std::int64_t> count_in(const Headers& headers, std::string_view name) {
  const auto found = std::find_if(headers.begin(), headers.end(),
                                  [name](const auto& header) { return header.first == name; });
  if (found == headers.end()) return {};
  const std::string& text = found->second;
  std::int64_t count = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (code != std::errc() || end != text.data() + text.size()) return {};
  return count;
}

}  // namespace mellea
