#include "mellea/core/tool.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "mellea/core/error.h"

namespace mellea {
namespace {

using nlohmann::json;

std::string nothing(const Json&, const Call&) { return ""; }

Tool weather() {
  return Tool({.name = "get_weather",
               .parameters = Json::parse(
                   R"({"type":"object","properties":{"city":{"type":"string"},
                       "days":{"type":"integer","minimum":1}},"required":["city"]})")},
              nothing);
}

// A tool of one argument, x.
Tool taking(const std::string& schema) {
  return Tool({.name = "take",
               .parameters = Json::parse(R"({"type":"object","additionalProperties":false,
                   "properties":{"x":)" + schema +
                                         R"(},"required":["x"]})")},
              nothing);
}

std::string refused(const Tool& tool, const std::string& written) {
  try {
    (void)tool.arguments(written);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::invalid_request);
    return error.what();
  }
  return "";
}

// What a tool that takes `schema` is given for `written`; empty: it is refused.
std::string given(const std::string& schema, const std::string& written) {
  try {
    return (*taking(schema).arguments(R"({"x":)" + written + "}"))["x"].dump();
  } catch (const Error&) {
    return "";
  }
}

TEST(ToolTest, GivesTheArgumentsThatAreWhatItsSchemaSays) {
  EXPECT_EQ(weather().arguments(R"({"city":"Boston","days":2})").text(),
            R"({"city":"Boston","days":2})");
  EXPECT_EQ(Tool({.name = "now"}, nothing).arguments("").text(), "{}");
  EXPECT_EQ(Tool({.name = "now"}, nothing).arguments("null").text(), "{}");
}

TEST(ToolTest, TellsTheModelWhatIsWrongWithItsArguments) {
  EXPECT_EQ(refused(weather(), R"({"days":0})"),
            "tool get_weather: city is missing; days must be at least 1, and is 0");
  EXPECT_EQ(refused(weather(), "[1]"),
            "tool get_weather: the arguments must be a JSON object, and are [1]");
  EXPECT_EQ(refused(weather(), "{\"city\":"),
            "tool get_weather: the arguments: not JSON at byte 9");
  EXPECT_EQ(refused(taking(R"({"enum":["celsius","kelvin"]})"), R"({"x":"rankine"})"),
            "tool take: x must be one of \"celsius\", \"kelvin\", and is \"rankine\"");
}

TEST(ToolTest, AnArgumentThatIsNotKnownIsToldWithTheNearestThatIs) {
  const Tool open = weather();
  EXPECT_EQ(refused(open, R"({"citty":"Boston"})"),
            "tool get_weather: city is missing: was \"citty\" meant to be it?");
  json schema = *open.spec().parameters;
  schema["additionalProperties"] = false;
  const Tool closed({.name = "get_weather", .parameters = Json(schema)}, nothing);
  EXPECT_EQ(refused(closed, R"({"city":"Boston","dais":2})"),
            "tool get_weather: dais is not known: did you mean \"days\"?");
  EXPECT_EQ(refused(closed, R"({"city":"Boston","unit":"C"})"),
            "tool get_weather: unit is not known");
}

TEST(ToolTest, RefusesParametersThatNoArgumentsCouldBe) {
  for (const char* schema : {R"({"type":"string"})", R"({"type":["object"]})", "[]", "true"}) {
    EXPECT_THROW(Tool({.name = "x", .parameters = Json::parse(schema)}, nothing), Error) << schema;
  }
  EXPECT_THROW(Tool({.name = ""}, nothing), Error);
  EXPECT_NO_THROW(Tool({.name = "x", .parameters = Json::parse(R"({"odd":1})")}));
}

TEST(ToolTest, WhatIsUncheckedIsToldToTheModelAndHandedOnAsItIs) {
  const Json odd = Json::parse(R"({"type":"object","if":{"required":["a"]},"then":false})");
  EXPECT_THROW(Tool({.name = "odd", .parameters = odd}, nothing), Error);
  const Tool tool = Tool::unchecked({.name = "odd", .parameters = odd}, nothing);
  EXPECT_EQ(tool.spec().parameters.text(), odd.text());
  EXPECT_EQ(tool.arguments(R"({"a":"5","b":null})").text(), R"({"a":"5","b":null})");
  EXPECT_EQ(tool.arguments("").text(), "{}");
  EXPECT_EQ(refused(tool, "[1]"), "tool odd: the arguments must be a JSON object, and are [1]");
  EXPECT_THROW(Tool::unchecked({}, nothing), Error);
}

