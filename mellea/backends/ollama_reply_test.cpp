#include "mellea/backends/ollama_reply.h"

#include <gtest/gtest.h>

#include "mellea/backends/decode_for_test.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

Decoded decode_lines(std::string_view body) { return decode_ollama({body}); }

// A line of a stream with that message, an object's members.
std::string line(const std::string& message) {
  return R"({"model":"m","created_at":"t1","message":{"role":"assistant",)" + message +
         R"(},"done":false})" + "\n";
}

std::string says(const std::string& text) { return line(R"("content":")" + text + '"'); }

std::string calls(const std::string& calls) {
  return line(R"("content":"","tool_calls":[)" + calls + ']');
}

const std::string kStop =
    R"({"model":"m","created_at":"t9","message":{"role":"assistant","content":""},)"
    R"("done":true,"done_reason":"stop","total_duration":30,"load_duration":1,)"
    R"("prompt_eval_count":7,"prompt_eval_duration":9,"eval_count":3,"eval_duration":20})"
    "\n";

TEST(OllamaDecoder, ReadsAStream) {
  EXPECT_EQ(describe(decode_lines(line(R"("content":"","thinking":"hm")") + says("Pa") +
                                  says("ris.") + kStop)),
            "0: info  m  \n"
            "0: thinking hm\n"
            "0: text Pa\n"
            "0: text ris.\n"
            "0: info     {\"created_at\":\"t1\",\"eval_duration\":20,\"load_duration\":1,"
            "\"prompt_eval_duration\":9,\"total_duration\":30}\n"
            "0: finish stop\n"
            "0: usage 7 3 - - - -\n"
            "ok ");
}

TEST(OllamaDecoder, ReadsAWholeAnswerWithoutANewline) {
  const Decoded decoded = decode_lines(
      R"({"model":"m","message":{"role":"assistant","content":"Paris.","thinking":"hm"},)"
      R"("done_reason":"length","done":true,"eval_count":3})");
  EXPECT_EQ(decoded.outcome(), "ok");
  EXPECT_EQ(decoded.reply.text, "Paris.");
  EXPECT_EQ(decoded.reply.thinking, "hm");
  EXPECT_EQ(decoded.reply.finish_reasons, std::vector<std::string>{"length"});
  EXPECT_FALSE(decoded.reply.response.metadata);
}

TEST(OllamaDecoder, ReadsWhatGenerateSays) {
  const Decoded decoded = decode_lines(
      "{\"model\":\"m\",\"response\":\"\",\"thinking\":\"hm\",\"done\":false}\n"
      "{\"model\":\"m\",\"response\":\"Paris.\",\"done\":false}\n"
      "{\"model\":\"m\",\"response\":\"\",\"done\":true,\"done_reason\":\"stop\","
      "\"context\":[1,2]}\n");
  EXPECT_EQ(decoded.outcome(), "ok");
  EXPECT_EQ(decoded.reply.text, "Paris.");
  EXPECT_EQ(decoded.reply.thinking, "hm");
}

TEST(OllamaDecoder, WhatWasNotCountedIsAbsent) {
  EXPECT_FALSE(decode_lines(R"({"done":true})").reply.usage);
  const auto cached = decode_lines(R"({"done":true,"eval_count":5})").reply.usage;
  EXPECT_EQ(cached, (Usage{.output_tokens = 5}));
  const Decoded wrong = decode_lines(R"({"done":true,"eval_count":-5,"prompt_eval_count":2.5})");
  EXPECT_EQ(describe(wrong), "0: notice usage_implausible\nok ");
}

TEST(OllamaDecoder, AStopAfterCallsIsForTheCalls) {
  const std::string call = R"({"id":"a","function":{"index":0,"name":"f","arguments":{}}})";
  EXPECT_EQ(decode_lines(calls(call) + kStop).reply.finish_reasons.at(0), "tool_calls");
  EXPECT_EQ(decode_lines(calls(call) + R"({"done":true,"done_reason":"length"})")
                .reply.finish_reasons.at(0),
            "length");
  EXPECT_EQ(decode_lines(R"({"done":true,"done_reason":"load"})").reply.finish_reasons.at(0),
            "load");
  EXPECT_TRUE(decode_lines(R"({"done":true})").reply.finish_reasons.empty());
}

TEST(OllamaDecoder, KeepsIdsAndMakesUpMissingOnes) {
  const Decoded decoded = decode_lines(
      calls(R"({"id":"a","function":{"index":0,"name":"f","arguments":{"x": [1, "}"]}}})") +
      calls(R"({"function":{"name":"g","arguments":{}}},{"function":{"index":0,"name":"g"}})") +
      calls(R"({"function":{"arguments":"{\"y\":2}","name":"h"}})") + kStop);
  const auto& made = decoded.reply.tool_calls;
  ASSERT_EQ(made.size(), 4U) << describe(decoded);
  EXPECT_EQ(made[0].id, "a");
  EXPECT_EQ(made[0].arguments, R"({"x": [1, "}"]})");
  EXPECT_EQ(made[1].id, "call_1");
  EXPECT_EQ(made[1].arguments, "{}");
  EXPECT_EQ(made[2].id, "call_2");
  EXPECT_EQ(made[2].arguments, "{}");
  EXPECT_EQ(made[3].id, "call_3");
  EXPECT_EQ(made[3].name, "h");
  EXPECT_EQ(made[3].arguments, R"({"y":2})");
}

