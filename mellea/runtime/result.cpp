#include "mellea/runtime/result.h"

#include "mellea/runtime/usage_sum.h"

namespace mellea {

Failure failure_of(const Checked& checked) {
  return {.requirement = std::string(checked.requirement.title()),
          .reason = checked.result.reason,
          .code = checked.result.code};
}

bool Result::ok() const noexcept {
  return !parts_.attempts || (*parts_.attempts)[parts_.chosen].ok();
}

std::vector<Failure> Result::failures() const {
  std::vector<Failure> failures;
  if (!parts_.attempts) return failures;
  for (const Checked& checked : (*parts_.attempts)[parts_.chosen].checks)
    if (!checked.result.passed) failures.push_back(failure_of(checked));
  return failures;
}

const Attempts& Result::attempts() const noexcept {
  static const Attempts none;
  return parts_.attempts ? *parts_.attempts : none;
}

std::optional<Usage> Result::total_usage() const {
  if (!parts_.attempts) return usage();
  UsageSum sum;
  for (const Attempt& attempt : *parts_.attempts) {
    sum.add(attempt.reply->usage);
    for (const Checked& checked : attempt.checks)
      if (checked.result.judgement) sum.add(checked.result.judgement->usage);
  }
  return sum.sum();
}

const Tools& Result::tools() const noexcept {
  static const Tools none;
  return parts_.tools ? *parts_.tools : none;
}

}  // namespace mellea
