#pragma once
#include "mellea/core/requirement.h"
namespace mellea {
Message judge_prompt(const Requirement& requirement, const Answer& answer);
ValidationResult judge_verdict(const Requirement& requirement, std::string_view answer);
}  // namespace mellea
