#include "mellea/runtime/typed_result.h"

#include <gtest/gtest.h>

namespace kitchen {

enum class Course { starter, main, dessert };
MELLEA_DESCRIBE_ENUM(Course, starter, main, dessert)

struct Step {
  std::string text;
  int minutes = 0;
};
MELLEA_DESCRIBE(Step, text, minutes)

struct Recipe {
  std::string title;
  Course course = Course::starter;
  std::vector<Step> steps;
  std::optional<Step> rest;
  std::optional<std::string> note;
  int servings = 4;
};
MELLEA_DESCRIBE(Recipe, title, course, steps, rest, note, servings)

}  // namespace kitchen

namespace mellea {
namespace {

using kitchen::Course;
using kitchen::Recipe;

Typed<Recipe> typed(std::string text) {
  return Typed<Recipe>(
      Result({.reply = std::make_shared<const Reply>(Reply{.text = std::move(text)})}));
}

std::string refusal(const Typed<Recipe>& result) {
  try {
    (void)result.value();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::parse_error);
    EXPECT_EQ(error.partial_text(), result.text());
    return error.what();
  }
  return "";
}

TEST(TypedResultTest, IsTheTextAndTheValue) {
  const Typed<Recipe> soup = typed(R"({"title":"Soup","course":"main",
      "steps":[{"text":"Chop","minutes":5},{"text":"Boil","minutes":20}],
      "rest":{"text":"Cool","minutes":3},"note":"hot"})");
  ASSERT_TRUE(soup.has_value());
  EXPECT_EQ(soup.value().title, "Soup");
  EXPECT_EQ(soup.value().course, Course::main);
  ASSERT_EQ(soup.value().steps.size(), 2U);
  EXPECT_EQ(soup.value().steps[1].minutes, 20);
  EXPECT_EQ(soup.value().rest.value().text, "Cool");
  EXPECT_EQ(soup.value().note, "hot");
  EXPECT_EQ(soup.value().servings, 4);
  EXPECT_TRUE(soup.text().starts_with("{\"title\""));
  EXPECT_EQ(typed(soup.text()).value().title, "Soup");  // moved out of the temporary
}

TEST(TypedResultTest, WhatIsOptionalMayBeMissingOrNull) {
  const Typed<Recipe> bread = typed(
      "```json\n{\"title\":\"Bread\",\"course\":\"starter\","
      "\"steps\":[],\"rest\":null,\"servings\":2}\n```");
  EXPECT_EQ(bread.value().rest.has_value(), false);
  EXPECT_EQ(bread.value().note, std::nullopt);
  EXPECT_EQ(bread.value().servings, 2);
}

TEST(TypedResultTest, AnAnswerThatDoesNotFitSaysWhere) {
  EXPECT_EQ(
      refusal(typed(R"({"title":"Soup","course":"lunch","servings":"four",
                              "steps":[{"text":"Chop","minutes":5},{"text":"Boil"}]})")),
      "the answer is no Recipe: course must be one of \"starter\", \"main\", \"dessert\", and "
      "is \"lunch\"; servings must be an integer, and is a string; steps[1].minutes is "
      "missing");
  EXPECT_EQ(refusal(typed(R"({"titel":"Soup","course":"main","steps":[]})")),
            "the answer is no Recipe: title is missing; titel is not known: did you mean "
            "\"title\"?");
  EXPECT_EQ(
      refusal(typed(R"({"title":"Soup","course":"main","steps":[],"rest":{"text":1}})")),
      "the answer is no Recipe: rest.minutes is missing; rest.text must be a string, and is an "
      "integer");
  EXPECT_EQ(refusal(typed("Soup!")), "the answer is not JSON at byte 1: \"Soup!\"");
  EXPECT_FALSE(typed("Soup!").has_value());
}

}  // namespace
}  // namespace mellea
