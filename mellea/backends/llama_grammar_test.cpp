#include "mellea/backends/llama_grammar.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "mellea/backends/gbnf_for_test.h"
#include "mellea/core/error.h"
#include "mellea/core/schema.h"

namespace mellea {
namespace {

class Grammar {
 public:
  explicit Grammar(const char* schema)
      : schema_(Json::parse(schema)), grammar_(llama_grammar(schema_)), matcher_(grammar_.text) {}

  // What the grammar allows, the schema must allow too.
  bool allows(const std::string& text) const {
    const bool matches = matcher_.matches(text);
    if (matches && grammar_.not_forced.empty()) {
      EXPECT_TRUE(Schema(schema_).allows(nlohmann::json::parse(text))) << text;
    }
    return matches;
  }
  const std::vector<std::string>& not_forced() const { return grammar_.not_forced; }

 private:
  Json schema_;
  LlamaGrammar grammar_;
  GbnfForTest matcher_;
};

std::string refusal(const char* schema) {
  try {
    llama_grammar(Json::parse(schema));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(LlamaGrammar, WithoutASchemaAnyObjectWillDo) {
  const GbnfForTest any(llama_grammar({}).text);
  EXPECT_TRUE(any.matches("{}"));
  EXPECT_TRUE(any.matches(R"({ "a" : [1, -2.5e3, true, null, {"b": "\u00e9\n"}] })"));
  EXPECT_FALSE(any.matches("[]"));
  EXPECT_FALSE(any.matches("{"));
  EXPECT_FALSE(any.matches(R"({"a": 1,})"));
  EXPECT_FALSE(any.matches("{\"a\": \"\x01\"}"));
}

TEST(LlamaGrammar, MembersComeInOrderAndSomeMayBeMissing) {
  const Grammar grammar(
      R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"},
          "c":{"type":"boolean"}},"required":["b"],"additionalProperties":false})");
  for (const char* text : {R"({"b":"x"})", R"({"a":1,"b":"x"})", R"({"b":"x","c":true})",
                           R"({ "a": 1, "b": "x", "c": false })"})
    EXPECT_TRUE(grammar.allows(text)) << text;
  for (const char* text : {"{}", R"({"a":1})", R"({"b":"x","a":1})", R"({"b":"x",})",
                           R"({,"b":"x"})", R"({"b":1})", R"({"b":"x","d":1})"})
    EXPECT_FALSE(grammar.allows(text)) << text;
}

TEST(LlamaGrammar, MembersThatAreNotNamedComeIfTheyMay) {
  const Grammar named(R"({"properties":{"a":{"type":"null"}},
                          "additionalProperties":{"type":"integer"}})");
  EXPECT_TRUE(named.allows("{}"));
  EXPECT_TRUE(named.allows(R"({"a":null,"x":1,"y":2})"));
  EXPECT_TRUE(named.allows(R"({"x":1})"));
  EXPECT_FALSE(named.allows(R"({"x":"one"})"));
  const Grammar map(R"({"type":"object","additionalProperties":{"type":"integer"}})");
  EXPECT_TRUE(map.allows(R"({"x":1,"y":2})"));
  EXPECT_FALSE(map.allows(R"({"x":true})"));
  EXPECT_FALSE(Grammar(R"({"type":"object","additionalProperties":false})").allows(R"({"x":1})"));
}

TEST(LlamaGrammar, ListsHaveTheirBounds) {
  const Grammar grammar(R"({"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":3})");
  EXPECT_FALSE(grammar.allows("[1]"));
  EXPECT_TRUE(grammar.allows("[1,2]"));
  EXPECT_TRUE(grammar.allows("[ 1 , 2 , 3 ]"));
  EXPECT_FALSE(grammar.allows("[1,2,3,4]"));
  const Grammar tuple(R"({"prefixItems":[{"type":"integer"},{"type":"string"}],"items":false})");
  EXPECT_TRUE(tuple.allows(R"([1,"a"])"));
  EXPECT_FALSE(tuple.allows(R"([1,"a",2])"));
  EXPECT_FALSE(tuple.allows(R"(["a",1])"));
  const Grammar none(R"({"type":"array","maxItems":0})");
  EXPECT_TRUE(none.allows("[]"));
  EXPECT_FALSE(none.allows("[1]"));
}

TEST(LlamaGrammar, TextsAndNumbersHaveTheirForm) {
  const Grammar text(R"({"type":"string","minLength":1,"maxLength":2})");
  EXPECT_FALSE(text.allows(R"("")"));
  EXPECT_TRUE(text.allows("\"\xC3\xA9\xC3\xA9\""));
  EXPECT_TRUE(text.allows(R"("\u00e9\\")"));
  EXPECT_FALSE(text.allows(R"("abc")"));
  EXPECT_TRUE(Grammar(R"({"format":"date","type":"string"})").allows(R"("2026-11-23")"));
  EXPECT_FALSE(Grammar(R"({"format":"date","type":"string"})").allows(R"("23 Nov")"));
  EXPECT_TRUE(
      Grammar(R"({"format":"date-time","type":"string"})").allows(R"("2026-11-23T03:04:05Z")"));
  EXPECT_TRUE(Grammar(R"({"type":"integer"})").allows("-12"));
  EXPECT_FALSE(Grammar(R"({"type":"integer"})").allows("1.5"));
  EXPECT_FALSE(Grammar(R"({"type":"integer"})").allows("012"));
  EXPECT_FALSE(Grammar(R"({"type":"integer","minimum":0})").allows("-1"));
  EXPECT_TRUE(Grammar(R"({"type":"number"})").allows("-1.5e+3"));
  EXPECT_TRUE(Grammar(R"({"type":["string","null"]})").allows("null"));
}

TEST(LlamaGrammar, ValuesAreThoseThatAreListed) {
  const Grammar grammar(R"({"enum":["red","gr\"een\n",3,null]})");
  EXPECT_TRUE(grammar.allows(R"("red")"));
  EXPECT_TRUE(grammar.allows(R"("gr\"een\n")"));
  EXPECT_TRUE(grammar.allows("3"));
  EXPECT_FALSE(grammar.allows(R"("blue")"));
  EXPECT_TRUE(Grammar(R"({"const":{"a":1}})").allows(R"({"a":1})"));
  EXPECT_TRUE(Grammar(R"({"anyOf":[{"type":"integer"},{"const":"x"}]})").allows(R"("x")"));
}

