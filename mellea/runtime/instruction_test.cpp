#include "mellea/runtime/instruction.h"

#include <gtest/gtest.h>

#include "mellea/core/error.h"

namespace mellea {
namespace {

const Told kTold = {.requirements = {"r1", "", "r2"}, .repair = {"too long", "no sea"}};

std::string text_of(const Instruction& instruction, const Told& told = {}) {
  return instruction.render(told).text;
}

TEST(InstructionTest, ATextIsSaidAsItIs) {
  EXPECT_EQ(text_of("Do it."), "Do it.");
  EXPECT_EQ(text_of("Explain {{x}} in Jinja."), "Explain {{x}} in Jinja.");
  const Instruction instruction = "Do it.";
  EXPECT_EQ(instruction.name(), "Instruction");
  EXPECT_EQ(instruction.prompt(), nullptr);
  EXPECT_EQ(instruction.render({}).role, Message::Role::user);
}

TEST(InstructionTest, ItsSectionsAreInOrderOnLinesOfTheirOwn) {
  EXPECT_EQ(text_of(Instruction({.description = "Do it.",
                                 .examples = {"e1", "e2"},
                                 .grounding = {{"k1", "v1"}, {"", "v2"}},
                                 .prefix = "PRE",
                                 .output_prefix = "Answer:"}),
                    kTold),
            "PRE\n"
            "Do it.\n"
            "Your answer has to meet each of these requirements:\n"
            "* r1\n"
            "* r2\n"
            "Answers could look like these examples:\n"
            "* e1\n"
            "* e2\n"
            "Base your answer on what is known:\n"
            "*   [k1] =  v1\n"
            "*   v2\n"
            "An earlier answer was not accepted. What was wrong with it:\n"
            "* too long\n"
            "* no sea\n"
            "Answer:");
}

TEST(InstructionTest, EmptySectionsAreNotThere) {
  EXPECT_EQ(text_of("Do it.", {.requirements = {""}}), "Do it.");
  EXPECT_EQ(text_of("", {.requirements = {"r"}}),
            "Your answer has to meet each of these requirements:\n* r");
  EXPECT_EQ(text_of(Instruction({.output_prefix = "Answer:"})), "Answer:");
  EXPECT_EQ(text_of(""), "");
}

TEST(InstructionTest, VariablesAreReplacedInWhatIsSaidAndNotInWhatComesFromElsewhere) {
  const Instruction instruction({.description = "Greet {{name}}.",
                                 .examples = {"Hi {{name}}"},
                                 .grounding = {{"mail", "{{name}} {{other}}"}},
                                 .variables = {{"name", "{{other}}"}},
                                 .prefix = "For {{name}}:",
                                 .output_prefix = "Dear {{name}},"});
  EXPECT_EQ(text_of(instruction, {.requirements = {"{{name}}"}, .repair = {"{{name}}"}}),
            "For {{other}}:\n"
            "Greet {{other}}.\n"
            "Your answer has to meet each of these requirements:\n"
            "* {{name}}\n"
            "Answers could look like these examples:\n"
            "* Hi {{other}}\n"
            "Base your answer on what is known:\n"
            "*   [mail] =  {{name}} {{other}}\n"
            "An earlier answer was not accepted. What was wrong with it:\n"
            "* {{name}}\n"
            "Dear {{other}},");
}

TEST(InstructionTest, AMissingVariableIsAnErrorBeforeAnythingIsSaid) {
  try {
    const Instruction instruction(
        {.description = "Greet {{nmae}}.", .variables = {{"name", "Ada"}}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::invalid_request);
    EXPECT_STREQ(error.what(),
                 "instruction: {{nmae}}: no such variable (known: name): did you mean \"name\"?");
  }
}

TEST(InstructionTest, OfATemplateItTellsWhichOne) {
  const Template greeting{.name = "greeting", .version = "2", .text = "Greet {{name}}."};
  const Instruction instruction(greeting, {.variables = {{"name", "Ada"}}, .prefix = "Now:"});
  EXPECT_EQ(text_of(instruction), "Now:\nGreet Ada.");
  ASSERT_NE(instruction.prompt(), nullptr);
  EXPECT_EQ(instruction.prompt()->name, "greeting");
  EXPECT_EQ(instruction.prompt()->version, "2");
  EXPECT_EQ(instruction.prompt()->text, "Greet {{name}}.");
  EXPECT_EQ(instruction.prompt()->variables, (Variables{{"name", "Ada"}}));
}

TEST(InstructionTest, ATemplateIsStrictWithoutVariablesToo) {
  const Template greeting{.name = "greeting", .version = "2", .text = "Greet {{name}}."};
  try {
    const Instruction instruction(greeting, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "template greeting 2: {{name}}: no such variable");
  }
  EXPECT_THROW(Instruction(greeting, {.description = "Greet.", .variables = {{"name", "Ada"}}}),
               Error);
}

TEST(InstructionTest, ImagesAndSoundGoWithIt) {
  const Message message = Instruction({.description = "What is it?",
                                       .images = {{.url = "https://example.com/a.png"}},
                                       .audio = {{.data = "AAAA", .format = "wav"}}})
                              .render({});
  ASSERT_EQ(message.images.size(), 1U);
  EXPECT_EQ(message.images[0].url, "https://example.com/a.png");
  ASSERT_EQ(message.audio.size(), 1U);
  EXPECT_EQ(message.audio[0].format, "wav");
}

}  // namespace
}  // namespace mellea
