#include "mellea/cli/image_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "mellea/cli/exit_code.h"
#include "mellea/core/folder_for_test.h"

namespace mellea::cli {
namespace {

TEST(ImageFile, BecomesADataUrlAndAUrlStaysWhatItIs) {
  const FolderForTest folder;
  const auto file = folder.path() / "cat.gif";
  std::ofstream(file) << "GIF89a";
  EXPECT_EQ(image_from(file.string()).url, "data:image/gif;base64,R0lGODlh");
  EXPECT_EQ(image_from("https://example.org/cat.png").url, "https://example.org/cat.png");
  std::ofstream(file) << "no image";
  EXPECT_THROW(image_from(file.string()), UsageError);
  EXPECT_THROW(image_from("/nowhere/cat.png"), UsageError);
}

}  // namespace
}  // namespace mellea::cli
