#include "mellea/telemetry/tool_arguments.h"

#include <gtest/gtest.h>

#include "mellea/telemetry/sha256.h"

namespace mellea::telemetry {
namespace {

TEST(ToolArgumentsTest, HashesAreTheReferences) {
  EXPECT_EQ(arguments_hash(R"({"q": "hi"})"), "2b34ea7743872c41");
  EXPECT_EQ(arguments_hash(R"({"q": "hello"})"), "c9dd81926856daf0");
  EXPECT_EQ(arguments_hash(R"({"b":2,"a":1})"), "d8497d9d82770a70");
  EXPECT_EQ(arguments_hash(R"({"x":1.0,"y":[1,"two",null,true]})"), "d56da834a89b6bd4");
  EXPECT_EQ(arguments_hash(R"({"name":"Zoë"})"), "866dc3d6d1028312");
  EXPECT_EQ(arguments_hash(R"({"n":{"k":{"z":1,"a":2}}})"), "ff26dba2b1813783");
}

TEST(ToolArgumentsTest, SpacingAndOrderDoNotMatter) {
  EXPECT_EQ(arguments_hash("{ \"b\" : 2,\n\"a\" : 1 }"), arguments_hash(R"({"a":1,"b":2})"));
  EXPECT_NE(arguments_hash(R"({"a":[1,2]})"), arguments_hash(R"({"a":[2,1]})"));
}

TEST(ToolArgumentsTest, NoArgumentsHaveNoHash) {
  for (const auto* none : {"", "{}", " { } ", "null", "[]"}) {
    EXPECT_EQ(arguments_hash(none), "") << none;
  }
}

TEST(ToolArgumentsTest, WhatIsNoJsonIsHashedAsItStands) {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  for (const std::string& text : {std::string("{\"q\": "), std::string("hello"), deep})
    EXPECT_EQ(arguments_hash(text), fingerprint(text));
}

}  // namespace
}  // namespace mellea::telemetry
