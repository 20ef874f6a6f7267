// How answers are sampled until one is what it has to be.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mellea/core/requirement.h"

namespace mellea {

// One answer of several, and what was found about it.
struct Attempt {
  int iteration = 0;                      // from 1; no two of one sampling have the same
  std::shared_ptr<const Message> said{};  // the message that was answered; never null
  std::shared_ptr<const Reply> reply{};   // never null
  Scope scope{};                          // of its generation
  Times times{};
  std::vector<Checked> checks{};
  std::shared_ptr<const Error> unfit{};  // why it is not of the format asked for; null: it is
  std::optional<double> score{};         // where the strategy compares

  bool ok() const noexcept { return !unfit && all_passed(checks); }
};
using Attempts = std::vector<Attempt>;

// A value: a copy is one reference count.
class Strategy {
 public:
  // What the model is told after an attempt that failed.
  enum class Repair {
    none,        // the same again
    in_prompt,   // the same, with a section on what was wrong
    multi_turn,  // its answer, and then what was wrong with it: the conversation grows
  };
  // One of attempts that all ended: its place. `all` is never empty.
  using Choose = std::function<std::size_t(const Attempts& all)>;
  using Score = std::function<double(const Answer&, const Call&)>;  // the more the better

  struct Parts {
    std::string name{};      // on spans and metrics: one of few
    int budget = 1;          // attempts of one candidate, at most
    int candidates = 1;      // lines of attempts, beside each other
    bool first_wins = true;  // the others are left then; false: all are waited for and compared
    Repair repair = Repair::none;
    Choose choose{};  // among those that are ok, or among all if none is; empty: the first
    Score score{};    // empty: no attempt has one
    Requirements requirements{};  // if there are any: these, and not those of the call
  };
  // Throws Error (Errc::invalid_request) if a number is below one or there is no name.
  explicit Strategy(Parts parts);

  const Parts& parts() const noexcept { return *parts_; }
  const std::string& name() const noexcept { return parts_->name; }
  Strategy with_budget(int budget) const;

 private:
  std::shared_ptr<const Parts> parts_;  // never null
};
// As the reference calls it: "none", "template", "multi_turn".
std::string_view to_string(Strategy::Repair repair) noexcept;

// Again and again, the same question. `budget` counts attempts, not retries.
Strategy rejection(int budget = 2);
// Again, with what was wrong told in the prompt.
Strategy repair(int budget = 2);
// Again, as a conversation: the answer, what was wrong with it, and "try again".
Strategy multi_turn(int budget = 2);
// `count` answers at once; of those that meet the requirements (or of all if none does) the one
// with the best score.
Strategy best_of_n(int count, Strategy::Score score);
// `count` answers at once, and the one that is most like the others. `alike` is symmetric, from 0
// (nothing in common) to 1; empty: the same text, blanks at its ends aside.
using Alike = std::function<double(const Reply&, const Reply&)>;
Strategy majority(int count = 8, Alike alike = {});
// The same strategy, with so many candidates at once.
Strategy in_parallel(const Strategy& strategy, int candidates);

}  // namespace mellea
