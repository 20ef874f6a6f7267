#include "mellea/backends/openai_reply.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <array>
#include <nlohmann/json.hpp>

#include "mellea/backends/decode_for_test.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

std::string event(std::string_view json) { return "data: " + std::string(json) + "\n\n"; }

std::string delta(std::string_view members, std::string_view finish = "null") {
  return event(R"({"id":"c1","model":"m","choices":[{"index":0,"delta":{)" + std::string(members) +
               R"(},"finish_reason":)" + std::string(finish) + "}]}");
}

std::string says(std::string_view text) {
  return delta(R"("content":")" + std::string(text) + '"');
}

const std::string kStop = delta("", R"("stop")");
const std::string kDone = "data: [DONE]\n\n";

// The lines of describe() without the info and the outcome "ok".
std::string chunks(const std::string& body) {
  std::string all = describe(decode(body));
  const std::string info = "0: info c1 m  \n";
  if (all.starts_with(info)) all.erase(0, info.size());
  if (all.ends_with("ok ")) all.resize(all.size() - 3);
  return all;
}

TEST(OpenAiDecoder, UsageComesOnAChunkWithoutChoices) {
  EXPECT_EQ(
      chunks(event(R"({"id":"c1","model":"m","choices":[{"index":0,"delta":{"role":"assistant",)"
                   R"("content":""},"finish_reason":null}],"usage":null})") +
             says("Hi") + kStop +
             event(R"({"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,)"
                   R"("total_tokens":11,"prompt_tokens_details":{"cached_tokens":4},)"
                   R"("completion_tokens_details":{"reasoning_tokens":1}}})") +
             kDone),
      "0: text Hi\n0: finish stop\n0: usage 9 2 11 4 - 1\n");
}

TEST(OpenAiDecoder, UsageComesWithTheFinishReason) {
  EXPECT_EQ(chunks(says("Hi") +
                   event(R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],)"
                         R"("usage":{"prompt_tokens":9,"prompt_cache_hit_tokens":3,)"
                         R"("completion_tokens":null}})") +
                   kDone),
            "0: text Hi\n0: finish stop\n0: usage 9 - - 3 - -\n");
}

TEST(OpenAiDecoder, OfUsageOnEveryChunkTheLastHolds) {
  const std::string chunk = R"({"choices":[{"index":0,"delta":{"content":"a"}}],"usage":)";
  const Decoded decoded =
      decode(event(chunk + R"({"prompt_tokens":9,"completion_tokens":1}})") +
             event(chunk + R"({"prompt_tokens":9,"completion_tokens":2}})") +
             event(chunk + R"({"prompt_tokens":9,"completion_tokens":2}})") + kStop + kDone);
  EXPECT_EQ(decoded.reply.usage->output_tokens, 2);
  EXPECT_EQ(std::count_if(decoded.chunks.begin(), decoded.chunks.end(),
                          [](const Chunk& c) { return std::holds_alternative<Usage>(c.what); }),
            2);
}

TEST(OpenAiDecoder, CountsThatCannotBeTrueAreLeftOutAndToldOnce) {
  const std::string bad = R"({"choices":[],"usage":{"prompt_tokens":-1,"completion_tokens":2,)"
                          R"("completion_tokens_details":{"reasoning_tokens":5}}})";
  EXPECT_EQ(chunks(kStop + event(bad) + event(bad) + kDone),
            "0: finish stop\n0: notice usage_implausible\n0: usage - 2 - - - -\n");
}

TEST(OpenAiDecoder, TheFirstChunkMayHaveNoChoices) {
  EXPECT_EQ(chunks(event(R"({"choices":[],"id":"","model":"","prompt_filter_results":[{}]})") +
                   says("a") + kStop + kDone),
            "0: text a\n0: finish stop\n0: info     {\"prompt_filter_results\":[{}]}\n");
}

