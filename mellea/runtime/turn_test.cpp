#include "mellea/runtime/turn.h"

#include <gtest/gtest.h>

namespace mellea {
namespace {

TEST(TurnTest, AMessageIsSaidAsItIs) {
  const Turn turn({.text = "hello {{x}}", .images = {{.url = "https://example.com/a.png"}}});
  const Message said = turn.render({});
  EXPECT_EQ(said.text, "hello {{x}}");
  EXPECT_EQ(said.images.size(), 1U);
  EXPECT_EQ(turn.name(), "Message");
}

TEST(TurnTest, DocumentsStandBelowTheText) {
  EXPECT_EQ(
      Turn("hello", {{.text = "d0"}, {.text = "text1", .title = "T", .id = "7"}}).render({}).text,
      "hello\n\n\n[Document]\nd0\n[Document 7]\nT: text1");
  EXPECT_EQ(to_string({.text = "t", .id = "1"}), "[Document 1]\nt");
}

TEST(TurnTest, WhatSamplingTellsStandsBelowAllElseWhereAUserSpeaks) {
  const Told told{.requirements = {"is short"}, .repair = {"too long"}};
  EXPECT_EQ(Turn("hello", {{.text = "d0"}}).render(told).text,
            "hello\n\n\n[Document]\nd0\n"
            "Your answer has to meet each of these requirements:\n"
            "* is short\n"
            "An earlier answer was not accepted. What was wrong with it:\n"
            "* too long");
  EXPECT_EQ(Turn({.role = Message::Role::tool, .text = "22 C"}).render(told).text, "22 C");
}

}  // namespace
}  // namespace mellea
