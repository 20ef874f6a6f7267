#include "mellea/runtime/requirements.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "mellea/core/described.h"
#include "mellea/core/error.h"
#include "mellea/core/regex.h"
#include "mellea/core/schema.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

constexpr std::size_t kLongestQuote = 200;  // code points of what a reason repeats

ValidationResult failed(std::string reason, std::string code) {
  return {.passed = false, .reason = std::move(reason), .code = std::move(code)};
}
ValidationResult passed() { return {.passed = true}; }

// A requirement of the answer's text alone.
Requirement of_text(std::string_view kind, std::string text,
                    std::function<ValidationResult(const std::string&)> checks) {
  return Requirement({.kind = kind,
                      .description = std::move(text),
                      .check = [checks = std::move(checks)](const Answer& answer, const Call&) {
                        return checks(answer.reply.text);
                      }});
}

std::string in_quotes(std::string_view text) { return '"' + one_line(text, kLongestQuote) + '"'; }

Regex compiled(const std::string& text, std::string_view pattern) {
  const std::string fault = Regex::fault(pattern);
  if (fault.empty()) return Regex(pattern);
  const bool look_around = fault.starts_with("look-");
  throw Error(Errc::invalid_request,
              "requirement " + in_quotes(text) + ": regex: " + fault +
                  (look_around ? ": use not_regex or a second requirement" : ""));
}

std::string slashed(const Regex& regex) {
  return '/' + one_line(regex.pattern(), kLongestQuote) + '/';
}

void refuse_empty(std::string_view what, std::string_view text) {
  if (text.empty())
    throw Error(Errc::invalid_request, std::string(what) + ": an empty text is in every answer");
}

// What is counted of an answer.
struct Unit {
  std::string_view one, many;
  std::string_view too_few, too_many;  // codes
  std::size_t (*count)(std::string_view text);

  std::string of(std::size_t number) const {
    return std::to_string(number) + ' ' + std::string(number == 1 ? one : many);
  }
};

std::size_t count_words(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n\f\v";
  std::size_t words = 0;
  for (std::size_t at = 0; (at = text.find_first_not_of(kBlanks, at)) != text.npos; ++words)
    at = std::min(text.find_first_of(kBlanks, at), text.size());
  return words;
}

std::size_t count_lines(std::string_view text) {
  const bool open = !text.empty() && text.back() != '\n';
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + (open ? 1 : 0);
}

constexpr Unit kWords{"word", "words", "too_few_words", "too_many_words", count_words};
constexpr Unit kChars{"character", "characters", "too_few_chars", "too_many_chars", code_points};
constexpr Unit kLines{"line", "lines", "too_few_lines", "too_many_lines", count_lines};

Requirement at_least(std::string_view kind, std::string text, const Unit& unit, std::size_t least) {
  return of_text(kind, std::move(text), [&unit, least](const std::string& answer) {
    const std::size_t count = unit.count(answer);
    if (count >= least) return passed();
    return failed("must have at least " + unit.of(least) + ", and has " + std::to_string(count),
                  std::string(unit.too_few));
  });
}
Requirement at_most(std::string_view kind, std::string text, const Unit& unit, std::size_t most) {
  return of_text(kind, std::move(text), [&unit, most](const std::string& answer) {
    const std::size_t count = unit.count(answer);
    if (count <= most) return passed();
    return failed("must have at most " + unit.of(most) + ", and has " + std::to_string(count),
                  std::string(unit.too_many));
  });
}

// The arguments of a call; no document if they are not what they have to be.
Json arguments_of(const ToolCall& call) {
  try {
    const Json arguments = Json::parse(call.arguments);
    return arguments->is_object() ? arguments : Json();
  } catch (const Error&) {
    return {};
  }
}

}  // namespace

Requirement regex(std::string text, std::string_view pattern) {
  Regex wanted = compiled(text, pattern);
  return of_text("regex", std::move(text), [wanted](const std::string& answer) {
    if (wanted.matches(answer)) return passed();
    return failed("must match the regular expression " + slashed(wanted) + ", and does not",
                  "no_match");
  });
}

Requirement not_regex(std::string text, std::string_view pattern) {
  Regex unwanted = compiled(text, pattern);
  return of_text("not_regex", std::move(text), [unwanted](const std::string& answer) {
    const auto found = unwanted.find(answer);
    if (!found) return passed();
    return failed("must not match the regular expression " + slashed(unwanted) + ", and has " +
                      in_quotes(*found),
                  "match");
  });
}

Requirement contains(std::string_view wanted) {
  return contains("contains " + in_quotes(wanted), wanted);
}
Requirement contains(std::string text, std::string_view wanted) {
  refuse_empty("contains", wanted);
  return of_text("contains", std::move(text), [wanted = std::string(wanted)](const auto& answer) {
    if (answer.find(wanted) != answer.npos) return passed();
    return failed("must contain " + in_quotes(wanted) + ", and does not", "missing_text");
  });
}