TEST(OllamaDecoder, AnErrorInTheStreamKeepsTheText) {
  const Decoded decoded = decode_lines(says("half") + R"({"error":"the runner has stopped"})");
  EXPECT_EQ(decoded.reply.text, "half");
  EXPECT_EQ(decoded.outcome(), "server_error");
  EXPECT_EQ(decoded.what(),
            "ollama: POST http://h/api/chat: the server gave up after 1 chunks: server_error: "
            "\"the runner has stopped\": the text above is incomplete");
  EXPECT_EQ(decoded.error->details().provider_message, "the runner has stopped");
  EXPECT_EQ(decode_lines(says("a") + R"({"error":null,"done":true})").outcome(), "ok");
}

TEST(OllamaDecoder, AStreamWithoutItsEndIsAnError) {
  const Decoded decoded = decode_lines(says("a") + says("b"));
  EXPECT_EQ(decoded.reply.text, "ab");
  EXPECT_EQ(decoded.outcome(), "transport_error");
  EXPECT_EQ(
      decoded.what(),
      "ollama: stream ended without its end mark after 2 chunks: the text above is incomplete");
  EXPECT_EQ(decode_lines("").what(), "ollama: stream ended without its end mark after 0 chunks");
  EXPECT_TRUE(decode_lines("").error->retryable());
}

TEST(OllamaDecoder, ALineThatIsCutIsALostConnection) {
  const Decoded decoded = decode_lines(says("a") + R"({"message":{"content":"b)");
  EXPECT_EQ(decoded.reply.text, "a");
  ASSERT_TRUE(decoded.error);
  EXPECT_EQ(decoded.outcome(), "transport_error");
  EXPECT_TRUE(decoded.error->retryable());
}

TEST(OllamaDecoder, WhatIsNoAnswerIsRefused) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"<html>", "not JSON"},
      {"[]", "not a JSON object"},
      {"{} {}", "not JSON"},
      {R"({"message":"x"})", "\"message\" is not an object"},
      {R"({"message":{"content":1}})", "\"content\" is not text"},
      {R"({"message":{"thinking":{}}})", "\"thinking\" is not text"},
      {R"({"response":[]})", "\"response\" is not text"},
      {R"({"message":{"tool_calls":{}}})", "\"tool_calls\" is not an array"},
      {R"({"message":{"tool_calls":[1]}})", "a tool call is not an object"},
      {R"({"message":{"tool_calls":[{}]}})", "a tool call has no name"},
      {R"({"message":{"tool_calls":[{"function":{"name":2}}]}})",
       "the name of a tool call is not text"},
      {R"({"message":{"tool_calls":[{"function":{"name":"f","arguments":[]}}]}})",
       "the arguments of a tool call are no object"},
  };
  for (const auto& [answer, why] : cases) {
    const Decoded decoded = decode_lines(answer + '\n');
    EXPECT_EQ(decoded.outcome(), "parse_error") << answer;
    EXPECT_NE(decoded.what().find("line 1 of the answer is wrong: " + why + ": "),
              std::string::npos)
        << decoded.what();
  }
}

TEST(OllamaDecoder, AnotherProtocolIsNoCutStream) {
  const Decoded decoded = decode_lines(R"({"object":"chat.completion","choices":[]})");
  EXPECT_EQ(decoded.outcome(), "parse_error");
  EXPECT_EQ(decoded.what(),
            "ollama: POST http://h/api/chat: the answer has neither a message nor \"done\": "
            "\"{\"object\":\"chat.completion\",\"choices\":[]}\"");
  EXPECT_FALSE(decoded.error->retryable());
}

TEST(OllamaDecoder, WhatNobodyNeedsMayBeAnything) {
  EXPECT_EQ(decode_lines(R"({"status":"loading"})"
                         "\n"
                         R"({"model":7,"created_at":[],"message":null,"logprobs":[{"token":"a"}]})"
                         "\n"
                         R"({"done":true,"done_reason":1,"eval_count":"many","x":{"y":[[[]]]}})")
                .outcome(),
            "ok");
  EXPECT_EQ(decode_lines(R"({"done":"true"})").outcome(), "transport_error");
}

TEST(OllamaDecoder, LogprobsComeWithTheText) {
  const Decoded decoded = decode_lines(
      R"({"message":{"content":"a"},"logprobs":[{"token":"a","logprob":-0.5,"top_logprobs":[)"
      R"({"token":"b","logprob":-1.5}]}]})"
      "\n" +
      kStop);
  ASSERT_EQ(decoded.reply.logprobs.size(), 1U);
  EXPECT_EQ(decoded.reply.logprobs[0].token, "a");
  EXPECT_EQ(decoded.reply.logprobs[0].top.at(0).logprob, -1.5);
}

