#include "mellea/backends/local_log.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "mellea/core/folder_for_test.h"
#include "mellea/core/error.h"

namespace mellea {
namespace {

namespace fs = std::filesystem;

std::string content_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

TEST(LocalLog, KeepsTheLastLinesAtHand) {
  LocalLog log("");
  EXPECT_EQ(log.last_lines(), "");
  log.add("one\ntwo\nthr");
  log.add("ee\r\n\n\nfour\nfive\n\n");
  EXPECT_EQ(log.last_lines(), "two / three / four / five");
  EXPECT_TRUE(log.has("one"));
  log.begin_run();
  EXPECT_EQ(log.last_lines(), "");
  for (int i = 0; i < 100'000; ++i) log.add("line\n");
  EXPECT_EQ(log.last_lines(), "line / line / line / line");
}

TEST(LocalLog, ItsFileGoesOnAndIsBounded) {
  const FolderForTest folder;
  const fs::path file = folder.path() / "llama.log";
  LocalLog(file, 100).add("before\n");
  LocalLog log(file, 100);
  log.add("after\n");
  EXPECT_EQ(content_of(file), "before\nafter\n");
  EXPECT_EQ(fs::status(file).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  const std::string line = std::string(39, 'x') + '\n';
  for (int i = 0; i < 5; ++i) log.add(line);
  EXPECT_EQ(content_of(file), line);
  EXPECT_EQ(content_of(file.string() + ".1"), line + line);
}

TEST(LocalLog, AFileThatCannotBeWrittenIsRefused) {
  EXPECT_THROW(LocalLog("/nowhere/llama.log"), Error);
}

}  // namespace
}  // namespace mellea
