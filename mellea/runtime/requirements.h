// The requirements that can be checked without asking a model, and how to ask one.
//
//   session.instruct("Write a haiku about the sea.",
//                    {.requirements = {regex("three lines", R"(^[^\n]+\n[^\n]+\n[^\n]+$)"),
//                                      max_words(20), "mentions water",
//                                      check(not_contains("rain")),
//                                      function("is calm", [](const std::string& text) {
//                                        return text.find('!') == text.npos;
//                                      })}});
//
// A text that comes first is what the model is told, and what people know the requirement by. What
// fails has a reason that a model can mend its answer by, and a code. All throw Error
// (Errc::invalid_request) where they can't be checked, as a wrong expression can't.
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "mellea/core/requirement.h"

namespace mellea {

// Some part of the answer is, or no part may be, what an expression of RE2 describes.
Requirement regex(std::string text, std::string_view pattern);
Requirement not_regex(std::string text, std::string_view pattern);

// The answer has, or may not have, these very letters in it.
Requirement contains(std::string_view wanted);
Requirement contains(std::string text, std::string_view wanted);
Requirement not_contains(std::string_view unwanted);
Requirement not_contains(std::string text, std::string_view unwanted);

// Words are what blanks of ASCII separate; characters are code points; the last line need not be
// ended.
Requirement min_words(std::size_t least);
Requirement min_words(std::string text, std::size_t least);
Requirement max_words(std::size_t most);
Requirement max_words(std::string text, std::size_t most);
Requirement min_chars(std::size_t least);
Requirement min_chars(std::string text, std::size_t least);
Requirement max_chars(std::size_t most);
Requirement max_chars(std::string text, std::size_t most);
Requirement min_lines(std::size_t least);
Requirement min_lines(std::string text, std::size_t least);
Requirement max_lines(std::size_t most);
Requirement max_lines(std::string text, std::size_t most);

// The answer is JSON that `schema` allows; it may stand in a fence of three backquotes.
Requirement schema(std::string text, const Json& schema);

// The model asks for this tool.
Requirement uses_tool(std::string name);

// A model judges: the same as the text alone.
Requirement judge(std::string text);

// The same, but the model is not told of it beforehand.
Requirement check(const Requirement& requirement);

// What a function that checks may return: whether it passed, that and a reason, or all there is.
inline ValidationResult to_validation(ValidationResult result) { return result; }
inline ValidationResult to_validation(std::pair<bool, std::string> result) {
  return {.passed = result.first, .reason = std::move(result.second)};
}
inline ValidationResult to_validation(std::same_as<bool> auto passed) { return {.passed = passed}; }

// A function that is given these and returns one of those. Several threads may call it at once.
template <class Function, class... Given>
concept ChecksBy = requires(const Function& function, Given... given) {
  to_validation(function(given...));
};
template <class Function>
concept ChecksAnswer =
    ChecksBy<Function, const std::string&> || ChecksBy<Function, const std::string&, const Call&> ||
    ChecksBy<Function, const Answer&> || ChecksBy<Function, const Answer&, const Call&>;

// `checks` with a reason and a code where what fails has none: `text` and `code`.
Requirement checked_by(std::string_view kind, std::string text, std::string_view code,
                       Check checks);

// A function checks: of the answer's text or of the Answer, and of a Call if it wants one. Where it
// gives no reason, the text is the reason.
template <ChecksAnswer Function>
Requirement function(std::string text, Function checks) {
  return checked_by("function", std::move(text), "failed",
                    [checks = std::move(checks)](const Answer& answer, const Call& call) {
                      if constexpr (ChecksBy<Function, const std::string&>)
                        return to_validation(checks(answer.reply.text));
                      else if constexpr (ChecksBy<Function, const std::string&, const Call&>)
                        return to_validation(checks(answer.reply.text, call));
                      else if constexpr (ChecksBy<Function, const Answer&>)
                        return to_validation(checks(answer));
                      else
                        return to_validation(checks(answer, call));
                    });
}

struct ToolArgument {
  std::string tool{};      // empty: any
  std::string argument{};  // never empty
};
// The model asks for the tool with that argument, and a function that is given its value checks
// each. See `function` for what that may return.
Requirement tool_argument(std::string text, ToolArgument which,
                          std::function<ValidationResult(const Json&)> checks);
template <ChecksBy<const Json&> Function>
requires(!std::convertible_to<Function, std::function<ValidationResult(const Json&)>>) Requirement
    tool_argument(std::string text, ToolArgument which, Function checks) {
  return tool_argument(
      std::move(text), std::move(which),
      std::function<ValidationResult(const Json&)>([checks = std::move(checks)](const Json& value) {
        return to_validation(checks(value));
      }));
}

}  // namespace mellea
