#include "mellea/backends/stop_text.h"

#include <gtest/gtest.h>

namespace mellea {
namespace {

// What comes out for each piece, and at the end.
std::vector<std::string> passed(std::vector<std::string> stops,
                                const std::vector<std::string>& pieces, bool stopped) {
  StopText stop(std::move(stops));
  std::vector<std::string> out;
  for (const std::string& piece : pieces) out.emplace_back(stop.pass(piece));
  out.emplace_back(stop.end(stopped));
  return out;
}

using Texts = std::vector<std::string>;

TEST(StopTextTest, IsTakenOffTheEndHoweverItCame) {
  EXPECT_EQ(passed({"END"}, {"one ", "twoEND"}, true), (Texts{"one ", "two", ""}));
  EXPECT_EQ(passed({"END"}, {"one E", "N", "D"}, true), (Texts{"one ", "", "", ""}));
  EXPECT_EQ(passed({"\n", "\n\n"}, {"a\n", "\n"}, true), (Texts{"a", "", ""}));
}

TEST(StopTextTest, WhatOnlyBeginsLikeOneIsTextAsSoonAsThatIsKnown) {
  EXPECT_EQ(passed({"END"}, {"EN", "E", "x"}, false), (Texts{"", "EN", "Ex", ""}));
  EXPECT_EQ(passed({"aab"}, {"aa", "a", "b"}, true), (Texts{"", "a", "", ""}));
}

TEST(StopTextTest, WithoutAStopAllOfItIsText) {
  EXPECT_EQ(passed({"END"}, {"the EN"}, false), (Texts{"the ", "EN"}));
  EXPECT_EQ(passed({"END"}, {"the END"}, false), (Texts{"the ", "END"})) << "at its length, say";
  EXPECT_EQ(passed({}, {"the END"}, true), (Texts{"the END", ""}));
  EXPECT_EQ(passed({""}, {"x"}, true), (Texts{"x", ""}));
}

TEST(StopTextTest, NeverCutsACharacter) {
  EXPECT_EQ(passed({"\xC3\xA9"}, {"\xC3\xA0", "\xC3\xA9"}, true), (Texts{"\xC3\xA0", "", ""}));
}

}  // namespace
}  // namespace mellea
