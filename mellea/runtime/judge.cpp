#include "mellea/runtime/judge.h"
namespace mellea {
Message judge_prompt(const Requirement& r, const Answer& a) {
  return {.text = r.description() + "\n" + a.reply.text};
}
ValidationResult judge_verdict(const Requirement& r, std::string_view answer) {
  const bool yes = answer.starts_with("yes");
  return {.passed = yes, .reason = yes ? "" : r.description()};
}
}  // namespace mellea