TEST(OllamaDecoder, BrokenCharactersAreReplaced) {
  const Decoded decoded =
      decode_lines(says("sm\xC3\xB8r \xFF") + says(R"(\ud83d\ude00 \ud83d)") + kStop);
  EXPECT_EQ(decoded.reply.text, "sm\xC3\xB8r \xEF\xBF\xBD\xF0\x9F\x98\x80 \xEF\xBF\xBD");
  EXPECT_EQ(decoded.outcome(), "ok");
}

TEST(OllamaDecoder, AHugeLineIsRefusedBeforeItEnds) {
  const std::string piece(1U << 20U, 'x');
  std::vector<std::string_view> pieces = {R"({"message":{"content":")"};
  pieces.insert(pieces.end(), 17, piece);
  const Decoded decoded = decode_ollama(pieces);
  EXPECT_EQ(decoded.what(),
            "ollama: POST http://h/api/chat: a line of the stream is over 16777216 bytes");
  EXPECT_EQ(decoded.outcome(), "parse_error");
}

TEST(OllamaDecoder, MoreCallsThanAnyoneMakesAreRefused) {
  std::string many;
  for (int i = 0; i < 1'025; ++i) many += calls(R"({"function":{"name":"f"}})");
  EXPECT_EQ(decode_lines(many + kStop).outcome(), "parse_error");
}

TEST(OllamaDecoder, TakesNothingAfterTheEnd) {
  EXPECT_EQ(decode_lines(says("a") + kStop + says("b") + "nonsense").reply.text, "a");
}

TEST(OllamaDecoder, GivesTheSameCutAnywhere) {
  const std::string body = "\xEF\xBB\xBF" + says("sm\xC3\xB8r") + "\r\n" +
                           line(R"("content":"x","thinking":"\u00e9\ud83d\ude00")") +
                           calls(R"({"function":{"name":"f","arguments":{"a":"\n"}}})") + kStop;
  const std::string whole = describe(decode_lines(body));
  EXPECT_TRUE(whole.ends_with("ok ")) << whole;
  for (std::size_t size = 1; size < 40; ++size)
    EXPECT_EQ(whole, describe(decode_ollama(cut(body, size)))) << size;
  const std::string_view all = body;
  for (std::size_t at = 0; at <= all.size(); ++at)
    EXPECT_EQ(whole, describe(decode_ollama({all.substr(0, at), all.substr(at)}))) << at;
}

TEST(OllamaDecoder, LostAtAnyByteItNeverPassesForWhole) {
  const std::string body = says("One") + says(" two") + kStop;
  for (std::size_t at = 0; at < body.size() - 2; ++at) {  // the newline, and the last brace
    const Decoded decoded = decode_lines(std::string_view(body).substr(0, at));
    EXPECT_TRUE(decoded.error) << at;
    EXPECT_TRUE(std::string_view("One two").starts_with(decoded.reply.text)) << at;
  }
}

class OllamaEmbeddings : public testing::Test {
 protected:
  static Decoded decode(std::string_view body, std::size_t prompts) {
    const auto names = std::make_shared<const RequestNames>(
        RequestNames{.provider = "ollama", .request = "POST http://h/api/embed"});
    return mellea::decode(*make_ollama_embeddings_decoder(names, prompts), cut(body, 7), kJson);
  }
};

TEST_F(OllamaEmbeddings, AreInTheOrderOfTheirPrompts) {
  EXPECT_EQ(describe(decode(R"({"model":"e","embeddings":[[1,0.25],[0.5,-2]],"total_duration":30,)"
                            R"("load_duration":1,"prompt_eval_count":4})",
                            2)),
            "0: info  e   {\"load_duration\":1,\"total_duration\":30}\n"
            "0: embedding 1.000000 0.250000\n1: embedding 0.500000 -2.000000\n"
            "-1: usage 4 - - - - -\nok ");
  EXPECT_EQ(describe(decode(R"({"embedding":[1]})", 1)), "0: embedding 1.000000\nok ");
}

TEST_F(OllamaEmbeddings, ThatAreMissingOrTooManyAreAnError) {
  for (const char* body :
       {R"({"embeddings":[[1]]})", R"({"embeddings":[[1],[2],[3]]})", R"({"embeddings":[[1],[]]})",
        R"({"embeddings":[[1],["x"]]})", R"({"embeddings":[1,2]})", R"({"embeddings":null})", "{}",
        "", "nope", R"({"embeddings":[[1],[2]]} x)"})
    EXPECT_EQ(decode(body, 2).outcome(), "parse_error") << body;
}

TEST_F(OllamaEmbeddings, AnErrorInAnAnswerIsNoEmbedding) {
  const Decoded refused = decode(R"({"error":"the input length exceeds the context length"})", 1);
  EXPECT_EQ(refused.outcome(), "context_length");
}

}  // namespace
}  // namespace mellea