// What one server does and others do not: an event before the last one, and what becomes of it.
TEST(OpenAiDecoder, DeviationsOfServersAreRead) {
  struct Row {
    const char* who;
    const char* event;
    const char* chunks;
  };
  const auto rows = std::to_array<Row>({
      {"Azure: filters run behind",
       R"({"choices":[{"content_filter_offsets":{"check_offset":44},)"
       R"("content_filter_results":{"hate":{"filtered":false}},)"
       R"("finish_reason":null,"index":0}],"id":"","model":""})",
       ""},
      {"Azure: cut by the filter",
       R"({"choices":[{"delta":{},"finish_reason":"content_filter",)"
       R"("index":0}]})",
       "0: finish content_filter\n"},
      {"DeepSeek: usage with the finish reason",
       R"({"choices":[{"index":0,"delta":{"content":"","reasoning_content":null},)"
       R"("finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2,)"
       R"("total_tokens":11,"prompt_tokens_details":{"cached_tokens":4},)"
       R"("prompt_cache_hit_tokens":4,"prompt_cache_miss_tokens":5}})",
       "0: finish stop\n0: usage 9 2 11 4 - -\n"},
      {"Groq: usage where it was not asked for",
       R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"id":"req_1",)"
       R"("usage":{"queue_time":0.2,"prompt_tokens":18,"completion_tokens":7,"total_tokens":25}}})",
       "0: finish stop\n0: usage 18 7 25 - - -\n0: info     {\"x_groq\":{\"id\":\"req_1\","
       "\"usage\":{\"completion_tokens\":7,\"prompt_tokens\":18,\"queue_time\":0.2,"
       "\"total_tokens\":25}}}\n"},
      {"LiteLLM: the cache of Anthropic",
       R"({"choices":[],"usage":{"prompt_tokens":90,"completion_tokens":1,)"
       R"("cache_creation_input_tokens":20,"cache_read_input_tokens":60}})",
       "0: usage 90 1 - 60 20 -\n"},
      {"OpenRouter: who answered, and the cost",
       R"({"provider":"BaseTen","choices":[],"usage":{"prompt_tokens":4,"completion_tokens":1,)"
       R"("cost":0.00014,"is_byok":false}})",
       "0: usage 4 1 - - - -\n0: info     {\"provider\":\"BaseTen\",\"usage\":"
       "{\"completion_tokens\":1,\"cost\":0.00014,\"is_byok\":false,\"prompt_tokens\":4}}\n"},
      {"OpenRouter: thinking in two forms",
       R"({"choices":[{"index":0,"delta":{"content":"","reasoning":"hm","reasoning_details":)"
       R"([{"type":"reasoning.text","text":"hm"}]}}]})",
       "0: thinking hm\n"},
      {"vLLM: members without a value",
       R"({"choices":[{"index":0,"delta":{"content":"b"},"logprobs":null,"stop_reason":null,)"
       R"("token_ids":null}],"prompt_token_ids":null,"kv_transfer_params":null})",
       "0: text b\n"},
      {"LM Studio: empty statistics", R"({"choices":[],"stats":{}})", ""},
      {"llama-server: times",
       R"({"choices":[],"timings":{"predicted_per_second":51.5},)"
       R"("usage":{"completion_tokens":3,"prompt_tokens":2}})",
       "0: usage 2 3 - - - -\n0: info     {\"timings\":{\"predicted_per_second\":51.5}}\n"},
      {"Gemini: calls without an index, arguments at once",
       R"({"choices":[{"index":0,"delta":{"tool_calls":[{"function":{"arguments":"{}","name":"f"},)"
       R"("id":"","type":"function"}]}}]})",
       "0: call 0  f {}\n"},
  });
  for (const Row& row : rows)
    EXPECT_EQ(chunks(says("a") + event(row.event) + kDone), "0: text a\n" + std::string(row.chunks))
        << row.who;
}

TEST(OpenAiDecoder, AChoiceThatFailedFailsTheAnswer) {
  const Decoded decoded =
      decode(R"({"choices":[{"error":{"code":429,"message":"Slow down"},"finish_reason":"error",)"
             R"("message":{"content":"ha"}}]})",
             kJson);
  EXPECT_EQ(decoded.reply.text, "ha");
  EXPECT_EQ(decoded.outcome(), "rate_limit");
  EXPECT_EQ(decoded.error->details().provider_message, "Slow down");
  EXPECT_EQ(decode(R"({"choices":[{"error":null,"message":{"content":"a"}}]})", kJson).outcome(),
            "ok");
}

