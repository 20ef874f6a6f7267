#include "mellea/runtime/template.h"

#include <algorithm>
#include <vector>

#include "mellea/core/error.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

constexpr std::string_view kOpen = "{{";
constexpr std::string_view kClose = "}}";

[[noreturn]] void refuse(std::string_view what, const std::string& why) {
  throw Error(Errc::invalid_request, std::string(what) + ": " + why);
}

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return c == '_' || c == '-' || c == '.' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') || c >= 0x80;
  });
}

[[noreturn]] void refuse_missing(std::string_view name, const Variables& variables,
                                 std::string_view what) {
  std::string known;
  std::vector<std::string_view> names;
  for (const auto& [one, value] : variables) {
    known.append(known.empty() ? " (known: " : ", ").append(one);
    names.push_back(one);
  }
  if (!known.empty()) known += ')';
  refuse(what,
         "{{" + one_line(name, 60) + "}}: no such variable" + known + did_you_mean(name, names));
}

// Where the braces that close at `from` begin; npos if there are none. In a literal they close
// nothing.
std::size_t find_close(std::string_view text, std::size_t from) {
  const std::size_t first = text.find_first_not_of(" \t\r\n", from);
  if (first != text.npos && text[first] == '"') {
    const std::size_t quote = text.find('"', first + 1);
    return quote == text.npos ? text.npos : text.find(kClose, quote);
  }
  return text.find(kClose, from);
}

}  // namespace

std::string fill(std::string_view text, const Variables& variables, std::string_view what) {
  std::string filled;
  for (;;) {
    const std::size_t open = text.find(kOpen);
    filled += text.substr(0, open);
    if (open == text.npos) return filled;
    const std::size_t begin = open + kOpen.size();
    const std::size_t end = find_close(text, begin);
    if (end == text.npos)
      refuse(what, R"("{{" is not closed by "}}"; {{"{{"}} stands for two braces)");
    const std::string_view inside = trimmed(text.substr(begin, end - begin));
    if (inside.size() > 1 && inside.starts_with('"') && inside.ends_with('"')) {
      filled += inside.substr(1, inside.size() - 2);
    } else if (!is_name(inside)) {
      refuse(what, "{{" + one_line(inside, 60) +
                       R"(}} holds no name of a variable; {{"{{"}} stands for two braces)");
    } else if (const auto value = variables.find(inside); value != variables.end()) {
      filled += value->second;
    } else {
      refuse_missing(inside, variables, what);
    }
    text.remove_prefix(end + kClose.size());
  }
}

}  // namespace mellea
