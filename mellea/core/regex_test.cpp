#include "mellea/core/regex.h"

#include <gtest/gtest.h>

#include "mellea/core/error.h"

namespace mellea {
namespace {

TEST(RegexTest, IsFoundAnywhereInTheText) {
  const Regex rain("r(ai|ei)n");
  EXPECT_TRUE(rain.matches("brains"));
  EXPECT_EQ(rain.find("a reindeer in the rain"), "rein");
  EXPECT_EQ(rain.find("a deer"), std::nullopt);
  EXPECT_EQ(Regex("^$").find(""), "");
  EXPECT_FALSE(Regex("^b$").matches("a\nb\n"));
  EXPECT_TRUE(Regex("(?m)^b$").matches("a\nb\n"));
}

TEST(RegexTest, WhatItDoesNotKnowIsNamed) {
  EXPECT_EQ(Regex::fault("a+"), "");
  EXPECT_EQ(Regex::fault("(?=b)"), "look-ahead \"(?=\" is not supported (RE2)");
  EXPECT_EQ(Regex::fault("(?!b)"), "look-ahead \"(?!\" is not supported (RE2)");
  EXPECT_EQ(Regex::fault("(?<=a)b"), "look-behind \"(?<=\" is not supported (RE2)");
  EXPECT_EQ(Regex::fault("(?<!a)b"), "look-behind \"(?<!\" is not supported (RE2)");
  EXPECT_EQ(Regex::fault(R"((a)\1)"), "the back-reference \"\\1\" is not supported (RE2)");
  EXPECT_EQ(Regex::fault("(?P=a)"), "the group \"(?P\" is not supported (RE2)");
  EXPECT_EQ(Regex::fault("(?>a)"), "the atomic group \"(?>\" is not supported (RE2)");
  EXPECT_EQ(Regex::fault("a++"), "the repetition \"++\" is not supported (RE2)");
  EXPECT_EQ(Regex::fault(R"(a\Z)"), "the escape \"\\Z\" is not supported (RE2)");
  EXPECT_EQ(Regex::fault("a{2000}"), "invalid repetition size: {2000}");
  EXPECT_EQ(Regex::fault("(a"), "missing ): (a");
}

TEST(RegexTest, AWrongOneIsRefusedAtOnce) {
  try {
    const Regex wrong("(?!storm)");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::invalid_request);
    EXPECT_STREQ(error.what(), "regex: look-ahead \"(?!\" is not supported (RE2)");
  }
}

TEST(RegexTest, ALongTextIsNoTrouble) {
  const std::string text(1'000'000, 'a');
  EXPECT_FALSE(Regex("(a|aa)*b$").matches(text));
}

}  // namespace
}  // namespace mellea