TEST(OpenAiDecoder, OfWhatHasNoNameInTheProtocolTheLastIsKeptWithinLimits) {
  const auto other = [](std::string_view json) {
    return event(R"({"choices":[],"x":)" + std::string(json) + "}");
  };
  const auto kept = [](const std::string& body) {
    const Decoded decoded = decode(says("a") + body + kDone);
    EXPECT_EQ(decoded.what(), "");
    return decoded.reply.response.metadata ? decoded.reply.response.metadata.text() : "";
  };
  EXPECT_EQ(kept(other("1") + other(" [ 2 ] ") + other("[2]") + other("null")), R"({"x":[2]})");
  EXPECT_EQ(kept(other("true ") + other("{}")), R"({"x":true})");
  EXPECT_EQ(kept(other("{\"a\":[1 2]}")), "");
  EXPECT_EQ(kept(other(std::string(100, '[') + std::string(100, ']'))), "");
  EXPECT_EQ(kept(other('"' + std::string(100'000, 'x') + '"')), "");
  std::string many = "{\"choices\":[]";
  for (int i = 0; i < 100; ++i) many += ",\"x" + std::to_string(i) + "\":1";
  EXPECT_EQ(nlohmann::json::parse(kept(event(many + "}"))).size(), 32U);
}

TEST(OpenAiDecoder, TheIndexMayComeAfterTheDelta) {
  EXPECT_EQ(
      chunks(event(R"({"choices":[{"delta":{"content":"b"},"index":1}],"id":"c1","model":"m"})") +
             event(R"({"choices":[{"finish_reason":"stop","index":1},)"
                   R"({"finish_reason":"length","index":0}]})") +
             kDone),
      "1: text b\n1: finish stop\n0: finish length\n");
}

TEST(OpenAiDecoder, ThinkingHasThreeNames) {
  EXPECT_EQ(chunks(delta(R"("reasoning_content":"a","content":null)") +
                   delta(R"("reasoning":"b","reasoning_content":"")") + delta(R"("thinking":"c")") +
                   delta(R"("reasoning":"d","reasoning_content":"d","thinking":{"x":1})") +
                   says("e") + kStop + kDone),
            "0: thinking a\n0: thinking b\n0: thinking c\n0: thinking d\n0: text e\n"
            "0: finish stop\n");
}

TEST(OpenAiDecoder, RefusalsAreTold) {
  EXPECT_EQ(chunks(delta(R"("refusal":"no")") + kStop + kDone), "0: refusal no\n0: finish stop\n");
}

TEST(OpenAiDecoder, ToolCallsAreKeyedByIndex) {
  EXPECT_EQ(
      chunks(
          delta(R"("tool_calls":[{"index":0,"id":"a","type":"function",)"
                R"("function":{"name":"f","arguments":""}}])") +
          delta(R"("tool_calls":[{"index":1,"id":"b","function":{"name":"g","arguments":null}}])") +
          delta(R"("tool_calls":[{"index":0,"function":{"arguments":"{\"x\":"}}])") +
          delta(
              R"("tool_calls":[{"index":1,"id":null,"function":{"name":null,"arguments":"{}"}}])") +
          delta(R"("tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"1}"}}])") +
          delta("", R"("tool_calls")") + kDone),
      "0: call 0 a f \n0: call 1 b g \n0: call 0   {\"x\":\n0: call 1   {}\n0: call 0   1}\n"
      "0: finish tool_calls\n");
}

TEST(OpenAiDecoder, ToolCallsMayBeNumberedFromOne) {
  const Decoded decoded = decode(
      delta(R"("tool_calls":[{"index":1,"id":"a","function":{"name":"f","arguments":"{"}}])") +
      delta(R"("tool_calls":[{"index":1,"function":{"arguments":"}"}}])") + kStop + kDone);
  ASSERT_EQ(decoded.reply.tool_calls.size(), 1U);
  EXPECT_EQ(decoded.reply.tool_calls[0].arguments, "{}");
}

