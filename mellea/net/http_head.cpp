#include "mellea/net/http_head.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "mellea/core/text.h"

namespace mellea {
namespace {

std::string lower(std::string_view name) {
  std::string out(name);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// Of "HTTP/1.1 200 OK" or "HTTP/2 200"; 0 if there is none.
int status_of(std::string_view line) {
  int status = 0;
  const auto space = line.find(' ');
  if (space != line.npos)
    std::from_chars(line.data() + space + 1, line.data() + line.size(), status);
  return status;
}

}  // namespace

std::string_view HttpHead::header(std::string_view name) const noexcept {
  const auto found = std::find_if(headers.begin(), headers.end(),
                                  [name](const auto& header) { return header.first == name; });
  return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

bool HttpHeadParser::take_line(std::string_view line) {
  bytes_ += line.size();
  if (bytes_ > kMaxBytes) return false;
  if (done_) return true;
  if (line.starts_with("HTTP/")) {
    head_ = HttpHead{.status = status_of(line), .headers = {}};
  } else if (trimmed(line).empty()) {
    done_ = head_.status >= 200;
  } else if (const auto colon = line.find(':'); colon != line.npos) {
    head_.headers.emplace_back(lower(trimmed(line.substr(0, colon))),
                               trimmed(line.substr(colon + 1)));
  }
  return true;
}

}  // namespace mellea
