#include "mellea/core/schema.h"

#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "mellea/core/error.h"

namespace mellea {
namespace {

using nlohmann::json;

// What is wrong, one line each.
std::string problems(const char* schema, const char* value) {
  std::string all;
  for (const SchemaProblem& problem : Schema(Json::parse(schema)).check(json::parse(value)))
    all += to_string(problem) + '\n';
  return all;
}

std::string refusal(const char* schema) {
  try {
    const Schema read(Json::parse(schema));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::invalid_request);
    return error.what();
  }
  return "";
}

TEST(Schema, NamesThePathOfWhatIsWrong) {
  constexpr const char* kRecipe = R"({"type":"object","required":["title","steps"],
      "properties":{"title":{"type":"string","minLength":1},
                    "steps":{"type":"array","minItems":1,"items":{"$ref":"#/$defs/step"}}},
      "additionalProperties":false,
      "$defs":{"step":{"type":"object","required":["minutes"],
                       "properties":{"minutes":{"type":"integer","minimum":0}}}}})";
  EXPECT_EQ(problems(kRecipe, R"({"title":"Soup","steps":[{"minutes":5}]})"), "");
  EXPECT_EQ(problems(kRecipe, R"({"title":"","steps":[{"minutes":5},{"minutes":-1},{}],"x y":1})"),
            "steps[1].minutes must be at least 0, and is -1\n"
            "steps[2].minutes is missing\n"
            "title must have at least 1 character, and has 0\n"
            "[\"x y\"] is not known\n");
  EXPECT_EQ(problems(kRecipe, "[]"), "the value must be an object, and is an array\n");
}

TEST(Schema, SaysWhatAValueMayBe) {
  EXPECT_EQ(problems(R"({"enum":["a","b",null]})", "\"c\""),
            "the value must be one of \"a\", \"b\", null, and is \"c\"\n");
  EXPECT_EQ(problems(R"({"const":{"a":1}})", R"({"a":1.0})"), "");
  EXPECT_EQ(problems(R"({"type":["string","null"]})", "1"),
            "the value must be a string, null, and is an integer\n");
  EXPECT_EQ(problems(R"({"anyOf":[{"type":"string"},{"minimum":3}]})", "1"),
            "the value is none of the things that it may be: the value must be a string, and is an "
            "integer, the value must be at least 3, and is 1\n");
  EXPECT_EQ(problems(R"({"oneOf":[{"minimum":1},{"minimum":3}]})", "4"),
            "the value is more than one of the things of which it must be one\n");
}

TEST(Schema, LengthsAreOfCharactersAndPatternsAreNotAnchored) {
  EXPECT_EQ(problems(R"({"maxLength":3})", "\"n\xC3\xA4m\""), "");
  EXPECT_EQ(problems(R"({"pattern":"b+"})", R"("abc")"), "");
  EXPECT_EQ(problems(R"({"pattern":"^b"})", R"("abc")"),
            "the value must match /^b/, and is \"abc\"\n");
}

TEST(Schema, TellsNoMoreThanIsAskedFor) {
  const Schema schema(Json::parse(R"({"items":{"type":"string"}})"));
  EXPECT_EQ(schema.check(json::parse("[1,2,3,4]"), 2).size(), 2U);
  EXPECT_FALSE(schema.allows(json::parse("[1]")));
}

