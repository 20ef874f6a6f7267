// What an answer has to be, and how that is found out.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/core/call.h"
#include "mellea/core/context.h"
#include "mellea/core/reply.h"

namespace mellea {

// What a check found.
struct ValidationResult {
  bool passed = false;
  std::string reason{};           // for people and for the model, which is told what to mend
  std::string code{};             // for programs and metrics: [a-z0-9_]{1,40}; may be empty
  std::optional<double> score{};  // the more the better
  std::shared_ptr<const Reply> judgement{};  // of the model that judged; null: none did
};

// What is to be checked.
struct Answer {
  const Reply& reply;
  const Context& context;  // what was said before
};

using Check = std::function<ValidationResult(const Answer&, const Call&)>;

// A value: a copy is one reference count. Any thread may read it; `check` may be called by several
// at once. A text alone is a requirement that a model judges.
class Requirement {
 public:
  struct Parts {
    std::string name{};         // for metrics and people: one of few; empty: the kind
    std::string_view kind{};    // "regex", "judge", ...: static lifetime
    std::string description{};  // what the model is told, and judged by; empty: nothing
    Check check{};              // empty: a model judges
    bool check_only = false;    // the model is not told of it
    bool slow = false;          // the check waits for something: others may run beside it
  };

  // Throws Error (Errc::invalid_request) if neither a description nor a check is given.
  explicit Requirement(Parts parts);
  Requirement(std::string description);  // NOLINT: {.requirements = {"rhymes"}}
  Requirement(const char* description) : Requirement(std::string(description)) {}  // NOLINT

  const std::string& name() const noexcept { return parts_->name; }
  std::string_view kind() const noexcept { return parts_->kind; }
  const std::string& description() const noexcept { return parts_->description; }
  const Check& check() const noexcept { return parts_->check; }
  bool check_only() const noexcept { return parts_->check_only; }
  bool slow() const noexcept { return parts_->slow; }
  bool judged() const noexcept { return !parts_->check; }
  // By what people know it: the name, else the description, else the kind.
  std::string_view title() const noexcept;

  Requirement named(std::string name) const;
  Requirement checked_only() const;  // the same, but the model is not told of it

  // The same one, not one like it.
  friend bool operator==(const Requirement& a, const Requirement& b) noexcept {
    return a.parts_ == b.parts_;
  }

 private:
  std::shared_ptr<const Parts> parts_;  // never null
};
using Requirements = std::vector<Requirement>;

// A requirement, and what was found.
struct Checked {
  Requirement requirement;
  ValidationResult result{};
};
bool all_passed(const std::vector<Checked>& checks) noexcept;

}  // namespace mellea
