#include "mellea/telemetry/bounded_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace mellea::telemetry {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kAll = 1'000'000;

// An array of objects, each with a text.
BoundedJson texts(const std::vector<std::string>& all, BoundedJson::Style style = {}) {
  BoundedJson json(style);
  for (const std::string& text : all) {
    json.begin_element();
    json.structure(R"({"say":)");
    json.text(text);
    json.structure("}");
  }
  return json;
}

TEST(BoundedJsonTest, WhatFitsIsWhole) {
  EXPECT_EQ(texts({"a", "b"}).str(kAll), R"([{"say":"a"},{"say":"b"}])");
  EXPECT_EQ(BoundedJson({}).str(0), "[]");
}

TEST(BoundedJsonTest, EscapesAsJsonDoes) {
  std::string all;
  for (char c = 0; c < 127; ++c) all += c;
  all += "\x7F ä € 😀";
  for (const bool ascii : {false, true}) {
    std::string json;
    append_quoted(json, all, ascii);
    EXPECT_EQ(json, Json(all).dump(-1, ' ', ascii));
  }
}

TEST(BoundedJsonTest, ShortTextsLeaveTheirRoomToLongOnes) {
  const Json json = Json::parse(texts({"short", std::string(500, 'x'), "words"}).str(200));
  EXPECT_EQ(json[0]["say"], "short");
  EXPECT_EQ(json[2]["say"], "words");
  const std::string cut = json[1]["say"];
  EXPECT_TRUE(cut.starts_with("xxxxxxxx") && cut.ends_with("x...")) << cut;
  EXPECT_GT(cut.size(), 120U);
}

// Whatever the bound, it is kept, and what is left is JSON and valid UTF-8.
TEST(BoundedJsonTest, IsJsonAtEveryBound) {
  for (const bool ascii : {false, true}) {
    BoundedJson json = texts({"\"quoted\"\n\\\x01", "ä€😀ä€😀ä€😀", "plain"}, {.ascii = ascii});
    json.begin_element();
    json.value(R"({"deep":["a",1]})");
    const std::size_t whole = json.str(kAll).size();
    for (std::size_t most = 2; most <= whole + 8; ++most) {
      const std::string text = json.str(most);
      EXPECT_LE(text.size(), most);
      EXPECT_TRUE(Json::accept(text)) << text;
    }
    EXPECT_EQ(json.str(whole + 1).size(), whole);
  }
}

TEST(BoundedJsonTest, WhereTooMuchIsSaidTheOldestGoOrTheLast) {
  std::vector<std::string> many;
  for (int at = 0; at < 100; ++at) many.push_back(std::to_string(at));
  const Json newest = Json::parse(texts(many, {.dropped = BoundedJson::Dropped::first}).str(300));
  EXPECT_EQ(newest.back()["say"], "99");
  EXPECT_GT(newest.size(), 15U);
  EXPECT_EQ(newest[0]["say"], std::to_string(100 - newest.size()));
  const Json first = Json::parse(texts(many).str(300));
  EXPECT_EQ(first[0]["say"], "0");
  EXPECT_GT(first.size(), 15U);
}

TEST(BoundedJsonTest, AValueThatIsTooLongBecomesItsBeginningAsAText) {
  BoundedJson json({});
  json.begin_element();
  json.value(R"({"numbers":[1,2,3,4,5,6,7,8,9,10,11,12]})");
  EXPECT_EQ(Json::parse(json.str(100))[0]["numbers"].size(), 12U);
  const std::string cut = Json::parse(json.str(24))[0];
  EXPECT_TRUE(cut.starts_with(R"({"numbers":)") && cut.ends_with("...")) << cut;
}

}  // namespace
}  // namespace mellea::telemetry
