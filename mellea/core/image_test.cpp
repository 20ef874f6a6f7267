#include "mellea/core/image.h"

#include <gtest/gtest.h>

namespace mellea {
namespace {

TEST(Image, IsKnownByItsFirstBytes) {
  EXPECT_EQ(image_type("\x89PNG\r\n\x1A\n..."), "image/png");
  EXPECT_EQ(image_type("\xFF\xD8\xFF\xE0"), "image/jpeg");
  EXPECT_EQ(image_type("GIF89a"), "image/gif");
  EXPECT_EQ(image_type("RIFF1234WEBPVP8 "), "image/webp");
  EXPECT_EQ(image_type("RIFF1234WAVEfmt "), "");
  EXPECT_EQ(image_type("<svg/>"), "");
  EXPECT_EQ(image_type(""), "");
}

TEST(Image, ItsBytesBecomeADataUrl) {
  EXPECT_EQ(image_of("GIF89a")->url, "data:image/gif;base64,R0lGODlh");
  EXPECT_FALSE(image_of("no image"));
}

TEST(Image, AUrlIsNoFile) {
  EXPECT_TRUE(is_image_url("https://example.org/cat.png"));
  EXPECT_TRUE(is_image_url("data:image/gif;base64,R0lGODlh"));
  EXPECT_FALSE(is_image_url("cat.png"));
}

}  // namespace
}  // namespace mellea
