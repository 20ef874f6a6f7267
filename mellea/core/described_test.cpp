#include "mellea/core/described.h"

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
  std::optional<std::string> note;
  int servings = 4;
  std::map<std::string, double> amounts;
};
MELLEA_DESCRIBE_WITH(Recipe, (title, "as on a menu"), (course, ""), (steps, ""), (note, ""),
                     (servings, ""), (amounts, ""))

struct Tree {
  int value = 0;
  std::vector<Tree> children;
};
MELLEA_DESCRIBE(Tree, value, children)

struct Odd {
  std::variant<std::string, Step> either;
  std::optional<Course> course;
  std::array<std::uint8_t, 2> pair{};
  std::set<std::string> tags;
  nlohmann::json any;
};
MELLEA_DESCRIBE(Odd, either, course, pair, tags, any)

struct Number {
  std::variant<int, std::int64_t> value;
};
MELLEA_DESCRIBE(Number, value)

}  // namespace kitchen

namespace bakery {

struct Step {
  kitchen::Step inner;
};
MELLEA_DESCRIBE(Step, inner)

}  // namespace bakery

namespace mellea {
namespace {

using kitchen::Course;
using kitchen::Odd;
using kitchen::Recipe;
using kitchen::Tree;
using nlohmann::json;

template <class T>
std::string refusal(std::string_view text) {
  try {
    read_described<T>(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::parse_error);
    EXPECT_TRUE(error.details().unfit);
    return error.what();
  }
  return "";
}

TEST(Described, AStructIsAnObjectWithItsMembers) {
  EXPECT_EQ(*schema_of<Recipe>(), json::parse(R"({"type":"object","additionalProperties":false,
    "required":["title","course","steps","amounts"],
    "properties":{
      "title":{"type":"string","description":"as on a menu"},
      "course":{"type":"string","enum":["starter","main","dessert"]},
      "steps":{"type":"array","items":{"type":"object","additionalProperties":false,
        "required":["text","minutes"],
        "properties":{"text":{"type":"string"},"minutes":{"type":"integer"}}}},
      "note":{"type":["string","null"]},
      "servings":{"type":"integer","default":4},
      "amounts":{"type":"object","additionalProperties":{"type":"number"}}}})"));
  EXPECT_EQ(format_of<Recipe>().name, "Recipe");
}

TEST(Described, WhatContainsItselfIsReferredTo) {
  EXPECT_EQ(*schema_of<Tree>(), json::parse(R"({"$ref":"#/$defs/Tree","$defs":{"Tree":{
    "type":"object","additionalProperties":false,"required":["value","children"],
    "properties":{"value":{"type":"integer"},
                  "children":{"type":"array","items":{"$ref":"#/$defs/Tree"}}}}}})"));
  const Tree tree = read_described<Tree>(
      R"({"value":1,"children":[{"value":2,"children":[]},{"value":3,"children":[]}]})");
  ASSERT_EQ(tree.children.size(), 2U);
  EXPECT_EQ(tree.children[1].value, 3);
}

TEST(Described, ReadsWhatAModelWrote) {
  const Recipe recipe = read_described<Recipe>(
      "```json\n"
      R"({"title":"Soup","course":"main",
    "steps":[{"text":"Boil","minutes":10}],"amounts":{"salt":0.5}})"
      "\n```\n");
  EXPECT_EQ(recipe.title, "Soup");
  EXPECT_EQ(recipe.course, Course::main);
  EXPECT_EQ(recipe.steps.at(0).minutes, 10);
  EXPECT_EQ(recipe.note, std::nullopt);
  EXPECT_EQ(recipe.servings, 4);
  EXPECT_EQ(recipe.amounts.at("salt"), 0.5);
}

TEST(Described, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(
      refusal<Recipe>(R"({"title":"Soup","course":"lunch","steps":[{"text":"Boil"}],
                              "amounts":{}})"),
      "the answer is no Recipe: course must be one of \"starter\", \"main\", \"dessert\", and "
      "is \"lunch\"; steps[0].minutes is missing");
  EXPECT_EQ(refusal<Recipe>("Sure! Here is"),
            "the answer is not JSON at byte 1: \"Sure! Here is\"");
  EXPECT_EQ(refusal<Recipe>(std::string(300, '[') + std::string(300, ']')),
            "the answer is nested more than 256 deep");
  EXPECT_NE(refusal<kitchen::Step>(R"({"text":"a","minutes":99999999999})"), "");
}

TEST(Described, ANumberThatIsTooLargeIsNoAnswer) {
  EXPECT_NE(refusal<kitchen::Step>(R"({"text":"a","minutes":1e999})"), "");
  EXPECT_THROW(Json::parse("1e999"), Error);
}

TEST(Described, OneNameMayBeOfTwoTypes) {
  EXPECT_EQ((*schema_of<bakery::Step>())["properties"]["inner"]["properties"]["minutes"]["type"],
            "integer");
}

TEST(Described, TheAlternativeThatFitsIsTaken) {
  const auto big = read_described<kitchen::Number>(R"({"value":3000000000})");
  EXPECT_EQ(std::get<std::int64_t>(big.value), 3'000'000'000);
}

TEST(Described, AllShapesGoThereAndBack) {
  const Odd odd = read_described<Odd>(
      R"({"either":{"text":"Stir","minutes":1},"course":null,"pair":[1,255],"tags":["b","a"],
          "any":[1,{"x":null}]})");
  EXPECT_EQ(std::get<kitchen::Step>(odd.either).text, "Stir");
  EXPECT_EQ(odd.course, std::nullopt);
  EXPECT_EQ(odd.pair[1], 255);
  EXPECT_EQ(to_json(odd).text(),
            R"({"any":[1,{"x":null}],"course":null,"either":{"minutes":1,"text":"Stir"},)"
            R"("pair":[1,255],"tags":["a","b"]})");
  const Odd again = read_described<Odd>(to_json(odd).text());
  EXPECT_EQ(to_json(again).text(), to_json(odd).text());
  EXPECT_NE(refusal<Odd>(R"({"either":"a","course":"main","pair":[1,256],"tags":[],"any":1})"), "");
}

}  // namespace
}  // namespace mellea
