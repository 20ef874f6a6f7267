#include "mellea/backends/tgi_reply.h"

#include <gtest/gtest.h>

#include "mellea/backends/decode_for_test.h"

namespace mellea {
namespace {

Decoded decode_tgi(const std::vector<std::string_view>& pieces, TgiAsked asked = {},
                   std::string_view content_type = kEvents, const Headers& head = {}) {
  const auto names = std::make_shared<const RequestNames>(
      RequestNames{.provider = "huggingface", .request = "POST http://h/generate"});
  const auto decoder = make_tgi_decoder(names, std::move(asked));
  decoder->head(head);
  return decode(*decoder, pieces, content_type);
}

Decoded decode_whole(std::string_view body, TgiAsked asked = {}, const Headers& head = {}) {
  return decode_tgi({body}, std::move(asked), kJson, head);
}

std::string token(const std::string& text, const std::string& rest = "null,\"details\":null") {
  return R"(data:{"index":1,"token":{"id":5,"text":")" + text +
         R"(","logprob":-0.5,"special":false},"generated_text":)" + rest + "}\n\n";
}

constexpr const char* kDetails =
    R"("details":{"finish_reason":"eos_token","generated_tokens":3,"seed":18446744073709551615,)"
    R"("input_length":4})";

// The end of a text, which is not of the text itself.
std::string last(const std::string& text, const std::string& details = kDetails) {
  return R"(data:{"index":3,"token":{"id":2,"text":"</s>","logprob":-0.1,"special":true},)"
         R"("generated_text":")" +
         text + "\"," + details + "}\n\n";
}

std::string stopped_at(const std::string& token_text) {
  return token(token_text, R"("all","details":{"finish_reason":"stop_sequence",)"
                           R"("generated_tokens":3,"seed":null,"input_length":4})");
}

TEST(TgiReplyTest, AStreamSaysItsTokensAndThenWhatTheyCost) {
  const Decoded decoded = decode_tgi({token("Pa") + token("ris") + last("Paris")});
  EXPECT_EQ(decoded.what(), "");
  EXPECT_EQ(decoded.reply.text, "Paris");
  EXPECT_EQ(decoded.reply.finish_reasons, std::vector<std::string>{"stop"});
  EXPECT_EQ(decoded.reply.usage, (Usage{.input_tokens = 4, .output_tokens = 3}));
  EXPECT_EQ(decoded.reply.response.metadata.text(), R"({"seed":18446744073709551615})");
  EXPECT_EQ(decoded.chunks.size(), 5U);
}

TEST(TgiReplyTest, AWholeAnswerSaysTheSameAtOnce) {
  const std::string_view body =
      R"({"generated_text":"Paris","details":{"finish_reason":"length","generated_tokens":1,)"
      R"("seed":null,"prefill":[],"tokens":[{"id":1,"text":"Paris","logprob":-0.5,)"
      R"("special":false}]}})";
  const Decoded decoded = decode_whole(body, {}, {{"x-prompt-tokens", "6"}});
  EXPECT_EQ(decoded.what(), "");
  EXPECT_EQ(decoded.reply.text, "Paris");
  EXPECT_EQ(decoded.reply.finish_reasons, std::vector<std::string>{"length"});
  EXPECT_EQ(decoded.reply.usage, (Usage{.input_tokens = 6, .output_tokens = 1}));
  EXPECT_FALSE(decoded.reply.response.metadata);
  EXPECT_TRUE(decoded.reply.logprobs.empty()) << "nobody has asked for them";
  EXPECT_EQ(describe(decode_whole("[" + std::string(body) + "]\n")), describe(decode_whole(body)))
      << "as gateways wrap it";
}

TEST(TgiReplyTest, TokensOfThePromptAreCountedWhereTheyWereToldAndNeverInvented) {
  const auto input = [](std::string_view prefill, const Headers& head) {
    const Decoded decoded =
        decode_whole(R"({"generated_text":"x","details":{"generated_tokens":1,"prefill":)" +
                         std::string(prefill) + "}}",
                     {}, head);
    return decoded.reply.usage.value().input_tokens;
  };
  EXPECT_EQ(input("[]", {}), std::nullopt);
  EXPECT_EQ(input(R"([{"id":1,"text":"a","logprob":null},{"id":2,"text":"b"}])", {}), 2);
  EXPECT_EQ(input("[{}]", {{"x-prompt-tokens", "7"}}), 7);
  EXPECT_EQ(decode_whole(R"({"generated_text":"x"})").reply.usage, std::nullopt);
}