TEST(ToolTest, ANumberInATextIsANumberIfNothingIsLost) {
  EXPECT_EQ(given(R"({"type":"integer"})", R"("5")"), "5");
  EXPECT_EQ(given(R"({"type":"integer"})", R"(" -3.0 ")"), "-3");
  EXPECT_EQ(given(R"({"type":"integer"})", "5.0"), "5");
  EXPECT_EQ(given(R"({"type":"number"})", R"("1e3")"), "1000.0");
  EXPECT_EQ(given(R"({"type":"number"})", "2"), "2");
  for (const char* lossy : {R"("5.5")", "5.5", R"("five")", R"("")", R"("007")", R"("1e999")",
                            R"("9007199254740993.0")", "true", "null"}) {
    EXPECT_EQ(given(R"({"type":"integer"})", lossy), "") << lossy;
  }
}

TEST(ToolTest, ATextThatIsWantedStaysAsItIs) {
  EXPECT_EQ(given(R"({"type":"string"})", R"("  5 ")"), R"("  5 ")");
  EXPECT_EQ(given(R"({"type":["integer","string"]})", R"("5")"), R"("5")");
  EXPECT_EQ(given(R"({"type":"string"})", "2.5"), R"("2.5")");
  EXPECT_EQ(given(R"({"type":"string"})", "true"), "");
}

TEST(ToolTest, TrueAndFalseMayBeTexts) {
  EXPECT_EQ(given(R"({"type":"boolean"})", R"("true")"), "true");
  EXPECT_EQ(given(R"({"type":"boolean"})", R"("False")"), "false");
  EXPECT_EQ(given(R"({"type":"boolean"})", R"("yes")"), "");
  EXPECT_EQ(given(R"({"type":"boolean"})", "1"), "");
}

