#include "mellea/core/typed_tool.h"

#include <gtest/gtest.h>

namespace weather {

enum class Unit { celsius, kelvin };
MELLEA_DESCRIBE_ENUM(Unit, celsius, kelvin)

struct Place {
  std::string city;
  std::optional<std::string> country;
};
MELLEA_DESCRIBE(Place, city, country)

struct Question {
  std::vector<Place> places;
  Unit unit = Unit::celsius;
  int days = 1;
  std::variant<std::string, int> since;
};
MELLEA_DESCRIBE_WITH(Question, (places, "where"), (unit, ""), (days, "from today"), (since, ""))

struct Answer {
  std::string city;
  double degrees = 0;
};
MELLEA_DESCRIBE(Answer, city, degrees)

struct Folder {
  std::string name;
  std::vector<Folder> folders;
};
MELLEA_DESCRIBE(Folder, name, folders)

}  // namespace weather

namespace mellea {
namespace {

using nlohmann::json;
using weather::Folder;
using weather::Place;
using weather::Question;

std::string ran(const Tool& tool, const std::string& written) {
  const Scope scope;
  return tool.run()(tool.arguments(written), {scope, {}});
}

std::string refused(const Tool& tool, const std::string& written) {
  try {
    return "ran: " + ran(tool, written);
  } catch (const Error& error) {
    return error.what();
  }
}

Tool ask() {
  return tool<Question>("ask", "Asks", [](const Question& question) {
    std::string all;
    for (const Place& place : question.places)
      all.append(place.city).append("/").append(place.country.value_or("-")).append(" ");
    return all + (question.unit == weather::Unit::kelvin ? "K " : "C ") +
           std::to_string(question.days) + " since " + std::to_string(question.since.index());
  });
}

TEST(TypedToolTest, AModelIsToldWhatItsArgumentsAre) {
  const Tool tool = ask();
  EXPECT_EQ(tool.name(), "ask");
  EXPECT_EQ(tool.spec().description, "Asks");
  EXPECT_EQ(*tool.spec().parameters, json::parse(R"({"type":"object","additionalProperties":false,
    "required":["places","unit","since"],
    "properties":{
      "places":{"type":"array","description":"where","items":{
        "type":"object","additionalProperties":false,"required":["city"],
        "properties":{"city":{"type":"string"},"country":{"type":["string","null"]}}}},
      "unit":{"type":"string","enum":["celsius","kelvin"]},
      "days":{"type":"integer","default":1,"description":"from today"},
      "since":{"anyOf":[{"type":"string"},{"type":"integer"}]}}})"));
}

TEST(TypedToolTest, WhatTheModelWroteArrivesAsAStruct) {
  EXPECT_EQ(ran(ask(), R"({"places":[{"city":"Rome"},{"city":"Bonn","country":"DE"}],
                           "unit":"kelvin","days":3,"since":"May"})"),
            "Rome/- Bonn/DE K 3 since 0");
  EXPECT_EQ(ran(ask(), R"({"places":"{\"city\":\"Rome\"}","unit":"celsius","since":5})"),
            "Rome/- C 1 since 1");
}

TEST(TypedToolTest, WhatIsWrongIsToldWithItsPlace) {
  EXPECT_EQ(refused(ask(), R"({"places":[{"city":"Rome"},{"town":"Bonn"}],"unit":"rankine",
                               "since":"May"})"),
            "tool ask: places[1].city is missing; places[1].town is not known; unit must be one of "
            "\"celsius\", \"kelvin\", and is \"rankine\"");
}

TEST(TypedToolTest, ReturnsTextAStructJsonOrNothing) {
  const auto returning = [](auto value) {
    return ran(tool<Place>("f", "", [value](const Place&) { return value; }), R"({"city":"Rome"})");
  };
  EXPECT_EQ(returning(std::string("22 C")), "22 C");
  EXPECT_EQ(returning("22 C"), "22 C");
  EXPECT_EQ(returning(weather::Answer{.city = "Rome", .degrees = 22.5}),
            R"({"city":"Rome","degrees":22.5})");
  EXPECT_EQ(returning(std::vector<Place>{{"Rome", {}}}), R"([{"city":"Rome","country":null}])");
  EXPECT_EQ(returning(Json::parse("[1]")), "[1]");
  EXPECT_EQ(returning(22), "22");
  EXPECT_EQ(returning(true), "true");
  EXPECT_EQ(ran(tool<Place>("f", "", [](const Place&) {}), R"({"city":"Rome"})"), "done");
}

TEST(TypedToolTest, MayTakeACallAndMayTakeNothingElse) {
  const auto kind = [](const Call& call) { return call.scope ? "inside" : "outside"; };
  EXPECT_EQ(ran(tool<Place>("f", "", [&](const Place&, const Call& call) { return kind(call); }),
                R"({"city":"Rome"})"),
            "outside");
  EXPECT_EQ(ran(tool("now", "The time", [] { return 12; }), ""), "12");
  EXPECT_EQ(ran(tool("now", "The time", kind), "{}"), "outside");
}

TEST(TypedToolTest, AStructThatContainsItselfIsAnObjectToo) {
  const Tool count = tool<Folder>(
      "count", "", [](const Folder& folder) { return folder.folders.at(0).folders.size(); });
  EXPECT_EQ((*count.spec().parameters)["type"], "object");
  EXPECT_EQ(ran(count, R"({"name":"a","folders":[{"name":"b","folders":[]}]})"), "0");
  EXPECT_EQ(refused(count, R"({"name":"a","folders":[{"name":"b","folders":[{}]}]})"),
            "tool count: folders[0].folders[0].name is missing; folders[0].folders[0].folders is "
            "missing");
}

TEST(TypedToolTest, WhatTheFunctionThrowsIsItsCallersToHandle) {
  const Tool fails =
      tool<Place>("f", "", [](const Place&) -> int { throw std::runtime_error("no weather"); });
  EXPECT_THROW(ran(fails, R"({"city":"Rome"})"), std::runtime_error);
}

}  // namespace
}  // namespace mellea