TEST(OpenAiDecoder, ANewIdOnAUsedIndexIsANewCall) {
  const Decoded decoded = decode(
      delta(R"("tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}])") +
      delta(R"("tool_calls":[{"index":0,"id":"b","function":{"name":"f","arguments":"[]"}}])") +
      delta(R"("tool_calls":[{"index":0,"function":{"arguments":" "}}])") + kStop + kDone);
  ASSERT_EQ(decoded.reply.tool_calls.size(), 2U);
  EXPECT_EQ(decoded.reply.tool_calls[0].arguments, "{}");
  EXPECT_EQ(decoded.reply.tool_calls[1].arguments, "[] ");
}

TEST(OpenAiDecoder, ToolCallsMayLackTheirIndex) {
  const Decoded decoded = decode(
      delta(R"("tool_calls":[{"id":"a","function":{"name":"f","arguments":"{"}}])") +
      delta(R"("tool_calls":[{"function":{"arguments":"}"}}])") +
      delta(R"("tool_calls":[{"function":{"name":"g","arguments":{"x": 1}}}])") + kStop + kDone);
  ASSERT_EQ(decoded.reply.tool_calls.size(), 2U);
  EXPECT_EQ(decoded.reply.tool_calls[0].arguments, "{}");
  EXPECT_EQ(decoded.reply.tool_calls[1].name, "g");
  EXPECT_EQ(decoded.reply.tool_calls[1].arguments, R"({"x": 1})");
}

TEST(OpenAiDecoder, InfoIsToldOnceAndWhenItChanges) {
  EXPECT_EQ(chunks(says("a") + says("b") +
                   event(R"({"id":"c1","model":"m2","system_fingerprint":"fp","choices":[]})") +
                   kStop + kDone),
            "0: text a\n0: text b\n0: info c1 m2  fp\n0: info c1 m  fp\n0: finish stop\n");
}

TEST(OpenAiDecoder, AWholeAnswerIsAStreamOfOneChunk) {
  const Decoded decoded = decode(
      R"({"id":"c1","object":"chat.completion","model":"m","service_tier":"default","choices":[{)"
      R"("index":0,"message":{"role":"assistant","content":"Hello","refusal":null,"tool_calls":[)"
      R"({"id":"a","type":"function","function":{"name":"f","arguments":"{}"}},)"
      R"({"id":"b","type":"function","function":{"name":"f","arguments":"{}"}}]},)"
      R"("finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":2}})",
      kJson);
  EXPECT_EQ(describe(decoded),
            "0: info c1 m default \n0: text Hello\n0: call 0 a f {}\n0: call 1 b f {}\n"
            "0: finish tool_calls\n0: usage 1 2 - - - -\nok ");
}

TEST(OpenAiDecoder, TheServerDecidesWhetherItStreams) {
  const std::string whole = R"( {"choices":[{"message":{"content":"a"}}]})";
  EXPECT_EQ(decode(whole, "").reply.text, "a");
  EXPECT_EQ(decode(says("a") + kDone, "").reply.text, "a");
}

TEST(OpenAiDecoder, EverythingLegalInAnEventStreamIsRead) {
  EXPECT_EQ(decode("data:{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n" + kDone).reply.text,
            "a");
  EXPECT_EQ(decode(": keep-alive\n\n: x\n" + says("a") + kDone).reply.text, "a");
  EXPECT_EQ(decode("event: m\nid: 1\nretry: 5\n" + says("a") + kDone).reply.text, "a");
  EXPECT_EQ(decode("data: {\"choices\":\ndata: [{\"delta\":{\"content\":\"a\"}}]}\n\n" + kDone)
                .reply.text,
            "a");
  EXPECT_EQ(decode(says("see data: this") + kDone).reply.text, "see data: this");
  std::string crlf = says("a") + says("b") + kDone;
  for (std::size_t at = 0; (at = crlf.find('\n', at)) != crlf.npos; at += 2) crlf.insert(at, "\r");
  EXPECT_EQ(decode(crlf).reply.text, "ab");
  EXPECT_EQ(decode(cut(says("sm\xC3\xB8rrebr\xC3\xB8"
                            "d \xF0\x9F\x8D\x9E") +
                           kDone,
                       1),
                   kEvents)
                .reply.text,
            "sm\xC3\xB8rrebr\xC3\xB8"
            "d \xF0\x9F\x8D\x9E");
}

TEST(OpenAiDecoder, NothingIsReadAfterTheEndMark) {
  EXPECT_EQ(chunks(says("a") + "data: [DONE] \n\n" + says("b")), "0: text a\n");
}

