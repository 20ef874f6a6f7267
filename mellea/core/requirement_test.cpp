#include "mellea/core/requirement.h"

#include <gtest/gtest.h>

#include "mellea/core/error.h"

namespace mellea {
namespace {

ValidationResult yes(const Answer&, const Call&) { return {.passed = true}; }

TEST(RequirementTest, ATextAloneIsJudgedByAModel) {
  const Requirement rhymes = "rhymes";
  EXPECT_TRUE(rhymes.judged());
  EXPECT_EQ(rhymes.kind(), "judge");
  EXPECT_EQ(rhymes.description(), "rhymes");
}

TEST(RequirementTest, NeedsACheckOrADescription) {
  EXPECT_THROW(Requirement(Requirement::Parts{.name = "nothing"}), Error);
  EXPECT_EQ(Requirement(Requirement::Parts{.check = yes}).kind(), "function");
}

TEST(RequirementTest, IsKnownByItsNameElseItsDescriptionElseItsKind) {
  const Requirement plain(Requirement::Parts{.check = yes});
  EXPECT_EQ(plain.title(), "function");
  const Requirement described(Requirement::Parts{.description = "is short", .check = yes});
  EXPECT_EQ(described.title(), "is short");
  EXPECT_EQ(described.named("short").title(), "short");
}

TEST(RequirementTest, ACopyIsTheSameOneAndOneLikeItIsNot) {
  const Requirement one = "rhymes";
  const Requirement copy = one;
  EXPECT_EQ(one, copy);
  EXPECT_NE(one, Requirement("rhymes"));
  EXPECT_TRUE(one.checked_only().check_only());
  EXPECT_FALSE(one.check_only());
}

}  // namespace
}  // namespace mellea
