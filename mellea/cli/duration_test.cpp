#include "mellea/cli/duration.h"

#include <gtest/gtest.h>

#include <string>

#include "mellea/cli/exit_code.h"

namespace mellea::cli {
namespace {

TEST(TypedDuration, IsRefusedByTheNameOfItsFlag) {
  EXPECT_EQ(parse_duration("--timeout", "120s"), std::chrono::minutes(2));
  try {
    parse_duration("--timeout", "120");
    FAIL() << "not refused";
  } catch (const UsageError& error) {
    EXPECT_STREQ(error.what(), "mellea: --timeout 120: of what? Write 120s or 120ms");
  }
}

}  // namespace
}  // namespace mellea::cli
