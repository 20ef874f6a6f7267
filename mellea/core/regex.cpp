#include "mellea/core/regex.h"

#include <re2/re2.h>

#include "mellea/core/error.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

std::shared_ptr<const RE2> compiled(std::string_view pattern) {
  return std::make_shared<const RE2>(re2::StringPiece(pattern.data(), pattern.size()), RE2::Quiet);
}

std::string unsupported(std::string_view what, std::string_view where) {
  return std::string(what) + " \"" + one_line(where, 60) + "\" is not supported (RE2)";
}

std::string fault_of_group(std::string_view group, std::string_view pattern) {
  if (group == "(?=" || group == "(?!") return unsupported("look-ahead", group);
  if (group == "(?>") return unsupported("the atomic group", group);
  if (group == "(?(") return unsupported("the condition", group);
  if (group == "(?<") {
    for (const std::string_view behind : {"(?<=", "(?<!"})
      if (pattern.find(behind) != pattern.npos) return unsupported("look-behind", behind);
    return "a group with a name is written \"(?P<name>...)\" (RE2)";
  }
  return unsupported("the group", group);
}

std::string fault_of(const RE2& expression) {
  const std::string& part = expression.error_arg();
  switch (expression.error_code()) {
    case RE2::NoError: return "";
    case RE2::ErrorBadPerlOp: return fault_of_group(part, expression.pattern());
    case RE2::ErrorBadEscape:
      if (part.size() > 1 && (part[1] == 'k' || (part[1] >= '1' && part[1] <= '9')))
        return unsupported("the back-reference", part);
      return unsupported("the escape", part);
    case RE2::ErrorRepeatOp: return unsupported("the repetition", part);
    default: return one_line(expression.error(), 120);
  }
}

}  // namespace

Regex::Regex(std::string_view pattern) : expression_(compiled(pattern)) {
  if (!expression_->ok()) throw Error(Errc::invalid_request, "regex: " + fault_of(*expression_));
}

std::string Regex::fault(std::string_view pattern) { return fault_of(*compiled(pattern)); }

const std::string& Regex::pattern() const noexcept { return expression_->pattern(); }

bool Regex::matches(std::string_view text) const {
  return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *expression_);
}

std::optional<std::string_view> Regex::find(std::string_view text) const {
  const re2::StringPiece whole(text.data(), text.size());
  re2::StringPiece found;
  if (!expression_->Match(whole, 0, whole.size(), RE2::UNANCHORED, &found, 1)) return {};
  return std::string_view(found.data(), found.size());
}

}  // namespace mellea