TEST(TgiReplyTest, TheStopTextIsNoneOfTheAnswer) {
  const TgiAsked asked{.stop = {"\n\n", "END"}};
  EXPECT_EQ(decode_tgi({token("a\\n") + stopped_at("\\n")}, asked).reply.text, "a");
  EXPECT_EQ(decode_tgi({token("E") + token("N") + stopped_at("D")}, asked).reply.text, "");
  EXPECT_EQ(decode_tgi({token("END") + last("END")}, asked).reply.text, "END")
      << "that is not what ended it";
  const Decoded said = decode_tgi({token("E") + token("Nx") + last("")}, asked);
  EXPECT_EQ(said.reply.text, "ENx");
  const std::string whole =
      R"({"generated_text":"aEND","details":{"finish_reason":"stop_sequence"}})";
  EXPECT_EQ(decode_whole(whole, asked).reply.text, "a");
  EXPECT_EQ(decode_whole(whole).reply.text, "aEND");
}

TEST(TgiReplyTest, FinishReasonsAreOpenAis) {
  for (const auto& [told, meant] : {std::pair("eos_token", "stop"),
                                    {"stop_sequence", "stop"},
                                    {"length", "length"},
                                    {"new_one", "new_one"}})
    EXPECT_EQ(decode_whole(R"({"generated_text":"","details":{"finish_reason":")" +
                           std::string(told) + "\"}}")
                  .reply.finish_reasons,
              std::vector<std::string>{meant});
}

TEST(TgiReplyTest, LogprobsComeWithTheTokensTheyAreOf) {
  const std::string top =
      R"(data:{"token":{"text":"A","logprob":-0.25,"special":false},"top_tokens":)"
      R"([{"id":1,"text":"A","logprob":-0.25,"special":false},{"text":"B","logprob":-2},{"id":9}],)"
      R"("generated_text":null,"details":null})"
      "\n\n";
  const Decoded streamed = decode_tgi({top + last("A")}, {.logprobs = true});
  ASSERT_EQ(streamed.reply.logprobs.size(), 1U) << "the end of the text is no token of it";
  EXPECT_EQ(streamed.reply.logprobs[0].token, "A");
  EXPECT_EQ(streamed.reply.logprobs[0].logprob, -0.25);
  ASSERT_EQ(streamed.reply.logprobs[0].top.size(), 2U);
  EXPECT_EQ(streamed.reply.logprobs[0].top[1].token, "B");
  const Decoded whole = decode_whole(
      R"({"generated_text":"A","details":{"tokens":[{"text":"A","logprob":-0.25,"special":false},)"
      R"({"text":"</s>","logprob":0,"special":true},{"text":"x"}],"top_tokens":[[)"
      R"({"text":"A","logprob":-0.25},{"text":"B","logprob":-2}],[]]}})",
      {.logprobs = true});
  ASSERT_EQ(whole.reply.logprobs.size(), 1U);
  EXPECT_EQ(whole.reply.logprobs[0].top.size(), 2U);
}

TEST(TgiReplyTest, SeveralAnswersEachHaveTheirIndex) {
  const std::string_view body =
      R"({"generated_text":"A","details":{"finish_reason":"length","generated_tokens":2,"seed":1,)"
      R"("prefill":[{},{}],"tokens":[],"best_of_sequences":[{"generated_text":"B END",)"
      R"("finish_reason":"stop_sequence","generated_tokens":3,"prefill":[{},{}],"tokens":[]}]}})";
  const Decoded two = decode_whole(body, {.answers = 2, .stop = {" END"}});
  EXPECT_EQ(two.what(), "");
  EXPECT_EQ(two.reply.text, "A");
  ASSERT_EQ(two.reply.alternatives.size(), 1U);
  EXPECT_EQ(two.reply.alternatives[0].text, "B");
  EXPECT_EQ(two.reply.alternatives[0].finish_reason, "stop");
  EXPECT_EQ(two.reply.usage, (Usage{.input_tokens = 2, .output_tokens = 5}));
  EXPECT_TRUE(decode_whole(body).reply.alternatives.empty()) << "the best of two was wanted";
  EXPECT_EQ(decode_whole(body, {.answers = 3}).what(),
            "huggingface: POST http://h/generate: there is no answer 2 of 3, counted from 0");
}

TEST(TgiReplyTest, AnErrorInTheStreamEndsIt) {
  const std::string error =
      "data:{\"error\":\"Request failed during generation: out of "
      "memory\",\"error_type\":\"generation\"}\n\n";
  const Decoded cut_short = decode_tgi({token("Pa") + error});
  EXPECT_EQ(cut_short.outcome(), "server_error");
  EXPECT_EQ(cut_short.reply.text, "Pa");
  EXPECT_EQ(cut_short.error->details().provider_code, "generation");
  EXPECT_EQ(cut_short.what(),
            "huggingface: POST http://h/generate: the server gave up after 1 chunks: server_error: "
            "\"Request failed during generation: out of memory\": the text above is incomplete");
  EXPECT_EQ(decode_tgi({"data:{\"error\":\"Input validation error: `inputs` must have less than 10 "
                        "tokens. Given: 20\",\"error_type\":\"validation\"}\n\n"})
                .outcome(),
            "context_length");
  EXPECT_EQ(decode_whole(R"({"error":"Model is overloaded","error_type":"overloaded"})").outcome(),
            "rate_limit");
}

