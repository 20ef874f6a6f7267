#include "mellea/core/tool.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "mellea/core/error.h"

namespace mellea {
namespace {

std::string nothing(const Json&, const Call&) { return ""; }

Tool weather() {
  return Tool({.name = "get_weather",
               .parameters = Json::parse(
                   R"({"type":"object","properties":{"city":{"type":"string"},
                       "days":{"type":"integer","minimum":1}},"required":["city"]})")},
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

TEST(ToolTest, GivesTheArgumentsThatAreWhatItsSchemaSays) {
  EXPECT_EQ(weather().arguments(R"({"city":"Boston","days":2})").text(),
            R"({"city":"Boston","days":2})");
  EXPECT_EQ(Tool({.name = "now"}, nothing).arguments("").text(), "{}");
}

TEST(ToolTest, TellsTheModelWhatIsWrongWithItsArguments) {
  EXPECT_EQ(refused(weather(), R"({"days":0})"),
            "tool get_weather: city is missing; days must be at least 1, and is 0");
  EXPECT_EQ(refused(weather(), "[1]"), "tool get_weather: the arguments must be a JSON object");
  EXPECT_NE(refused(weather(), "{\"city\":").find("the arguments"), std::string::npos);
}

TEST(ToolTest, RefusesParametersThatNoArgumentsCouldBe) {
  EXPECT_THROW(Tool({.name = "x", .parameters = Json::parse(R"({"type":"string"})")}, nothing),
               Error);
  EXPECT_THROW(Tool({.name = ""}, nothing), Error);
  EXPECT_NO_THROW(Tool({.name = "x", .parameters = Json::parse(R"({"odd":1})")}));
}

}  // namespace
}  // namespace mellea
