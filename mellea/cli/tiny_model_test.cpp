#include "mellea/cli/tiny_model.h"

#include <gtest/gtest.h>

#include "mellea/backends/gguf_header.h"
#include "mellea/core/folder_for_test.h"

namespace mellea::cli {
namespace {

TEST(TinyModel, IsAModelOfAFewMegabytesThatChats) {
  const FolderForTest folder;
  const auto file = folder.path() / "tiny.gguf";
  write_tiny_model(file);
  const GgufHeader header = read_gguf_header(file);
  EXPECT_EQ(header.architecture, "llama");
  EXPECT_EQ(header.context_length, 4096);
  EXPECT_NE(header.chat_template, "");
  EXPECT_LT(std::filesystem::file_size(file), 4U << 20U);
  EXPECT_THROW(write_tiny_model("/nowhere/tiny.gguf"), std::runtime_error);
}

}  // namespace
}  // namespace mellea::cli
