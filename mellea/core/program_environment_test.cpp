#include "mellea/core/program_environment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "mellea/core/error.h"

namespace mellea {
namespace {

TEST(ProgramEnvironment, HasNoKeysButWhatIsGiven) {
  ::setenv("OPENAI_API_KEY", "secret", 1);
  const std::vector<std::string> all = plain_environment({{"TOKEN", "x"}, {"PATH", "/mine"}});
  ::unsetenv("OPENAI_API_KEY");
  const auto has = [&](const std::string& one) {
    return std::find(all.begin(), all.end(), one) != all.end();
  };
  EXPECT_TRUE(has("TOKEN=x"));
  EXPECT_TRUE(has("PATH=/mine"));
  EXPECT_FALSE(has("OPENAI_API_KEY=secret"));
}

TEST(ProgramEnvironment, AProgramIsLookedForInThePath) {
  EXPECT_EQ(find_program("sh", {"PATH=/nowhere::/bin:/usr/bin"}), "/bin/sh");
  EXPECT_EQ(find_program("./sh", {"PATH=/bin"}), "./sh");
  EXPECT_THROW(find_program("sh", {"PATH=/nowhere"}), Error);
  EXPECT_THROW(find_program("sh", {}), Error);
}

TEST(ProgramEnvironment, AFolderIsNoProgramAndAPathIsWhole) {
  const std::filesystem::path here = std::filesystem::relative(::testing::TempDir());
  const std::filesystem::path folder = here / "mellea_program_environment_test";
  std::filesystem::create_directories(folder / "one" / "tool");
  std::filesystem::create_directories(folder / "two");
  std::ofstream(folder / "two" / "tool") << "#!/bin/sh\n";
  std::filesystem::permissions(folder / "two" / "tool", std::filesystem::perms::owner_all);
  const std::string found =
      find_program("tool", {"PATH=" + (folder / "one").string() + ':' + (folder / "two").string()});
  EXPECT_EQ(found, std::filesystem::absolute(folder / "two" / "tool"));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace mellea
