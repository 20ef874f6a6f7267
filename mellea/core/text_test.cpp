#include "mellea/core/text.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace mellea {
namespace {

TEST(TextTest, KnowsUtf8FromWhatIsNone) {
  for (const std::string_view valid : {"", "plain", "Zo\xC3\xAB", "\xE2\x82\xAC",
                                       "\xF0\x9F\x98\x80", "\xF4\x8F\xBF\xBF", "\xEE\x80\x80"})
    EXPECT_TRUE(is_utf8(valid)) << valid;
  for (const std::string_view invalid :
       {"\x80", "\xC3", "\xC0\xAF", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "ab\xE2\x82"})
    EXPECT_FALSE(is_utf8(invalid));
}

TEST(TextTest, ReplacesEachByteThatIsNoText) {
  EXPECT_EQ(to_utf8("a\xFF\x80z"), "a\xEF\xBF\xBD\xEF\xBF\xBDz");
  EXPECT_EQ(to_utf8("ok \xE2\x82\xAC"), "ok \xE2\x82\xAC");
}

TEST(TextTest, WhatWasReplacedIsUtf8HoweverItWasCut) {
  const std::string text = "Zo\xC3\xAB \xE2\x82\xAC \xF0\x9F\x98\x80 \xFF";
  for (std::size_t from = 0; from <= text.size(); ++from)
    for (std::size_t size = 0; from + size <= text.size(); ++size)
      EXPECT_TRUE(is_utf8(to_utf8(std::string_view(text).substr(from, size))));
}

TEST(TextTest, CountsCodePointsAndNotBytes) {
  EXPECT_EQ(first_code_points("Zo\xC3\xAB!", 3), "Zo\xC3\xAB");
  EXPECT_EQ(first_code_points("ab", 5), "ab");
  EXPECT_EQ(first_code_points("ab", 0), "");
}

TEST(TextTest, MakesOneLineOfAny) {
  EXPECT_EQ(one_line("a\nb\tc\x7F"), "a b c ");
  EXPECT_EQ(one_line("a\xC2\x9B"
                     "31m\xC2\xA0"),
            "a 31m\xC2\xA0")
      << "no CSI of 8 bits";
  EXPECT_EQ(one_line("abcdef", 3), "abc…");
  EXPECT_EQ(one_line("abc", 3), "abc");
}

TEST(TextTest, NamesTheNearestWordOrNone) {
  constexpr std::array<std::string_view, 3> kKnown = {"openai", "ollama", "scripted"};
  EXPECT_EQ(nearest("opnai", kKnown), "openai");
  EXPECT_EQ(nearest("olama", kKnown), "ollama");
  EXPECT_EQ(nearest("opneai", kKnown), "openai");
  constexpr std::array<std::string_view, 2> kCommands = {"chat", "demo"};
  EXPECT_EQ(nearest("chta", kCommands), "chat");
  EXPECT_EQ(nearest("zzz", kKnown), "");
  EXPECT_EQ(did_you_mean("opnai", kKnown), ": did you mean \"openai\"?");
  EXPECT_EQ(did_you_mean("", kKnown), "");
}

TEST(TextTest, Base64IsPaddedToFours) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("\xFF\xFE\xFD\xFC"), "//79/A==");
}

}  // namespace
}  // namespace mellea
