#include "mellea/cli/image_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "mellea/cli/exit_code.h"

namespace mellea::cli {
namespace {

TEST(ImageFile, BecomesADataUrlAndAUrlStaysWhatItIs) {
  const auto file = std::filesystem::path(::testing::TempDir()) / "mellea_image_file_test.gif";
  std::ofstream(file) << "GIF89a";
  EXPECT_EQ(image_from(file.string()).url, "data:image/gif;base64,R0lGODlh");
  EXPECT_EQ(image_from("https://example.org/cat.png").url, "https://example.org/cat.png");
  std::ofstream(file) << "no image";
  EXPECT_THROW(image_from(file.string()), UsageError);
  EXPECT_THROW(image_from("/nowhere/cat.png"), UsageError);
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace mellea::cli