TEST(OpenAiDecoder, AStreamWithoutItsEndMarkIsAnErrorAfterItsText) {
  EXPECT_EQ(
      chunks(says("a") + says("b")),
      "0: text a\n0: text b\ntransport_error openai: stream ended without its end mark after 2 "
      "chunks: the text above is incomplete");
  EXPECT_EQ(decode("").outcome(), "transport_error");
  EXPECT_TRUE(decode("").error->retryable());
}

TEST(OpenAiDecoder, AStreamMayEndWithItsFinishReasons) {
  EXPECT_EQ(decode(says("a") + kStop).outcome(), "ok");
  const std::string second = event(R"({"choices":[{"index":1,"delta":{"content":"b"}}]})");
  EXPECT_EQ(decode(says("a") + second + kStop).outcome(), "transport_error");
}

TEST(OpenAiDecoder, AnErrorInTheStreamComesAfterItsText) {
  const Decoded decoded = decode(
      says("a") + event(R"({"error":{"code":502,"message":"Provider disconnected"},"choices":[)"
                        R"({"index":0,"delta":{"content":"b"},"finish_reason":"error"}]})"));
  EXPECT_EQ(decoded.reply.text, "ab");
  EXPECT_EQ(decoded.outcome(), "server_error");
  EXPECT_EQ(decoded.what(),
            "openai: POST http://h/v1/chat/completions: the server gave up after 1 chunks: "
            "server_error: \"Provider disconnected\": the text above is incomplete");
  EXPECT_EQ(decoded.error->details().provider_message, "Provider disconnected");
  EXPECT_EQ(decode(event(R"({"error":{"type":"rate_limit_exceeded"}})")).outcome(), "rate_limit");
  EXPECT_EQ(decode("event: error\n" + event(R"({"message":"no"})")).outcome(), "server_error");
  EXPECT_EQ(decode(event(R"({"object":"error","message":"x","code":400})")).outcome(),
            "invalid_request");
  EXPECT_EQ(decode(R"({"error":"no"})", kJson).error->details().provider_message, "no");
}

