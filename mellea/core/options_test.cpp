#include "mellea/core/options.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "mellea/core/error.h"

namespace mellea {
namespace {

std::string refusal(std::string_view name, std::string_view value) {
  ModelOptions options;
  try {
    set_option(options, name, value);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::invalid_request);
    return error.what();
  }
  return "accepted";
}

TEST(OptionsTest, AnOptionIsUnsetSetOrOff) {
  const Option<int> unset;
  const Option<int> set = 3;
  const Option<int> none = off;
  EXPECT_FALSE(unset.is_set() || unset.is_off());
  EXPECT_TRUE(set.is_set());
  EXPECT_TRUE(none.is_off() && !none.is_set());
  EXPECT_EQ(*unset.or_else(set), 3);
  EXPECT_TRUE(none.or_else(set).is_off());
}

TEST(OptionsTest, TheNearerLevelWinsAndMayTakeBack) {
  const ModelOptions both =
      merged({.temperature = 0.1, .seed = off}, {.temperature = 0.9, .max_tokens = 64, .seed = 7});
  EXPECT_EQ(*both.temperature, 0.1);
  EXPECT_EQ(*both.max_tokens, 64);
  EXPECT_TRUE(both.seed.is_off());
}

TEST(OptionsTest, ExtrasAreMergedMemberByMember) {
  const ModelOptions both =
      merged({.extra = Json::parse(R"({"a":1})")}, {.extra = Json::parse(R"({"a":0,"b":2})")});
  EXPECT_EQ(both.extra.text(), R"({"a":1,"b":2})");
}

TEST(OptionsTest, EachNameTakesAValueOfItsType) {
  for (const auto& [name, type] : option_names()) {
    ModelOptions options;
    switch (type) {
      case OptionName::Type::number: set_option(options, name, "0.5"); break;
      case OptionName::Type::whole_number: set_option(options, name, "5"); break;
      case OptionName::Type::boolean: set_option(options, name, "true"); break;
      case OptionName::Type::text:
      case OptionName::Type::texts: set_option(options, name, "low"); break;
    }
    EXPECT_EQ(names_of_set(options), std::vector{name});
  }
}

TEST(OptionsTest, ReadsEveryKindFromText) {
  ModelOptions options;
  set_option(options, "temperature", "0.25");
  set_option(options, "max_tokens", "64");
  set_option(options, "logprobs", "true");
  set_option(options, "stop", "END");
  set_option(options, "stop", "\n");
  set_option(options, "think", "low");
  set_option(options, "x.mirostat", "2");
  set_option(options, "x.word", "plain");
  EXPECT_EQ(*options.temperature, 0.25);
  EXPECT_EQ(*options.max_tokens, 64);
  EXPECT_TRUE(*options.logprobs);
  EXPECT_EQ(*options.stop, (std::vector<std::string>{"END", "\n"}));
  EXPECT_EQ(*options.think, "low");
  EXPECT_EQ(options.extra.text(), R"({"mirostat":2,"word":"plain"})");
}

TEST(OptionsTest, ARefusalNamesWhatWasWrongAndWhatToDo) {
  EXPECT_EQ(refusal("temperatur", "1"),
            "unknown option \"temperatur\": did you mean \"temperature\"?");
  EXPECT_EQ(refusal("mirostat", "1"),
            "unknown option \"mirostat\": x.mirostat=VALUE passes it on as it is");
  EXPECT_EQ(refusal("temperature", "warm"), "option temperature: \"warm\" is not a number");
  EXPECT_EQ(refusal("seed", "1.5"), "option seed: \"1.5\" is not a whole number");
  EXPECT_EQ(refusal("seed", "99999999999999999999"),
            "option seed: \"99999999999999999999\" is not a whole number");
  EXPECT_EQ(refusal("logprobs", "yes"), "option logprobs: \"yes\" is not true or false");
  EXPECT_EQ(refusal("think", "hard"),
            "option think: \"hard\" is not none, minimal, low, medium, high, on or off");
}

TEST(JsonTest, RefusesWhatIsNoneOrTooDeep) {
  EXPECT_THROW(Json::parse("{"), Error);
  EXPECT_THROW(Json::parse(std::string(100'000, '[') + std::string(100'000, ']')), Error);
  EXPECT_EQ(Json::parse(R"({"a":[1,2]})").text(), R"({"a":[1,2]})");
}

TEST(JsonTest, BracketsInStringsAreNoDepth) {
  EXPECT_FALSE(nests_deeper_than(R"(["[[[[\"[[["])", 1));
  EXPECT_TRUE(nests_deeper_than("[[", 1));
}

TEST(JsonTest, NoDocumentIsNotNull) {
  EXPECT_FALSE(Json());
  EXPECT_TRUE(Json::parse("null"));
}

}  // namespace
}  // namespace mellea