TEST(TgiReplyTest, AStreamWithoutItsEndIsNoWholeAnswer) {
  const Decoded lost = decode_tgi({":keep-alive\n\n" + token("Pa")});
  EXPECT_EQ(lost.outcome(), "transport_error");
  EXPECT_EQ(lost.reply.text, "Pa");
  EXPECT_EQ(decode_tgi({""}).outcome(), "transport_error");
  EXPECT_EQ(decode_whole("").outcome(), "transport_error");
}

TEST(TgiReplyTest, WhatCannotBeReadIsShown) {
  const auto why = [](const Decoded& decoded) {
    EXPECT_EQ(decoded.outcome(), "parse_error");
    return decoded.what().substr(std::string_view("huggingface: POST http://h/generate: ").size());
  };
  EXPECT_EQ(why(decode_whole("nope")), "the answer is wrong: not a JSON object: \"nope\"");
  EXPECT_EQ(why(decode_whole("[]")), "the answer is wrong: not JSON: \"\"");
  EXPECT_EQ(why(decode_whole(R"({"a":1})")), "the answer has no \"generated_text\"");
  EXPECT_EQ(why(decode_whole(R"({"generated_text":7})")),
            "the answer is wrong: \"generated_text\" is not text: \"{\"generated_text\":7}\"");
  EXPECT_EQ(why(decode_whole(R"([{"generated_text":"a"},{"generated_text":"b"}])")),
            "the answer is wrong: not JSON: \"{\"generated_text\":\"a\"},"
            "{\"generated_text\":\"b\"}\"");
  EXPECT_EQ(why(decode_tgi({token("a") + "data:{\"token\":{\"text\":1}}\n\n"})),
            "event 2 of the stream is wrong: the text of a token is not text: "
            "\"{\"token\":{\"text\":1}}\"");
  std::string many = R"({"generated_text":"a","details":{"best_of_sequences":[{})";
  for (int i = 0; i < 1024; ++i) many += ",{}";
  EXPECT_TRUE(why(decode_whole(many + "]}}"))
                  .starts_with("the answer is wrong: there are too many answers: "));
  EXPECT_EQ(why(decode_whole(R"({"generated_text":"a","details":{"best_of_sequences":[1]}})")),
            "the answer is wrong: one of \"best_of_sequences\" is not an object: "
            R"("{"generated_text":"a","details":{"best_of_sequences":[1]}}")");
}

TEST(TgiReplyTest, DecodesTheSameHoweverItWasCut) {
  const std::string stream =
      ":\n\n" + token("sm\xC3\xB8r\\u00e9") + token("\\n") + token("E") + stopped_at("ND");
  const std::string whole =
      R"([{"generated_text":"smør END","details":{"finish_reason":"stop_sequence",)"
      R"("generated_tokens":2,"seed":5,"tokens":[{"text":"s","logprob":-1}]}}])";
  const TgiAsked asked{.stop = {"END"}, .logprobs = true};
  for (const std::string_view body : {std::string_view(stream), std::string_view(whole)}) {
    for (const std::string_view type : {kEvents, std::string_view()}) {
      if (type == kEvents && body.starts_with('[')) continue;
      const Decoded at_once = decode_tgi({body}, asked, type);
      EXPECT_EQ(at_once.what(), "");
      EXPECT_EQ(describe(decode_tgi(cut(body, 1), asked, type)), describe(at_once));
      for (std::size_t at = 1; at < body.size(); ++at)
        EXPECT_EQ(describe(decode_tgi({body.substr(0, at), body.substr(at)}, asked, type)),
                  describe(at_once))
            << at;
    }
  }
}

TEST(TgiReplyTest, LostAtAnyByteNeverPassesForWhole) {
  const std::string stream = token("a") + token("b") + last("ab");
  for (std::size_t at = 0; at + 1 < stream.size(); ++at) {
    const Decoded lost = decode_tgi({std::string_view(stream).substr(0, at)});
    EXPECT_EQ(lost.outcome(), "transport_error") << at;
    EXPECT_TRUE(std::string_view("ab").starts_with(lost.reply.text)) << at;
  }
}

}  // namespace
}  // namespace mellea
