#include "mellea/backends/tei_reply.h"

#include <gtest/gtest.h>

#include "mellea/backends/decode_for_test.h"

namespace mellea {
namespace {

Decoded decode_tei(const std::vector<std::string_view>& pieces, std::size_t prompts,
                   const Headers& head = {}) {
  const auto names = std::make_shared<const RequestNames>(
      RequestNames{.provider = "huggingface", .request = "POST http://h/embed"});
  const auto decoder = make_tei_decoder(names, prompts);
  decoder->head(head);
  return decode(*decoder, pieces, kJson);
}

TEST(TeiReplyTest, EachVectorIsAtTheIndexOfItsText) {
  const Decoded two = decode_tei({"[[0.5,-1],[2e-1, 3]]"}, 2, {{"x-compute-tokens", "9"}});
  EXPECT_EQ(two.what(), "");
  ASSERT_EQ(two.reply.embeddings.size(), 2U);
  EXPECT_EQ(two.reply.embeddings[0].values, (std::vector<float>{0.5F, -1}));
  EXPECT_EQ(two.reply.embeddings[1].values, (std::vector<float>{0.2F, 3}));
  EXPECT_EQ(two.reply.usage, (Usage{.input_tokens = 9}));
}

TEST(TeiReplyTest, TokensThatAreNotToldAreNotInvented) {
  for (const Headers& head :
       {Headers{}, Headers{{"x-compute-tokens", "many"}}, Headers{{"x-compute-tokens", ""}},
        Headers{{"x-compute-tokens", "-3"}}, Headers{{"x-other", "3"}}})
    EXPECT_EQ(decode_tei({"[[1]]"}, 1, head).reply.usage, std::nullopt);
}

TEST(TeiReplyTest, DecodesTheSameHoweverItWasCut) {
  const std::string_view body = " [ [0.5, -1.25e3], [1, 2] ]\n";
  const std::string whole = describe(decode_tei({body}, 2));
  EXPECT_EQ(describe(decode_tei(cut(body, 1), 2)), whole);
  for (std::size_t at = 1; at < body.size(); ++at)
    EXPECT_EQ(describe(decode_tei({body.substr(0, at), body.substr(at)}, 2)), whole) << at;
  for (std::size_t at = 0; at < body.rfind(']'); ++at)
    EXPECT_EQ(decode_tei({body.substr(0, at)}, 2).outcome(), "parse_error") << at;
}

TEST(TeiReplyTest, WhatIsNoListOfVectorsIsRefused) {
  const auto why = [](std::string_view body, std::size_t prompts = 1) {
    const Decoded decoded = decode_tei({body}, prompts);
    EXPECT_EQ(decoded.outcome(), "parse_error") << body;
    EXPECT_EQ(decoded.chunks.size(), 0U) << body;
    return decoded.what().substr(std::string_view("huggingface: POST http://h/embed: ").size());
  };
  EXPECT_EQ(why("nope"), "the answer is no list of embeddings: \"nope\"");
  for (const char* body : {"", "7", "[[1]", "[[1]] 2"})
    EXPECT_TRUE(why(body, 2).starts_with("the answer is no list of embeddings")) << body;
  for (const char* body : {"[1]", "[\"a\"]", "[[\"a\"]]", "[[1],null]"})
    EXPECT_TRUE(why(body, 2).starts_with("the answer is wrong: an embedding ")) << body;
  EXPECT_EQ(why("[[1e300]]"), "embedding 0, counted from 0, has a number that is none");
  EXPECT_EQ(why("[[1]]", 2), "there are 1 embeddings of 2 texts");
  EXPECT_EQ(why("[[1],[2]]"), "there are more embeddings than the 1 texts");
  EXPECT_EQ(why("[[]]"), "embedding 0, counted from 0, is empty");
  EXPECT_EQ(why("[[[1,2],[3,4]]]"),
            "the model has one vector for each token, and none for the text");
  const std::string deep(100'000, '[');
  EXPECT_NE(why(deep), "");
}

TEST(TeiReplyTest, AnErrorInsteadOfAListIsOne) {
  const Decoded decoded =
      decode_tei({R"({"error":"Model is overloaded","error_type":"overloaded"})"}, 1);
  EXPECT_EQ(decoded.outcome(), "rate_limit");
}

}  // namespace
}  // namespace mellea