TEST(LlamaGrammar, FollowsReferencesThatLeadInCircles) {
  const Grammar grammar(
      R"({"$defs":{"tree":{"type":"object","properties":{"left":{"$ref":"#/$defs/tree"},
          "value":{"type":"integer"}},"required":["value"],"additionalProperties":false}},
          "$ref":"#/$defs/tree"})");
  EXPECT_TRUE(grammar.allows(R"({"left":{"left":{"value":1},"value":2},"value":3})"));
  EXPECT_FALSE(grammar.allows(R"({"left":{},"value":3})"));
}

TEST(LlamaGrammar, TellsWhatItDoesNotForce) {
  const Grammar grammar(
      R"({"type":"object","properties":{"a":{"type":"string","pattern":"^x"},
          "b":{"type":"integer","minimum":5,"maximum":7},"c":{"type":"string","pattern":"y"},
          "d":{"type":"string","maxLength":100000}}})");
  EXPECT_EQ(grammar.not_forced(),
            (std::vector<std::string>{"maxLength", "pattern", "maximum", "minimum"}));
}

TEST(LlamaGrammar, WhatNoGrammarCanSayIsRefused) {
  EXPECT_EQ(refusal("false"),
            "local: no grammar can be made of the format's schema: it allows "
            "nothing in one place");
  EXPECT_NE(refusal(R"({"$ref":"http://elsewhere"})"), "");
  EXPECT_NE(refusal(R"({"type":"sting"})"), "");
  EXPECT_NE(refusal(R"({"enum":[]})"), "");
  EXPECT_NE(refusal(R"({"type":"array","minItems":3,"maxItems":2})"), "");
}

TEST(LlamaGrammar, ACallNamesAToolAndHasItsArguments) {
  const GbnfForTest calls(
      llama_tool_grammar(
          {{.name = "get_weather",
            .parameters = Json::parse(
                R"({"type":"object","properties":{"city":{"type":"string"}},"required":["city"]})")},
           {.name = "now"}})
          .text);
  EXPECT_TRUE(
      calls.matches("<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": "
                    "\"Paris\"}}\n</tool_call>"));
  EXPECT_TRUE(calls.matches("<tool_call>{\"name\":\"now\",\"arguments\":{}}</tool_call>"));
  EXPECT_FALSE(calls.matches("<tool_call>{\"name\":\"then\",\"arguments\":{}}</tool_call>"));
  EXPECT_FALSE(calls.matches("<tool_call>{\"name\":\"get_weather\",\"arguments\":{}}</tool_call>"));
}

}  // namespace
}  // namespace mellea
