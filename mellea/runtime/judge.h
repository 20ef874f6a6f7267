// A model as the judge of an answer: what it is asked, and what it said.
#pragma once

#include <string_view>

#include "mellea/core/message.h"
#include "mellea/core/requirement.h"

namespace mellea {

// Asks whether `answer` is what the description of `requirement` says. The answer is fenced, so
// that it can't pose as part of the question.
Message judge_prompt(const Requirement& requirement, const Answer& answer);

// A leading yes or no decides, in any case and with whatever marks around it: "**Yes**", "No.".
// The reason is what follows, and where nothing follows a no, the description. Anything else is a
// failure: its code is "judge_unclear", that of a no is "judged_no".
ValidationResult judge_verdict(const Requirement& requirement, std::string_view judgement);

}  // namespace mellea
