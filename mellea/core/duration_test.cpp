#include "mellea/core/duration.h"

#include <gtest/gtest.h>

#include <string>

#include "mellea/core/error.h"

namespace mellea {
namespace {

using namespace std::chrono_literals;

std::string refusal_of(std::string_view text) {
  try {
    parse_duration(text);
    return "not refused";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Duration, CarriesAUnit) {
  EXPECT_EQ(parse_duration("120s"), 120s);
  EXPECT_EQ(parse_duration("500ms"), 500ms);
  EXPECT_EQ(parse_duration("1.5m"), 90s);
  EXPECT_EQ(parse_duration("2h"), 2h);
}

TEST(Duration, ABareNumberIsAskedForItsUnit) {
  EXPECT_EQ(refusal_of("120"), "120: of what? Write 120s or 120ms");
}

TEST(Duration, RefusesWhatIsNone) {
  EXPECT_EQ(refusal_of("soon"), "soon: is no duration: write 120s, 500ms or 2m");
  EXPECT_EQ(refusal_of("5 parsecs"), "5 parsecs: unknown unit \" parsecs\": write ms, s, m or h");
  for (const char* text : {"", "0s", "-1s", "1e99h", "nan", "inf"})
    EXPECT_NE(refusal_of(text), "not refused") << text;
}

}  // namespace
}  // namespace mellea
