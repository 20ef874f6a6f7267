#include "mellea/cli/input.h"

#include <gtest/gtest.h>

#include "mellea/cli/exit_code.h"

namespace mellea::cli {
namespace {

TEST(Prompt, StandsBeforeTheInputWithABlankLineBetween) {
  EXPECT_EQ(compose_prompt("Summarise", "a\nb\n"), "Summarise\n\na\nb");
  EXPECT_EQ(compose_prompt("Hi", ""), "Hi");
  EXPECT_EQ(compose_prompt({}, "a\n"), "a");
}

TEST(Prompt, IsRefusedIfThereIsNoneOrItIsNotUtf8) {
  EXPECT_THROW(compose_prompt({}, "\n\n"), UsageError);
  EXPECT_THROW(compose_prompt("", ""), UsageError);
  EXPECT_THROW(compose_prompt("caf\xE9", ""), UsageError);
}

}  // namespace
}  // namespace mellea::cli
