#include "mellea/backends/secret.h"

#include <gtest/gtest.h>

namespace mellea {
namespace {

constexpr std::string_view kSecret = "eyJhbGciOiJIUzI1NiJ9.c2VjcmV0LXBheWxvYWQ.c2lnbmF0dXJl";

TEST(Secret, IsStruckOutWhereverItStands) {
  const std::string secret(kSecret);
  EXPECT_EQ(without_secret(secret, kSecret), "***");
  EXPECT_EQ(without_secret("no token " + secret + ", or " + secret + '!', kSecret),
            "no token ***, or ***!");
  EXPECT_EQ(without_secret("nothing of it", kSecret), "nothing of it");
  EXPECT_EQ(without_secret("", kSecret), "");
  EXPECT_EQ(without_secret("any text", ""), "any text");
}

TEST(Secret, IsStruckOutWhereItIsCut) {
  for (std::size_t begin = 0; begin < kSecret.size(); ++begin)
    for (std::size_t size = 16; size <= kSecret.size() - begin; ++size)
      ASSERT_EQ(without_secret("<" + std::string(kSecret.substr(begin, size)) + ">", kSecret),
                "<***>")
          << begin << ' ' << size;
  EXPECT_EQ(without_secret(kSecret.substr(0, 15), kSecret), kSecret.substr(0, 15));
}

TEST(Secret, AShortOneIsStruckOutAsAWhole) {
  EXPECT_EQ(without_secret("the key abc is wrong, abd too", "abc"),
            "the key *** is wrong, abd too");
}

TEST(Secret, IsInNoPartOfAnError) {
  const std::string secret(kSecret);
  const Error shown = without_secret(Error(Errc::auth, "h: \"" + secret + "\"",
                                           {.status = 401,
                                            .provider_code = secret,
                                            .provider_message = "bad " + secret,
                                            .request_id = secret}),
                                     kSecret);
  EXPECT_STREQ(shown.what(), "h: \"***\"");
  EXPECT_EQ(shown.code(), Errc::auth);
  EXPECT_EQ(shown.details().status, 401);
  EXPECT_EQ(shown.details().provider_code, "***");
  EXPECT_EQ(shown.details().provider_message, "bad ***");
  EXPECT_EQ(shown.details().request_id, "***");
}

TEST(Secret, IsInTheHeadersThatSayWhoAsks) {
  EXPECT_EQ(
      secrets_in({{"Authorization", "Bearer sk-0123456789"},
                  {"authorization", "0123456789"},
                  {"API-key", "azure 0123"},
                  {"x-api-key", "anthropic-key"},
                  {"accept", "application/json"}}),
      (std::vector<std::string>{"sk-0123456789", "0123456789", "azure 0123", "anthropic-key"}));
  EXPECT_TRUE(secrets_in({{"authorization", "Bearer ollama"}, {"api-key", ""}}).empty());
}

}  // namespace
}  // namespace mellea
