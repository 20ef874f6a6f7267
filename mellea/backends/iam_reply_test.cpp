#include "mellea/backends/iam_reply.h"

#include <gtest/gtest.h>

#include "mellea/backends/decode_for_test.h"

namespace mellea {
namespace {

using namespace std::chrono_literals;

struct Exchanged {
  std::optional<IamToken> token{};
  Decoded decoded{};
};

Exchanged exchanged(const std::vector<std::string_view>& pieces) {
  Exchanged all;
  const auto decoder =
      make_iam_decoder(names_for_test(), [&](IamToken token) { all.token = std::move(token); });
  all.decoded = decode(*decoder, pieces, kJson);
  return all;
}

std::string refusal(std::string_view body) {
  const Exchanged all = exchanged({body});
  EXPECT_FALSE(all.token) << body;
  EXPECT_EQ(all.decoded.outcome(), "parse_error");
  return all.decoded.what();
}

constexpr std::string_view kAnswer =
    R"({"access_token":"eyJ.a-b_c.d","refresh_token":"not_supported","token_type":"Bearer",)"
    R"("expires_in":3600,"expiration":1709111794,"scope":"ibm openid"})";

TEST(IamReply, HandsOverTheTokenAndItsLife) {
  const Exchanged all = exchanged({kAnswer});
  EXPECT_EQ(all.decoded.what(), "");
  EXPECT_TRUE(all.decoded.chunks.empty());
  EXPECT_EQ(all.token.value().value, "eyJ.a-b_c.d");
  EXPECT_EQ(all.token->life, 3600s);
}

TEST(IamReply, IsTheSameCutAnywhere) {
  for (std::size_t at = 1; at < kAnswer.size(); ++at)
    ASSERT_EQ(exchanged({kAnswer.substr(0, at), kAnswer.substr(at)}).token.value().value,
              "eyJ.a-b_c.d")
        << at;
  EXPECT_EQ(exchanged(cut(kAnswer, 1)).token.value().life, 3600s);
}

TEST(IamReply, IsRefusedWhereverItEndsTooSoon) {
  for (std::size_t at = 0; at < kAnswer.size(); ++at) refusal(kAnswer.substr(0, at));
}

TEST(IamReply, ALifeThatIsNotToldIsNotKnown) {
  EXPECT_EQ(exchanged({R"({"access_token":"t"})"}).token.value().life, std::nullopt);
  EXPECT_EQ(exchanged({R"({"access_token":"t","expires_in":"1 h"})"}).token.value().life,
            std::nullopt);
  EXPECT_EQ(exchanged({R"({"access_token":"t","expires_in":-5})"}).token.value().life, 0s);
  EXPECT_EQ(exchanged({R"({"access_token":"t","expires_in":9223372036854775807})"}).token->life,
            std::chrono::hours(24 * 365));
}

TEST(IamReply, WhatIsNoTokenIsRefusedAndNotQuoted) {
  for (const std::string_view body :
       {R"(<html>secret</html>)", R"({"token":"secret"})", R"({"access_token":["secret"]})",
        R"({"access_token":""})", R"({"access_token":"secret\r\nx-more: 1"})",
        R"({"access_token":"sec ret"})", R"({"access_token":"s\u00e9cret"})", "[]", ""})
    EXPECT_EQ(refusal(body).find("ecret"), std::string::npos);
  EXPECT_EQ(refusal(std::string(300, '[')),
            "openai: POST http://h/v1/chat/completions: the answer is no JSON object");
  EXPECT_NE(refusal(std::string((1U << 20U) + 1, ' ')).find("over 1048576 bytes"),
            std::string::npos);
}

}  // namespace
}  // namespace mellea