TEST(OpenAiDecoder, WhatIsNoAnswerIsAClearError) {
  const std::string begin = "openai: POST http://h/v1/chat/completions: ";
  EXPECT_EQ(decode("<html>\n<b>Bad gateway</b>", "text/html").what(),
            begin + "the answer is wrong: not JSON: \"<html> <b>Bad gateway</b>\"");
  EXPECT_EQ(decode(R"("hello")", kJson).outcome(), "parse_error");
  EXPECT_EQ(decode("", kJson).what(), begin + "the answer is empty");
  EXPECT_EQ(decode("[1]", kJson).what(), begin + "the answer is wrong: not a JSON object: \"[1]\"");
  EXPECT_EQ(decode("{}", kJson).what(), begin + "the answer has no choices");
  EXPECT_EQ(decode(says("a") + event("{\"choices\":[")).what(),
            begin + "event 2 of the stream is wrong: not JSON: \"{\"choices\":[\"");
  for (const char* wrong :
       {R"({"choices":{}})", R"({"choices":[1]})", R"({"choices":[{"delta":5}]})",
        R"({"choices":[{"delta":{"content":5}}]})", R"({"choices":[{"delta":{"tool_calls":{}}}]})",
        R"({"choices":[{"delta":{"tool_calls":[7]}}]})", R"({"choices":[{"index":-1}]})",
        R"({"choices":[{"index":99999}]})", R"({"choices":[]} x)", R"({"choices":[}})", R"("text")",
        "null", "nul"})
    EXPECT_EQ(decode(event(wrong)).outcome(), "parse_error") << wrong;
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

TEST(OpenAiDecoder, AStreamThatOnlyEndsIsNoAnswer) {
  const std::string begin = "openai: POST http://h/v1/chat/completions: ";
  EXPECT_EQ(decode(kDone).what(), begin + "the answer has no choices");
  const Decoded counted = decode(event(R"({"choices":[],"usage":{"prompt_tokens":9}})") + kDone);
  EXPECT_EQ(counted.what(), begin + "the answer has no choices");
  EXPECT_EQ(counted.reply.usage->input_tokens, 9);
}

TEST(OpenAiDecoder, MoreChoicesOrCallsThanAnAnswerHasAreNotRead) {
  const auto why = [](const std::string& body) {
    const std::string what = decode(body, kJson).what();
    const auto begin = what.find("wrong: ");
    return begin == what.npos ? what : what.substr(begin, what.find(": \"") - begin);
  };
  const std::string most = repeated("{},", 1024);
  EXPECT_EQ(why(R"({"choices":[)" + most + "{}]}"), "wrong: there are too many choices");
  EXPECT_EQ(why(R"({"choices":[)" + most.substr(0, most.size() - 1) + "]}"), "");
  EXPECT_EQ(why(R"({"choices":[{"message":{"tool_calls":[)" + repeated("{},", 16'384) + "{}]}}]}"),
            "wrong: there are too many tool calls");
  EXPECT_EQ(why(R"({"choices":[{"message":{)" + repeated(R"("function_call":{},)", 16'384) +
                R"("function_call":{}}}]})"),
            "wrong: there are too many tool calls");
}

TEST(OpenAiDecoder, TextInManyPartsTakesNoMoreMemoryThanItHas) {
  const std::string word(100, 'x');
  const std::string part = R"({"type":"text","text":")" + word +
                           R"("},{"type":"thinking","thinking":[{"type":"text","text":")" + word +
                           R"("}]},)";
  constexpr std::size_t kParts = 2000;
  const std::string body = R"({"choices":[{"message":{"content":[)" + repeated(part, kParts) +
                           R"({"type":"text","text":"."}]}}]})";
  rusage before{}, after{};
  ::getrusage(RUSAGE_SELF, &before);
  const Decoded decoded = decode(body, kJson);
  ::getrusage(RUSAGE_SELF, &after);
  EXPECT_EQ(decoded.reply.text, repeated(word, kParts) + '.');
  EXPECT_EQ(decoded.reply.thinking, repeated(word, kParts));
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 100'000) << "KiB";
}

TEST(OpenAiDecoder, AMemberWithAnEndlessNameIsNotKept) {
  const std::string name(257, 'n');
  const Decoded decoded =
      decode(R"({"choices":[{"message":{"content":"a"}}],"kept":1,")" + name + R"(":1})", kJson);
  EXPECT_EQ(decoded.reply.response.metadata.text(), R"({"kept":1})");
}

TEST(OpenAiDecoder, DepthCostsNothing) {
  const std::string deep(100'000, '[');
  const std::string closed = deep + std::string(100'000, ']');
  EXPECT_EQ(decode(deep, kJson).outcome(), "parse_error");
  EXPECT_EQ(decode(R"({"x":)" + closed + R"(,"choices":[{"message":{"content":"a"}}]})", kJson)
                .reply.text,
            "a");
  EXPECT_EQ(decode(R"({"choices":[{"message":{"content":)" + closed + "}}]}", kJson).outcome(),
            "parse_error");
  EXPECT_EQ(decode(R"({"error":)" + closed + "}", kJson).outcome(), "server_error");
}

TEST(OpenAiDecoder, AnEndlessLineIsRefusedEarly) {
  const auto decoder = make_openai_decoder(names_for_test());
  std::vector<Chunk> out;
  decoder->begin(kEvents);
  const std::string piece = "data: " + std::string(1U << 20U, 'x');
  std::size_t fed = 0;
  EXPECT_THROW(
      {
        for (; fed < 100; ++fed) decoder->feed(piece, {}, out);
      },
      Error);
  EXPECT_LT(fed, 20U);
}

TEST(OpenAiDecoder, InvalidUtf8IsReplaced) {
  EXPECT_EQ(decode(says("a\xFF\x62") + kDone).reply.text,
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(decode(says(R"(a\ud83d)") + says(R"(\ude00 b\ud83d\ude00)") + kDone).reply.text,
            "a\xEF\xBF\xBD\xEF\xBF\xBD b\xF0\x9F\x98\x80");
  for (const char* escape :
       {R"(\udc00)", R"(\ud800x)", R"(\ud800\ud800)", R"(\ud800\n)", R"(\\ud800)"}) {
    const Decoded decoded = decode(says(escape) + kDone);
    EXPECT_EQ(decoded.outcome(), "ok") << escape;
    EXPECT_TRUE(is_utf8(decoded.reply.text)) << escape;
  }
  EXPECT_EQ(
      decode(event(R"({"model":"\ud800","choices":[{"index":0,"delta":{}}]})") + kDone).outcome(),
      "ok");
}

TEST(OpenAiDecoder, ContentMayComeInPartsOfWhichSomeAreThinking) {
  EXPECT_EQ(
      chunks(
          event(
              R"({"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":)"
              R"([{"type":"text","text":"h"},{"type":"text","text":"m"}]},)"
              R"({"type":"text","text":"a"},{"type":"text","text":"b"}]}}]})") +
          kStop + kDone),
      "0: thinking hm\n0: text ab\n0: finish stop\n");
}

TEST(OpenAiDecoder, BlanksInFrontAreOfTheStreamHoweverItIsCut) {
  const std::string body = " \xEF\xBB\xBF" + says("a") + kStop + kDone;
  EXPECT_EQ(describe(decode(body, "")), describe(decode(cut(body, 1), "")));
}

TEST(OpenAiDecoder, PartsWithinPartsCostNoStack) {
  std::string deep = R"({"choices":[{"index":0,"delta":{"content":[)";
  for (int i = 0; i < 100'000; ++i) deep += R"({"thinking":[)";
  EXPECT_EQ(decode(event(deep) + kDone).outcome(), "parse_error");
}

TEST(OpenAiDecoder, LogprobsComeWithTheText) {
  EXPECT_EQ(
      chunks(
          event(
              R"({"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":"a"},"logprobs":{"content":[)"
              R"({"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[)"
              R"({"token":"a","logprob":-0.5},{"token":"b","logprob":-1.5}]}],)"
              R"("refusal":null}}]})") +
          kStop + kDone),
      "0: text a\n0: logprobs a=-0.500000 (a=-0.500000) (b=-1.500000)\n0: finish stop\n");
}

TEST(OpenAiDecoder, LogprobsOfACompletionAreInLists) {
  EXPECT_EQ(
      describe(decode(R"({"choices":[{"index":0,"text":"ab","finish_reason":"stop","logprobs":)"
                      R"({"tokens":["a","b"],"token_logprobs":[null,-1.0],)"
                      R"("top_logprobs":[null,{"b":-1.0}],"text_offset":[0,1]}}]})",
                      kJson)),
      "0: text ab\n0: logprobs b=-1.000000 (b=-1.000000)\n0: finish stop\nok ");
}

TEST(OpenAiDecoder, LogprobsThatAreNoneLoseNothing) {
  for (const char* logprobs :
       {R"({"content":7})", R"({"content":[{"token":1}]})", R"({"tokens":[1]})",
        R"({"content":[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]})", "[]", "{}"})
    EXPECT_EQ(
        chunks(
            event(
                R"({"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":"a"},"logprobs":)" +
                std::string(logprobs) + "}]}") +
            kStop + kDone),
        "0: text a\n0: finish stop\n")
        << logprobs;
}

TEST(OpenAiDecoder, AnswersAreKnownByTheirIndexAndNoneMayBeMissing) {
  const auto answer = [](std::string_view body, std::size_t answers) {
    const auto decoder = make_openai_decoder(names_for_test(), answers);
    std::vector<Chunk> out;
    decoder->feed(body, {}, out);
    decoder->end({}, out);
    Reply reply;
    for (const Chunk& chunk : out) add(reply, chunk);
    return reply;
  };
  const Reply reply =
      answer(R"({"choices":[{"index":1,"text":"second"},{"index":0,"text":"first"}]})", 2);
  EXPECT_EQ(reply.text, "first");
  ASSERT_EQ(reply.alternatives.size(), 1U);
  EXPECT_EQ(reply.alternatives[0].text, "second");
  EXPECT_THROW(answer(R"({"choices":[{"index":1,"text":"second"}]})", 2), Error);
  EXPECT_THROW(answer(R"({"choices":[{"index":0,"text":"first"}]})", 2), Error);
}

TEST(OpenAiDecoder, TokensOfSeveralAnswersAreThoseOfAll) {
  const auto index_of_usage = [](ReplyDecoder& decoder, std::string_view body) {
    std::vector<Chunk> out;
    decoder.feed(body, {}, out);
    decoder.end({}, out);
    EXPECT_TRUE(std::holds_alternative<Usage>(out.back().what));
    return out.back().index;
  };
  for (const auto& [count, index] : {std::pair(std::size_t{1}, 0), {std::size_t{2}, -1}}) {
    EXPECT_EQ(index_of_usage(*make_openai_decoder(names_for_test(), count),
                             R"({"choices":[{"index":0,"text":"a"},{"index":1,"text":"b"}],)"
                             R"("usage":{"prompt_tokens":3}})"),
              index);
    EXPECT_EQ(index_of_usage(*make_openai_embeddings_decoder(names_for_test(), count),
                             count == 1 ? R"({"data":[{"index":0,"embedding":[1]}],)"
                                          R"("usage":{"prompt_tokens":3}})"
                                        : R"({"data":[{"index":0,"embedding":[1]},)"
                                          R"({"index":1,"embedding":[2]}],)"
                                          R"("usage":{"prompt_tokens":3}})"),
              index);
  }
}

class OpenAiEmbeddings : public testing::Test {
 protected:
  static Decoded decode(std::string_view body, std::size_t prompts) {
    const auto decoder = make_openai_embeddings_decoder(names_for_test(), prompts);
    Decoded decoded;
    try {
      for (const std::string_view piece : cut(body, 7)) decoder->feed(piece, {}, decoded.chunks);
      decoder->end({}, decoded.chunks);
    } catch (const Error& error) {
      decoded.error = error;
    }
    return decoded;
  }
};

TEST_F(OpenAiEmbeddings, StandAtTheIndexOfTheirPrompt) {
  EXPECT_EQ(describe(decode(R"({"object":"list","data":[{"index":1,"embedding":[0.5,-2]},)"
                            R"({"index":0,"embedding":[1,0.25]}],"model":"e",)"
                            R"("usage":{"prompt_tokens":4,"total_tokens":4}})",
                            2)),
            "0: info  e  \n0: embedding 1.000000 0.250000\n1: embedding 0.500000 -2.000000\n"
            "-1: usage 4 - 4 - - -\nok ");
}

TEST_F(OpenAiEmbeddings, MayComeInBase64) {
  EXPECT_EQ(describe(decode(R"({"data":[{"index":0,"embedding":"AACAPwAAAMA="}]})", 1)),
            "0: embedding 1.000000 -2.000000\nok ");
}

TEST_F(OpenAiEmbeddings, ThatAreMissingOrTooManyAreAnError) {
  for (const char* body :
       {R"({"data":[{"index":0,"embedding":[1]}]})", R"({"data":[]})", "{}", "nope", "",
        R"({"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]})",
        R"({"data":[{"index":0,"embedding":[1]},{"index":2,"embedding":[1]}]})",
        R"({"data":[{"index":0,"embedding":[1]},{"embedding":[1]}]})",
        R"({"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":["x"]}]})",
        R"({"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1e300]}]})",
        R"({"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":"AACAfw=="}]})",
        R"({"data":[[1],[2]]})", R"({"data":{}})", R"({"data":[]} x)",
        R"({"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":"*"}]})"}) {
    EXPECT_EQ(decode(body, 2).outcome(), "parse_error") << body;
  }
}

TEST_F(OpenAiEmbeddings, AnErrorInAnAnswerIsNoEmbedding) {
  const Decoded refused = decode(R"({"error":{"message":"no such model","code":"404"}})", 1);
  EXPECT_EQ(refused.outcome(), "not_found");
  EXPECT_EQ(refused.error->details().provider_message, "no such model");
  EXPECT_EQ(decode(R"({"error":"Unexpected endpoint or method."})", 1).outcome(), "not_found");
}

TEST_F(OpenAiEmbeddings, BrokenCharactersAreReplaced) {
  EXPECT_EQ(describe(decode("{\"model\":\"a\xFF\",\"data\":[{\"index\":0,\"embedding\":[1]}]}", 1)),
            "0: info  a\xEF\xBF\xBD  \n0: embedding 1.000000\nok ");
}

}  // namespace
}  // namespace mellea