Requirement not_contains(std::string_view unwanted) {
  return not_contains("does not contain " + in_quotes(unwanted), unwanted);
}
Requirement not_contains(std::string text, std::string_view unwanted) {
  refuse_empty("not_contains", unwanted);
  return of_text(
      "not_contains", std::move(text), [unwanted = std::string(unwanted)](const auto& answer) {
        if (answer.find(unwanted) == answer.npos) return passed();
        return failed("must not contain " + in_quotes(unwanted) + ", and does", "unwanted_text");
      });
}

Requirement min_words(std::size_t least) {
  return min_words("has at least " + kWords.of(least), least);
}
Requirement min_words(std::string text, std::size_t least) {
  return at_least("min_words", std::move(text), kWords, least);
}
Requirement max_words(std::size_t most) {
  return max_words("has at most " + kWords.of(most), most);
}
Requirement max_words(std::string text, std::size_t most) {
  return at_most("max_words", std::move(text), kWords, most);
}
Requirement min_chars(std::size_t least) {
  return min_chars("has at least " + kChars.of(least), least);
}
Requirement min_chars(std::string text, std::size_t least) {
  return at_least("min_chars", std::move(text), kChars, least);
}
Requirement max_chars(std::size_t most) {
  return max_chars("has at most " + kChars.of(most), most);
}
Requirement max_chars(std::string text, std::size_t most) {
  return at_most("max_chars", std::move(text), kChars, most);
}
Requirement min_lines(std::size_t least) {
  return min_lines("has at least " + kLines.of(least), least);
}
Requirement min_lines(std::string text, std::size_t least) {
  return at_least("min_lines", std::move(text), kLines, least);
}
Requirement max_lines(std::size_t most) {
  return max_lines("has at most " + kLines.of(most), most);
}
Requirement max_lines(std::string text, std::size_t most) {
  return at_most("max_lines", std::move(text), kLines, most);
}

Requirement schema(std::string text, const Json& schema) {
  return of_text("schema", std::move(text), [wanted = Schema(schema)](const std::string& answer) {
    nlohmann::json value;
    try {
      value = read_answer(answer);
    } catch (const Error& error) {
      return failed(error.what(), "not_json");
    }
    std::string what;
    for (const SchemaProblem& problem : wanted.check(value))
      what.append(what.empty() ? "" : "; ").append(to_string(problem));
    return what.empty() ? passed() : failed(std::move(what), "schema_mismatch");
  });
}

Requirement uses_tool(std::string name) {
  std::string text = "calls the tool " + name;
  return Requirement(
      {.kind = "uses_tool",
       .description = std::move(text),
       .check = [name = std::move(name)](const Answer& answer, const Call&) {
         std::string called;
         for (const ToolCall& call : answer.reply.tool_calls) {
           if (call.name == name) return passed();
           called.append(called.empty() ? ", and calls " : ", ").append(one_line(call.name, 64));
         }
         return failed(
             "must call the tool " + name + (called.empty() ? ", and calls none" : called),
             "tool_not_called");
       }});
}

Requirement judge(std::string text) { return Requirement(std::move(text)); }

Requirement check(const Requirement& requirement) { return requirement.checked_only(); }

Requirement checked_by(std::string_view kind, std::string text, std::string_view code,
                       Check checks) {
  const auto described = [checks = std::move(checks), text, code = std::string(code)](
                             const Answer& answer, const Call& call) {
    ValidationResult result = checks(answer, call);
    if (result.passed) return result;
    if (result.reason.empty()) result.reason = text;
    if (result.code.empty()) result.code = code;
    return result;
  };
  return Requirement({.kind = kind, .description = std::move(text), .check = described});
}

Requirement tool_argument(std::string text, ToolArgument which,
                          std::function<ValidationResult(const Json&)> checks) {
  if (which.argument.empty())
    throw Error(Errc::invalid_request,
                "requirement " + in_quotes(text) + ": tool_argument: no argument is named");
  const auto check_calls = [which = std::move(which), checks = std::move(checks)](
                               const Answer& answer, const Call&) {
    bool found = false;
    for (const ToolCall& call : answer.reply.tool_calls) {
      if (!which.tool.empty() && call.name != which.tool) continue;
      const Json arguments = arguments_of(call);
      if (!arguments)
        return failed("the arguments of " + one_line(call.name, 64) + " must be a JSON object",
                      "not_json");
      const auto value = arguments->find(which.argument);
      if (value == arguments->end()) continue;
      found = true;
      if (ValidationResult result = checks(Json(*value)); !result.passed) return result;
    }
    if (found) return passed();
    return failed("must call " + (which.tool.empty() ? "a tool" : "the tool " + which.tool) +
                      " with the argument " + which.argument,
                  "tool_argument_missing");
  };
  return checked_by("tool_argument", std::move(text), "tool_argument", check_calls);
}

}  // namespace mellea