TEST(Schema, RefusesWhatItWouldPassOver) {
  EXPECT_EQ(refusal(R"({"properties":{"a":{"maxlength":3}}})"),
            "schema: properties.a: the keyword \"maxlength\" is not supported: did you mean "
            "\"maxLength\"?");
  EXPECT_EQ(refusal(R"({"not":{}})"), "schema: the whole: the keyword \"not\" is not supported");
  EXPECT_EQ(refusal(R"({"type":"text"})"), "schema: type: \"text\" is no type");
  EXPECT_EQ(refusal(R"({"format":"colour"})"),
            "schema: format: the format \"colour\" is not supported");
  EXPECT_EQ(refusal(R"({"pattern":"a{2,1}"})"),
            "schema: pattern: no regular expression of RE2: invalid repetition size: {2,1}");
  EXPECT_EQ(refusal(R"({"$ref":"https://example.com/a"})"),
            "schema: $ref: \"https://example.com/a\" is not in this document: only \"#...\" is "
            "supported");
  EXPECT_EQ(refusal(R"({"$ref":"#/$defs/a"})"), "schema: $ref: \"#/$defs/a\" leads nowhere");
  EXPECT_EQ(refusal(R"({"minLength":-1})"), "schema: minLength: must be a whole number, 0 or more");
}

TEST(Schema, ASizeThatNothingCanHaveIsOne) {
  EXPECT_FALSE(Schema(Json::parse(R"({"minItems":6e34})")).allows(json::array({1})));
  EXPECT_TRUE(Schema(Json::parse(R"({"maxLength":18446744073709551616})")).allows("a"));
}

TEST(Schema, ReferringToItselfForTheSameValueIsRefused) {
  EXPECT_NE(refusal(R"({"$ref":"#"})"), "");
  EXPECT_NE(refusal(R"({"anyOf":[{"type":"string"},{"$ref":"#"}]})"), "");
  EXPECT_EQ(refusal(R"({"properties":{"next":{"$ref":"#"}}})"), "");
}

TEST(Schema, ATreeMayBeDeepAndItsAlternativesMany) {
  const Schema schema(Json::parse(
      R"({"anyOf":[{"type":"string"},{"items":{"$ref":"#"},"type":"array"},
                   {"items":{"$ref":"#"},"type":"array","maxItems":9}]})"));
  json value = 1;
  for (int i = 0; i < 200; ++i) value = json::array({value});
  EXPECT_FALSE(schema.allows(value));
}

TEST(Schema, AMultipleIsOne) {
  EXPECT_NE(problems(R"({"multipleOf":1})", "1234567890.5"), "");
  EXPECT_NE(problems(R"({"multipleOf":0.01})", "10000000.005"), "");
  EXPECT_NE(problems(R"({"multipleOf":2})", "9007199254740993"), "");
  EXPECT_EQ(problems(R"({"multipleOf":0.1})", "0.3"), "");
}

TEST(Schema, ALongListIsNotTooMuch) {
  EXPECT_TRUE(Schema(Json::parse(R"({"items":{"type":"integer"}})"))
                  .allows(json(std::vector<int>(200'000, 1))));
}

TEST(Schema, AUriWithAnAuthorityHasOneThatIsRight) {
  const Schema uri(Json::parse(R"({"format":"uri"})"));
  for (const char* good : {"http://h/a?b#c", "mailto:a@b.c", "urn:x:y", "file:///a"})
    EXPECT_TRUE(uri.allows(good)) << good;
  for (const char* bad : {"http://host:abc/", "http://a@@b", "no"})
    EXPECT_FALSE(uri.allows(bad)) << bad;
}

TEST(Schema, ADocumentThatIsNoneAllowsAll) {
  EXPECT_TRUE(Schema(Json()).allows(json::parse("[1]")));
}

// The test suite of the JSON Schema project, where a package of the system has it: all it says of
// the keywords that we have.
TEST(Schema, DoesAsTheTestSuiteSays) {
  const std::filesystem::path suite = "/usr/share/json-schema-test-suite/tests/draft7";
  if (!std::filesystem::exists(suite)) GTEST_SKIP() << "no " << suite;
  int checked = 0;
  for (const char* file : {"additionalProperties",
                           "allOf",
                           "anyOf",
                           "boolean_schema",
                           "const",
                           "default",
                           "enum",
                           "exclusiveMaximum",
                           "exclusiveMinimum",
                           "items",
                           "maxItems",
                           "maxLength",
                           "maximum",
                           "minItems",
                           "minLength",
                           "minimum",
                           "multipleOf",
                           "oneOf",
                           "pattern",
                           "properties",
                           "ref",
                           "required",
                           "type",
                           "uniqueItems",
                           "optional/bignum",
                           "optional/float-overflow",
                           "optional/format/date",
                           "optional/format/date-time",
                           "optional/format/email",
                           "optional/format/hostname",
                           "optional/format/ipv4",
                           "optional/format/ipv6",
                           "optional/format/time",
                           "optional/format/uri"}) {
    std::ifstream in(suite / (std::string(file) + ".json"));
    if (!in) continue;
    for (const json& group : json::parse(in)) {
      const std::string about = std::string(file) + ": " + group["description"].get<std::string>();
      // In draft 7, what stands beside $ref does not count; in 2020-12 it does.
      if (about.find("sibling") != about.npos) continue;
      std::optional<Schema> schema;
      try {
        schema.emplace(Json(group["schema"]));
      } catch (const Error&) {
        continue;  // a keyword that we refuse
      }
      for (const json& test : group["tests"]) {
        ++checked;
        EXPECT_EQ(schema->allows(test["data"]), test["valid"].get<bool>())
            << about << ": " << test["description"] << "\n"
            << test["data"] << "\n"
            << group["schema"];
      }
    }
  }
  EXPECT_GT(checked, 300);
}

}  // namespace
}  // namespace mellea
