#include "mellea/net/ndjson.h"

#include <algorithm>
#include <utility>

#include "mellea/core/error.h"

namespace mellea {
namespace {

std::string_view without_blanks(std::string_view line) {
  constexpr std::string_view kBlanks = " \t\r";
  const auto first = line.find_first_not_of(kBlanks);
  if (first == line.npos) return {};
  return line.substr(first, line.find_last_not_of(kBlanks) - first + 1);
}

}  // namespace

bool NdjsonParser::next(std::string_view& line) {
  while (!input_.empty()) {
    if (std::exchange(beginning_is_used_, false)) beginning_.clear();
    const auto size = std::min(input_.find('\n'), input_.size());
    check_size(beginning_.size() + size);
    if (size == input_.size()) {
      beginning_ += std::exchange(input_, {});
      return false;
    }
    line = input_.substr(0, size);
    input_.remove_prefix(size + 1);
    if (!beginning_.empty()) {
      line = beginning_ += line;
      beginning_is_used_ = true;
    }
    if (std::exchange(at_start_, false) && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
    line = without_blanks(line);
    if (!line.empty()) return true;
  }
  return false;
}

bool NdjsonParser::finish(std::string_view& line) {
  feed("\n");
  return next(line);
}

void NdjsonParser::check_size(std::size_t bytes) const {
  if (bytes <= max_line_) return;
  throw Error(Errc::parse_error,
              "a line of the stream is over " + std::to_string(max_line_) + " bytes");
}

}  // namespace mellea
