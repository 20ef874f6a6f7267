#include "mellea/core/requirement.h"

#include <algorithm>
#include <utility>

#include "mellea/core/error.h"

namespace mellea {

Requirement::Requirement(Parts parts) {
  if (!parts.check && parts.description.empty())
    throw Error(Errc::invalid_request,
                "a requirement has neither a check nor a description that a model could judge by");
  if (parts.kind.empty()) parts.kind = parts.check ? "function" : "judge";
  parts_ = std::make_shared<const Parts>(std::move(parts));
}

Requirement::Requirement(std::string description)
    : Requirement(Parts{.description = std::move(description)}) {}

std::string_view Requirement::title() const noexcept {
  if (!name().empty()) return name();
  return description().empty() ? kind() : description();
}

Requirement Requirement::named(std::string name) const {
  Parts parts = *parts_;
  parts.name = std::move(name);
  return Requirement(std::move(parts));
}

Requirement Requirement::checked_only() const {
  Parts parts = *parts_;
  parts.check_only = true;
  return Requirement(std::move(parts));
}

bool all_passed(const std::vector<Checked>& checks) noexcept {
  return std::all_of(checks.begin(), checks.end(),
                     [](const Checked& checked) { return checked.result.passed; });
}

}  // namespace mellea
