#include "mellea/core/strategy.h"

#include <gtest/gtest.h>

#include <cmath>

namespace mellea {
namespace {

Attempt said(std::string text, std::optional<double> score = {}) {
  return {.reply = std::make_shared<const Reply>(Reply{.text = std::move(text)}), .score = score};
}

TEST(StrategyTest, RefusesWhatCanNotBeCarriedOut) {
  EXPECT_THROW(rejection(0), Error);
  EXPECT_THROW(majority(-1), Error);
  EXPECT_THROW(best_of_n(2, nullptr), Error);
  EXPECT_THROW(Strategy({.name = ""}), Error);
  try {
    rejection(0);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::invalid_request);
    EXPECT_STREQ(error.what(), "strategy: budget is 0: at least 1");
  }
}

TEST(StrategyTest, TakesTheFirstOfTheBestScores) {
  const Strategy strategy = best_of_n(3, [](const Answer&, const Call&) { return 0.0; });
  EXPECT_EQ(strategy.parts().choose({said("a", 1), said("b", 3), said("c", 3), said("d")}), 1U);
}

TEST(StrategyTest, TakesWhatMostAnswersSay) {
  const auto choose = majority(5).parts().choose;
  EXPECT_EQ(choose({said("41"), said("42"), said(" 42\n"), said("40"), said("42")}), 1U);
  EXPECT_EQ(choose({said("1"), said("2")}), 0U);
}

TEST(StrategyTest, ComparesByTheUsersOwnLikeness) {
  const auto choose = majority(3,
                               [](const Reply& a, const Reply& b) {
                                 return 1 / (1 + std::abs(std::stod(a.text) - std::stod(b.text)));
                               })
                          .parts()
                          .choose;
  EXPECT_EQ(choose({said("1"), said("5"), said("6"), said("100")}), 1U);
}

TEST(StrategyTest, AnAttemptIsOkIfItFitsAndMeetsAll) {
  Attempt attempt = said("x");
  EXPECT_TRUE(attempt.ok());
  attempt.checks.push_back({.requirement = "rhymes", .result = {.passed = false}});
  EXPECT_FALSE(attempt.ok());
  attempt.checks.clear();
  attempt.unfit = std::make_shared<const Error>(Errc::parse_error, "no JSON");
  EXPECT_FALSE(attempt.ok());
}

}  // namespace
}  // namespace mellea
