#include "mellea/cli/image_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "mellea/cli/exit_code.h"

namespace mellea::cli {
namespace {

TEST(ImageFile, IsKnownByItsFirstBytes) {
  EXPECT_EQ(image_type("\x89PNG\r\n\x1A\n..."), "image/png");
  EXPECT_EQ(image_type("\xFF\xD8\xFF\xE0"), "image/jpeg");
  EXPECT_EQ(image_type("GIF89a"), "image/gif");
  EXPECT_EQ(image_type("RIFF1234WEBPVP8 "), "image/webp");
  EXPECT_EQ(image_type("RIFF1234WAVEfmt "), "");
  EXPECT_EQ(image_type("<svg/>"), "");
  EXPECT_EQ(image_type(""), "");
}

TEST(ImageFile, IsWrittenInBase64) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("\xFF\xFE\xFD\xFC"), "//79/A==");
}

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
