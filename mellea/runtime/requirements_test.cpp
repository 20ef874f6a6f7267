#include "mellea/runtime/requirements.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "mellea/core/error.h"

namespace mellea {
namespace {

ValidationResult found(const Requirement& requirement, const Reply& reply) {
  const Scope scope;
  return requirement.check()({reply, Context::simple()}, {scope, {}});
}

ValidationResult found(const Requirement& requirement, std::string text) {
  return found(requirement, Reply{.text = std::move(text)});
}

// "code: reason"; empty: it passed.
template <class Answered>
std::string failure(const Requirement& requirement, const Answered& answered) {
  const ValidationResult result = found(requirement, answered);
  return result.passed ? "" : result.code + ": " + result.reason;
}

template <class Make>
std::string refusal(const Make& make) {
  try {
    make();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::invalid_request);
    return error.what();
  }
  return "";
}

TEST(RequirementsTest, ARegexIsFoundAnywhereInTheAnswer) {
  const Requirement haiku = regex("three lines", R"(^[^\n]+\n[^\n]+\n[^\n]+$)");
  EXPECT_EQ(haiku.kind(), "regex");
  EXPECT_EQ(haiku.description(), "three lines");
  EXPECT_EQ(failure(haiku, "a\nb\nc"), "");
  EXPECT_EQ(failure(haiku, "a\nb"),
            "no_match: must match the regular expression /^[^\\n]+\\n[^\\n]+\\n[^\\n]+$/, and does "
            "not");
  EXPECT_EQ(failure(not_regex("calm", "storm|rain"), "the sea"), "");
  EXPECT_EQ(failure(not_regex("calm", "storm|rain"), "brains"),
            "match: must not match the regular expression /storm|rain/, and has \"rain\"");
}

TEST(RequirementsTest, ARegexThatIsNoneIsRefusedBeforeAnyCall) {
  EXPECT_EQ(refusal([] { regex("no rain", "(?!rain)"); }),
            "requirement \"no rain\": regex: look-ahead \"(?!\" is not supported (RE2): use "
            "not_regex or a second requirement");
  EXPECT_EQ(refusal([] { not_regex("pairs", R"((a)\1)"); }),
            "requirement \"pairs\": regex: the back-reference \"\\1\" is not supported (RE2)");
}

TEST(RequirementsTest, ATextIsThereOrIsNot) {
  EXPECT_EQ(contains("water").description(), "contains \"water\"");
  EXPECT_EQ(failure(contains("water"), "waterfall"), "");
  EXPECT_EQ(failure(contains("wet", "water"), "Water"),
            "missing_text: must contain \"water\", and does not");
  EXPECT_EQ(contains("wet", "water").description(), "wet");
  EXPECT_EQ(failure(not_contains("storm"), "calm"), "");
  EXPECT_EQ(failure(not_contains("storm"), "storms"),
            "unwanted_text: must not contain \"storm\", and does");
  EXPECT_EQ(refusal([] { contains(""); }), "contains: an empty text is in every answer");
}

TEST(RequirementsTest, WordsAreWhatBlanksSeparate) {
  EXPECT_EQ(max_words(3).description(), "has at most 3 words");
  EXPECT_EQ(failure(max_words(3), "\n one  two\tthree\n"), "");
  EXPECT_EQ(failure(max_words(3), "one two three four"),
            "too_many_words: must have at most 3 words, and has 4");
  EXPECT_EQ(failure(min_words("wordy", 1), " \n"),
            "too_few_words: must have at least 1 word, and has 0");
}

TEST(RequirementsTest, CharactersAreCodePoints) {
  EXPECT_EQ(failure(max_chars(3), "äöü"), "");
  EXPECT_EQ(failure(max_chars(3), "äöüß"),
            "too_many_chars: must have at most 3 characters, and has 4");
  EXPECT_EQ(failure(min_chars(2), "ä"),
            "too_few_chars: must have at least 2 characters, and has 1");
}

TEST(RequirementsTest, TheLastLineNeedNotBeEnded) {
  for (const char* three : {"a\n\nc", "a\nb\nc\n"}) {
    EXPECT_EQ(failure(max_lines(3), three), "") << three;
    EXPECT_EQ(failure(min_lines(3), three), "") << three;
  }
  EXPECT_EQ(failure(min_lines(1), ""), "too_few_lines: must have at least 1 line, and has 0");
  EXPECT_EQ(failure(max_lines(1), "a\nb"), "too_many_lines: must have at most 1 line, and has 2");
}

TEST(RequirementsTest, ASchemaSaysWhatIsWrongAndWhere) {
  const Requirement person = schema("a person", Json::parse(R"({"type":"object","required":["name"],
          "properties":{"name":{"type":"string"},"age":{"type":"integer"}}})"));
  EXPECT_EQ(failure(person, "```json\n{\"name\":\"Ada\",\"age\":36}\n```"), "");
  EXPECT_EQ(failure(person, R"({"age":"old"})"),
            "schema_mismatch: name is missing; age must be an integer, and is a string");
  EXPECT_EQ(failure(person, "Ada"), "not_json: the answer is not JSON at byte 1: \"Ada\"");
  EXPECT_NE(refusal([] { schema("odd", Json::parse(R"({"type":"strin"})")); }), "");
}

TEST(RequirementsTest, AFunctionMayTakeTheTextOrTheAnswerAndACall) {
  const Reply reply{.text = "abc"};
  for (const Requirement& requirement :
       {function("f", [](const std::string&text) { return text == "abc"; }),
        function("f", [](std::string_view text) { return text == "abc"; }),
        function("f", [](std::string text, const Call&) { return text == "abc"; }),
        function("f", [](const Answer&answer) { return answer.reply.text == "abc"; }),
        function("f",
                 [](const Answer&answer, const Call&) { return answer.context.size() == 0; })}) {
    EXPECT_EQ(failure(requirement, reply), "");
    EXPECT_EQ(requirement.kind(), "function");
  }
}

TEST(RequirementsTest, AFunctionMayReturnABoolAPairOrAllThereIs) {
  EXPECT_EQ(failure(function("is calm", [](const std::string&) { return false; }), "x"),
            "failed: is calm");
  EXPECT_EQ(
      failure(function("is calm", [](const std::string&) { return std::pair(false, "it roars"); }),
              "x"),
      "failed: it roars");
  const Requirement scored = function("is calm", [](const std::string&) {
    return ValidationResult{.reason = "it roars", .code = "roar", .score = 0.25};
  });
  EXPECT_EQ(failure(scored, "x"), "roar: it roars");
  EXPECT_EQ(found(scored, "x").score, 0.25);
}

TEST(RequirementsTest, AToolHasToBeCalled) {
  const Requirement weather = uses_tool("get_weather");
  EXPECT_EQ(failure(weather, Reply{.tool_calls = {{.name = "get_weather"}}}), "");
  EXPECT_EQ(failure(weather, "22 C"),
            "tool_not_called: must call the tool get_weather, and calls none");
  EXPECT_EQ(failure(weather, Reply{.tool_calls = {{.name = "a"}, {.name = "b"}}}),
            "tool_not_called: must call the tool get_weather, and calls a, b");
}

TEST(RequirementsTest, AToolArgumentIsCheckedInEveryCallThatHasIt) {
  const auto is_rome = [](const Json& value) { return *value == "Rome"; };
  const Requirement rome =
      tool_argument("asks for Rome", {.tool = "get_weather", .argument = "city"}, is_rome);
  const auto calling = [](std::string name, std::string arguments) {
    return Reply{.tool_calls = {{.name = "get_weather", .arguments = R"({"city":"Rome"})"},
                                {.name = std::move(name), .arguments = std::move(arguments)}}};
  };
  EXPECT_EQ(failure(rome, calling("get_time", R"({"city":"Oslo"})")), "");
  EXPECT_EQ(failure(rome, calling("get_weather", "{}")), "");
  EXPECT_EQ(failure(rome, calling("get_weather", R"({"city":"Oslo"})")),
            "tool_argument: asks for Rome");
  EXPECT_EQ(failure(rome, calling("get_weather", "{")),
            "not_json: the arguments of get_weather must be a JSON object");
  EXPECT_EQ(failure(rome, "Rome"),
            "tool_argument_missing: must call the tool get_weather with the argument city");
  const Requirement any = tool_argument("asks for Rome", {.argument = "city"}, is_rome);
  EXPECT_EQ(failure(any, calling("get_time", R"({"city":"Oslo"})")),
            "tool_argument: asks for Rome");
  EXPECT_EQ(refusal([&] { tool_argument("odd", {}, is_rome); }),
            "requirement \"odd\": tool_argument: no argument is named");
}

TEST(RequirementsTest, WhatIsOnlyCheckedIsNotTold) {
  EXPECT_TRUE(check(max_words(3)).check_only());
  EXPECT_TRUE(check("rhymes").check_only());
  EXPECT_TRUE(judge("rhymes").judged());
  EXPECT_FALSE(judge("rhymes").check_only());
}

}  // namespace
}  // namespace mellea