TEST(ToolTest, AListOrAnObjectMayBeATextOfJson) {
  const std::string point = R"({"type":"object","properties":{"at":{"type":"integer"}}})";
  EXPECT_EQ(given(point, R"("{\"at\":\"7\"}")"), R"({"at":7})");
  EXPECT_EQ(given(R"({"type":"array","items":{"type":"integer"}})", R"("[1,\"2\"]")"), "[1,2]");
  EXPECT_EQ(weather().arguments(R"("{\"city\":\"Boston\"}")").text(), R"({"city":"Boston"})");
  std::string nested;
  for (int i = 0; i < 300; ++i) nested += '[';
  EXPECT_EQ(given(R"({"type":"array"})", '"' + nested + '"'), "");
}

TEST(ToolTest, ALoneValueIsAListOfOneButNotWithinAList) {
  const std::string numbers = R"({"type":"array","items":{"type":"integer"}})";
  EXPECT_EQ(given(numbers, "5"), "[5]");
  EXPECT_EQ(given(numbers, R"("5")"), "[5]");
  EXPECT_EQ(given(numbers, "null"), "");
  EXPECT_EQ(given(R"({"type":"array","items":{"type":"string"}})", R"("a, b")"), R"(["a, b"])");
  EXPECT_EQ(given(R"({"type":"array","items":{"type":"string"}})", R"("[\"a\"")"), "");
  EXPECT_EQ(given(R"({"type":"array","items":)" + numbers + "}", "[1,2]"), "");
}

TEST(ToolTest, AMissingArgumentIsGivenItsDefaultAtAnyDepth) {
  const Tool tool({.name = "take", .parameters = Json::parse(R"({"type":"object","properties":{
      "unit":{"type":"string","default":"C"},
      "place":{"type":"object","properties":{"zoom":{"$ref":"#/$defs/Zoom"}}},
      "odd":{"type":"string","default":5}},
      "$defs":{"Zoom":{"type":"integer","default":3}}})")},
                  nothing);
  EXPECT_EQ(tool.arguments(R"({"place":{}})").text(), R"({"place":{"zoom":3},"unit":"C"})");
  EXPECT_EQ(tool.arguments(R"({"unit":"F"})").text(), R"({"unit":"F"})");
}

TEST(ToolTest, NullForWhatMayBeMissingIsLeftOut) {
  const Tool tool({.name = "take", .parameters = Json::parse(R"({"type":"object","properties":{
      "city":{"type":"string"},"days":{"type":"integer","default":1},"unit":{"type":"string"},
      "note":{"type":["string","null"]}},"required":["city"]})")},
                  nothing);
  EXPECT_EQ(tool.arguments(R"({"city":"Rome","days":null,"unit":null,"note":null})").text(),
            R"({"city":"Rome","days":1,"note":null})");
  EXPECT_EQ(refused(tool, R"({"city":null})"), "tool take: city must be a string, and is null");
}

TEST(ToolTest, OfAlternativesTheOneThatFitsAsItIsIsTaken) {
  const std::string either = R"({"anyOf":[{"type":"integer"},{"type":"string"}]})";
  EXPECT_EQ(given(either, R"("5")"), R"("5")");
  EXPECT_EQ(given(either, "5"), "5");
  EXPECT_EQ(given(R"({"anyOf":[{"type":"integer"},{"type":"null"}]})", R"("5")"), "5");
  EXPECT_EQ(given(R"({"oneOf":[{"type":"boolean"},{"type":"integer"}]})", R"("5")"), "5");
}

TEST(ToolTest, ArgumentsThatReferToThemselvesAreFittedAllTheWayDown) {
  const Tool tool({.name = "take", .parameters = Json::parse(R"({"type":"object","properties":{
      "value":{"type":"integer"},"children":{"type":"array","items":{"$ref":"#"}}}})")},
                  nothing);
  EXPECT_EQ(
      tool.arguments(R"({"value":"1","children":[{"value":"2","children":{"value":3.0}}]})").text(),
      R"({"children":[{"children":[{"value":3}],"value":2}],"value":1})");
}

TEST(ToolTest, AlternativesWithinAlternativesAreGivenUpAndNotTriedForEver) {
  const Tool tool({.name = "take", .parameters = Json::parse(R"({"type":"object","properties":{
      "x":{"anyOf":[{"type":"object","properties":{"x":{"$ref":"#/properties/x"}}},
                    {"type":"object","properties":{"x":{"$ref":"#/properties/x"}}},
                    {"type":"integer"}]}}})")},
                  nothing);
  std::string deep = R"("no number")";
  for (int i = 0; i < 100; ++i) deep = R"({"x":)" + deep + '}';
  EXPECT_NE(refused(tool, deep), "");
}

// Schemas of a few keywords, and values that are often nearly what they say.
class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}

  json schema(int depth) {
    switch (below(depth > 0 ? 10 : 6)) {
      case 0: return {{"type", "integer"}};
      case 1: return {{"type", "number"}, {"minimum", 2}};
      case 2: return {{"type", "boolean"}};
      case 3: return {{"type", "string"}, {"maxLength", 4}};
      case 4: return {{"enum", {"a", "5", 5}}};
      case 5: return {{"type", {"integer", "null"}}, {"default", 7}};
      case 6: return {{"type", "array"}, {"items", schema(depth - 1)}, {"maxItems", 2}};
      case 7: return {{"anyOf", {schema(depth - 1), schema(depth - 1)}}};
      case 8: return {{"type", {"array", "string"}}, {"prefixItems", {schema(depth - 1)}}};
      default: return object(depth);
    }
  }

  json object(int depth) {
    json properties = json::object();
    json required = json::array();
    for (const char* name : {"a", "b", "c"}) {
      properties[name] = schema(depth - 1);
      if (below(3) == 0) required.push_back(name);
    }
    return {{"type", "object"},
            {"properties", std::move(properties)},
            {"required", std::move(required)},
            {"additionalProperties", below(2) == 0}};
  }

  json value(int depth) {
    switch (below(depth > 0 ? 12 : 9)) {
      case 0: return 5;
      case 1: return 5.0;
      case 2: return 2.5;
      case 3: return "5";
      case 4: return " True ";
      case 5: return nullptr;
      case 6: return below(2) == 0;
      case 7: return "a";
      case 8: return "[1,\"2\"";
      case 9: return value(depth - 1).dump();
      case 10: return json::array({value(depth - 1), value(depth - 1)});
      default: return members(depth);
    }
  }

  json members(int depth) {
    json object = json::object();
    for (const char* name : {"a", "b", "c", "d"})
      if (below(3) > 0) object[name] = value(depth - 1);
    return object;
  }

  int below(int limit) { return std::uniform_int_distribution(0, limit - 1)(engine_); }

 private:
  std::mt19937 engine_;
};

TEST(ToolTest, ArgumentsAreWhatTheSchemaSaysWhateverTheModelWrote) {
  Random random(7);
  int given = 0;
  int changed = 0;
  for (int round = 0; round < 1000; ++round) {
    const Json parameters(random.object(3));
    const Tool tool({.name = "take", .parameters = parameters}, nothing);
    const Schema schema(parameters);
    for (int i = 0; i < 5; ++i) {
      const json written = random.members(3);
      Json arguments;
      try {
        arguments = tool.arguments(written.dump());
      } catch (const Error& error) {
        EXPECT_FALSE(schema.allows(written)) << error.what();
        continue;
      }
      ++given;
      if (*arguments != written) ++changed;
      ASSERT_TRUE(schema.allows(*arguments)) << parameters.text() << '\n' << written;
      ASSERT_EQ(tool.arguments(arguments.text()).text(), arguments.text())
          << parameters.text() << '\n'
          << written;
    }
  }
  EXPECT_GT(given, 100);
  EXPECT_GT(changed, 50);
}

}  // namespace
}  // namespace mellea
