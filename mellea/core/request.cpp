#include "mellea/core/request.h"

#include <algorithm>
#include <string_view>

namespace mellea {
namespace {

bool same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

void replace(Headers& headers, const Headers& nearer) {
  std::erase_if(headers, [&](const auto& header) {
    return std::any_of(nearer.begin(), nearer.end(),
                       [&](const auto& other) { return same_name(header.first, other.first); });
  });
  headers.insert(headers.end(), nearer.begin(), nearer.end());
}

}  // namespace mellea
