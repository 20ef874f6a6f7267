#include "mellea/runtime/template.h"

#include <gtest/gtest.h>

#include "mellea/core/error.h"

namespace mellea {
namespace {

std::string refusal(std::string_view text, const Variables& variables) {
  try {
    return "filled: " + fill(text, variables, "template t");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::invalid_request);
    return error.what();
  }
}

TEST(TemplateTest, VariablesAreReplacedByTheirValues) {
  const Variables variables = {{"topic", "the sea"}, {"poem.text", "Waves"}, {"größe", "5"}};
  EXPECT_EQ(fill("On {{topic}}: {{ poem.text\n}}{{topic}}{{größe}}", variables, "t"),
            "On the sea: Wavesthe sea5");
  EXPECT_EQ(fill("", variables, "t"), "");
  EXPECT_EQ(fill("{topic} }} {\"a\":{\"b\":1}}", variables, "t"), "{topic} }} {\"a\":{\"b\":1}}");
}

TEST(TemplateTest, AValueIsNeverFilledItself) {
  EXPECT_EQ(fill("{{a}}{{b}}", {{"a", "{{b}}"}, {"b", "{{a}} {{"}}, "t"), "{{b}}{{a}} {{");
  EXPECT_EQ(fill("{{a}}{b}}", {{"a", "{"}, {"b", "secret"}}, "t"), "{{b}}");
}

TEST(TemplateTest, AMissingVariableIsNamedWithTheKnownOnesAndTheNearest) {
  EXPECT_EQ(refusal("{{topc}}", {{"topic", ""}, {"poem.text", ""}}),
            "template t: {{topc}}: no such variable (known: poem.text, topic): did you mean "
            "\"topic\"?");
  EXPECT_EQ(refusal("a {{unheard}} b", {{"topic", ""}}),
            "template t: {{unheard}}: no such variable (known: topic)");
  EXPECT_EQ(refusal("{{x}}", {}), "template t: {{x}}: no such variable");
}

TEST(TemplateTest, WhatIsNoNameIsRefusedAndNotPassedOverInSilence) {
  EXPECT_EQ(refusal("{{a b}}", {{"a", ""}}),
            "template t: {{a b}} holds no name of a variable; {{\"{{\"}} stands for two braces");
  EXPECT_EQ(refusal("{{}}", {}),
            "template t: {{}} holds no name of a variable; {{\"{{\"}} stands for two braces");
  EXPECT_EQ(refusal("{{a", {{"a", ""}}),
            "template t: \"{{\" is not closed by \"}}\"; {{\"{{\"}} stands for two braces");
}

TEST(TemplateTest, TellsWhatATextNamesAndWhere) {
  const std::vector<Placeholder> all = placeholders(R"({{a}} {{"{{b}}"}}{{ c }} {{d e}} {{f)");
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all[0].name, "a");
  EXPECT_EQ(all[0].at, 0U);
  EXPECT_EQ(all[1].name, "c");
  EXPECT_EQ(all[1].at, 17U);
  EXPECT_NE(all[2].fault.find("{{d e}} holds no name"), std::string::npos);
  EXPECT_NE(all[3].fault.find("is not closed"), std::string::npos);
  EXPECT_TRUE(placeholders("no braces").empty());
}

TEST(TemplateTest, ALiteralStandsForItself) {
  EXPECT_EQ(fill(R"({{"{{"}}name{{ "}}" }})", {}, "t"), "{{name}}");
  EXPECT_EQ(fill(R"({{""}}{{"""}})", {}, "t"), "\"");
}

}  // namespace
}  // namespace mellea
