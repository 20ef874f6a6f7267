#include "mellea/core/strategy.h"

#include <cmath>
#include <utility>

#include "mellea/core/text.h"

namespace mellea {
namespace {

void refuse_below_one(int number, std::string_view what) {
  if (number < 1)
    throw Error(Errc::invalid_request, "strategy: " + std::string(what) + " is " +
                                           std::to_string(number) + ": at least 1");
}

// The first of the best.
template <class ValueOf>
std::size_t place_of_best(std::size_t size, ValueOf value_of) {
  std::size_t best = 0;
  for (std::size_t place = 1; place < size; ++place)
    if (value_of(place) > value_of(best)) best = place;
  return best;
}

double same_text(const Reply& a, const Reply& b) {
  return trimmed(a.text) == trimmed(b.text) ? 1 : 0;
}

}  // namespace

Strategy::Strategy(Parts parts) {
  if (parts.name.empty()) throw Error(Errc::invalid_request, "strategy: it has no name");
  refuse_below_one(parts.budget, "budget");
  refuse_below_one(parts.candidates, "candidates");
  parts_ = std::make_shared<const Parts>(std::move(parts));
}

Strategy Strategy::with_budget(int budget) const {
  Parts parts = *parts_;
  parts.budget = budget;
  return Strategy(std::move(parts));
}

std::string_view to_string(Strategy::Repair repair) noexcept {
  switch (repair) {
    case Strategy::Repair::none: return "none";
    case Strategy::Repair::in_prompt: return "template";
    case Strategy::Repair::multi_turn: break;
  }
  return "multi_turn";
}

Strategy rejection(int budget) {
  return Strategy({.name = "RejectionSamplingStrategy", .budget = budget});
}

Strategy repair(int budget) {
  return Strategy(
      {.name = "RepairTemplateStrategy", .budget = budget, .repair = Strategy::Repair::in_prompt});
}

// Of answers that each built on the one before, the last is worth most.
Strategy multi_turn(int budget) {
  return Strategy({.name = "MultiTurnStrategy",
                   .budget = budget,
                   .repair = Strategy::Repair::multi_turn,
                   .choose = [](const Attempts& all) { return all.size() - 1; }});
}

Strategy best_of_n(int count, Strategy::Score score) {
  if (!score) throw Error(Errc::invalid_request, "best_of_n: it has no function that scores");
  return Strategy({.name = "BestOfNStrategy",
                   .candidates = count,
                   .first_wins = false,
                   .choose =
                       [](const Attempts& all) {
                         return place_of_best(all.size(), [&](std::size_t place) {
                           return all[place].score.value_or(0);
                         });
                       },
                   .score = std::move(score)});
}

Strategy majority(int count, Alike alike) {
  if (!alike) alike = same_text;
  return Strategy(
      {.name = "MajorityVotingStrategy",
       .candidates = count,
       .first_wins = false,
       .choose = [alike = std::move(alike)](const Attempts& all) {
         std::vector<double> likeness(all.size(), 1);
         for (std::size_t a = 0; a < all.size(); ++a)
           for (std::size_t b = a + 1; b < all.size(); ++b) {
             const double both = alike(*all[a].reply, *all[b].reply);
             if (std::isnan(both))
               throw Error(Errc::invalid_request, "majority: the likeness is no number");
             likeness[a] += both;
             likeness[b] += both;
           }
         return place_of_best(all.size(), [&](std::size_t place) { return likeness[place]; });
       }});
}

Strategy in_parallel(const Strategy& strategy, int candidates) {
  Strategy::Parts parts = strategy.parts();
  parts.candidates = candidates;
  return Strategy(std::move(parts));
}

}  // namespace mellea
