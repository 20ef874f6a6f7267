#include "mellea/backends/watsonx_reply.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "mellea/backends/decode_for_test.h"

namespace mellea {
namespace {

using Make = std::unique_ptr<ReplyDecoder> (*)(std::shared_ptr<const RequestNames>);
using Pieces = std::vector<std::string_view>;

std::shared_ptr<const RequestNames> names() {
  static const auto all = std::make_shared<const RequestNames>(
      RequestNames{.provider = "watsonx", .request = "POST https://h/ml/v1/text/chat"});
  return all;
}

Decoded decoded(Make make, const Pieces& pieces, std::string_view type = kEvents) {
  return decode(*make(names()), pieces, type);
}
Decoded chat(std::string_view body, std::string_view type = kEvents) {
  return decoded(make_watsonx_chat_decoder, {body}, type);
}
Decoded generation(std::string_view body, std::string_view type = kEvents) {
  return decoded(make_watsonx_generation_decoder, {body}, type);
}
Decoded embeddings(std::string_view body, std::size_t prompts) {
  return decode(*make_watsonx_embeddings_decoder(names(), prompts), {body}, kJson);
}

std::string event(std::string_view data, std::string_view name = "message") {
  static int id = 0;
  return "id: " + std::to_string(++id) + "\nevent: " + std::string(name) +
         "\ndata: " + std::string(data) + "\n\n";
}

std::string says(std::string_view delta, std::string_view finish = "null") {
  return event(
      R"({"id":"c1","object":"chat.completion.chunk","model_id":"ibm/g","model":"ibm/g",)"
      R"("choices":[{"index":0,"finish_reason":)" +
      std::string(finish) + R"(,"delta":)" + std::string(delta) +
      R"(}],"created":1,"model_version":"4.0.0","created_at":"2025-06-12T13:47:35.541Z"})");
}

const std::string kChatStream =
    event(
        R"({"id":"c1","model_id":"ibm/g","choices":[{"index":0,"finish_reason":null,"delta":)"
        R"({"role":"assistant","content":""}}],"system":{"warnings":[{"message":"terms","id":"d"}]}})") +
    says(R"({"reasoning_content":"Hm. "})") + says(R"({"content":"sm\u00f8r"})") +
    says(R"({"content":"!"})") + says(R"({"content":""})", R"("stop")") +
    event(R"({"id":"c1","model_id":"ibm/g","choices":[],"usage":{"completion_tokens":9,)"
          R"("prompt_tokens":30,"total_tokens":39}})");

const std::string kToolStream =
    says(R"({"role":"assistant","tool_calls":[{"index":0,"id":"t1","type":"function",)"
         R"("function":{"name":"get_weather","arguments":""}}]})") +
    says(R"({"tool_calls":[{"index":0,"function":{"name":"","arguments":"{\"city\":"}}]})") +
    says(R"({"tool_calls":[{"index":0,"function":{"name":"","arguments":"\"Rome\"}"}}]})") +
    says(R"({"tool_calls":[{"index":1,"id":"t2","type":"function","function":{"name":"now",)"
         R"("arguments":"{}"}}]})") +
    says("{}", R"("tool_calls")");

std::string generates(std::string_view text, int made, int taken,
                      std::string_view stop = "not_finished") {
  return event(R"({"model_id":"ibm/g","created_at":"2025-06-12T13:47:35.541Z","results":[)"
               R"({"generated_text":")" +
               std::string(text) + R"(","generated_token_count":)" + std::to_string(made) +
               R"(,"input_token_count":)" + std::to_string(taken) + R"(,"stop_reason":")" +
               std::string(stop) + "\"}]}");
}

const std::string kGenerationStream = generates("", 0, 8) + generates("the sun \\u00e9", 3, 0) +
                                      generates(" is", 4, 0) + generates("", 5, 0, "eos_token");

const std::string kGeneration =
    R"({"model_id":"ibm/g","created_at":"2025-06-12T13:47:35.541Z","results":[{"generated_text":"2",)"
    R"("generated_token_count":2,"input_token_count":7,"stop_reason":"max_tokens"}],)"
    R"("system":{"warnings":[{"message":"old","id":"deprecation_warning"}]}})";

const std::string kEmbeddings =
    R"({"model_id":"ibm/e","created_at":"2025-06-12T13:47:35.541Z","results":[)"
    R"({"embedding":[0.5,-1,2e-1],"input":"one"},{"embedding":[1]}],"input_token_count":4})";

TEST(WatsonxChat, AStreamIsReadWithoutAnEndMark) {
  const Decoded all = chat(kChatStream);
  EXPECT_EQ(all.what(), "");
  EXPECT_EQ(all.reply.text, "sm\xC3\xB8r!");
  EXPECT_EQ(all.reply.thinking, "Hm. ");
  EXPECT_EQ(all.reply.finish_reasons, std::vector<std::string>{"stop"});
  EXPECT_EQ(all.reply.response.id, "c1");
  EXPECT_EQ(all.reply.response.model, "ibm/g");
  EXPECT_EQ((*all.reply.response.metadata)["system"]["warnings"][0]["message"], "terms");
  EXPECT_EQ(all.reply.usage, (Usage{.input_tokens = 30, .output_tokens = 9, .total_tokens = 39}));
}

TEST(WatsonxChat, OfEachCountTheLargestIsTold) {
  const auto counted = [](const char* usage) {
    return event(R"({"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}],)"
                 R"("usage":)" +
                 std::string(usage) + "}");
  };
  const std::string body =
      counted(R"({"prompt_tokens":8,"completion_tokens":1})") +
      counted(R"({"prompt_tokens":0,"completion_tokens":2,"total_tokens":10})") +
      counted(R"({"prompt_tokens":0,"completion_tokens":1})");
  const Usage most{.input_tokens = 8, .output_tokens = 2, .total_tokens = 10};
  EXPECT_EQ(chat(body).reply.usage, most);
  EXPECT_EQ(chat(body + event("no JSON")).reply.usage, most);  // also of what ends badly
  EXPECT_EQ(describe(chat(body)), describe(decoded(make_watsonx_chat_decoder, cut(body, 1))));
}

TEST(WatsonxChat, CallsArePutTogether) {
  const Decoded all = chat(kToolStream);
  EXPECT_EQ(all.what(), "");
  ASSERT_EQ(all.reply.tool_calls.size(), 2U);
  EXPECT_EQ(all.reply.tool_calls[0].id, "t1");
  EXPECT_EQ(all.reply.tool_calls[0].name, "get_weather");
  EXPECT_EQ(all.reply.tool_calls[0].arguments, R"({"city":"Rome"})");
  EXPECT_EQ(all.reply.tool_calls[1].name, "now");
  EXPECT_EQ(all.reply.finish_reasons, std::vector<std::string>{"tool_calls"});
}

TEST(WatsonxChat, AWholeAnswerIsAStreamOfOneEvent) {
  const Decoded all = chat(
      R"({"id":"c1","object":"chat.completion","model_id":"ibm/g","choices":[{"index":0,"message":)"
      R"({"role":"assistant","content":"Paris."},"finish_reason":"time_limit"}],)"
      R"("usage":{"completion_tokens":2,"prompt_tokens":3,"total_tokens":5}})",
      kJson);
  EXPECT_EQ(all.what(), "");
  EXPECT_EQ(all.reply.text, "Paris.");
  EXPECT_EQ(all.reply.response.model, "ibm/g");
  EXPECT_EQ(all.reply.finish_reasons, std::vector<std::string>{"time_limit"});
  EXPECT_EQ(all.reply.usage->total_tokens, 5);
}

TEST(WatsonxChat, AnErrorInTheStreamKeepsTheText) {
  const std::string fault = R"({"errors":[{"code":"downstream_request_failed","message":"gone"}],)"
                            R"("trace":"tr1","status_code":500})";
  for (const char* name : {"error", "message"}) {
    const Decoded all = chat(says(R"({"content":"half"})") + event(fault, name));
    EXPECT_EQ(all.reply.text, "half");
    EXPECT_EQ(all.outcome(), "server_error");
    EXPECT_EQ(all.error->details().provider_code, "downstream_request_failed");
    EXPECT_EQ(all.error->details().request_id, "tr1");
    EXPECT_NE(all.what().find("\"gone\": the text above is incomplete"), std::string::npos)
        << all.what();
  }
  EXPECT_EQ(chat(says(R"({"content":"half"})")).outcome(), "transport_error");
}

TEST(WatsonxGeneration, AStreamIsReadAndItsTokensCounted) {
  const Decoded all = generation(kGenerationStream);
  EXPECT_EQ(all.what(), "");
  EXPECT_EQ(all.reply.text, "the sun \xC3\xA9 is");
  EXPECT_EQ(all.reply.response.model, "ibm/g");
  EXPECT_EQ(all.reply.finish_reasons, std::vector<std::string>{"stop"});
  EXPECT_EQ(all.reply.usage, (Usage{.input_tokens = 8, .output_tokens = 5}));
}

TEST(WatsonxGeneration, AWholeAnswerIsRead) {
  for (const std::string_view type : {kJson, kEvents.substr(0, 0)}) {
    const Decoded all = generation(kGeneration, type);
    EXPECT_EQ(all.what(), "");
    EXPECT_EQ(all.reply.text, "2");
    EXPECT_EQ(all.reply.finish_reasons, std::vector<std::string>{"length"});
    EXPECT_EQ(all.reply.usage, (Usage{.input_tokens = 7, .output_tokens = 2}));
    EXPECT_EQ((*all.reply.response.metadata)["system"]["warnings"][0]["id"], "deprecation_warning");
  }
}

TEST(WatsonxGeneration, ReasonsToStopHaveTheNamesThatOthersGiveThem) {
  const std::vector<std::pair<const char*, const char*>> all = {{"eos_token", "stop"},
                                                                {"stop_sequence", "stop"},
                                                                {"max_tokens", "length"},
                                                                {"token_limit", "length"},
                                                                {"time_limit", "time_limit"}};
  for (const auto& [told, meant] : all)
    EXPECT_EQ(generation(generates("a", 1, 1, told)).reply.finish_reasons,
              std::vector<std::string>{meant})
        << told;
}

TEST(WatsonxGeneration, LogprobsAreRead) {
  const Decoded all = generation(
      R"({"results":[{"generated_text":"AB","stop_reason":"eos_token","generated_tokens":[)"
      R"({"text":"A","logprob":-0.5,"rank":1,"top_tokens":[{"text":"A","logprob":-0.5},)"
      R"({"text":"C"},7]},{"text":"x"},"no",{"text":"B","logprob":-1}]}]})",
      kJson);
  ASSERT_EQ(all.reply.logprobs.size(), 2U) << describe(all);
  EXPECT_EQ(all.reply.logprobs[0].token, "A");
  EXPECT_EQ(all.reply.logprobs[0].logprob, -0.5);
  ASSERT_EQ(all.reply.logprobs[0].top.size(), 1U);
  EXPECT_EQ(all.reply.logprobs[0].top[0].token, "A");
  EXPECT_EQ(all.reply.logprobs[1].logprob, -1);
}

TEST(WatsonxGeneration, AStreamThatIsCutIsAnErrorAndKeepsTheText) {
  const Decoded all = generation(generates("half", 1, 8));
  EXPECT_EQ(all.reply.text, "half");
  EXPECT_EQ(all.reply.usage->input_tokens, 8);
  EXPECT_EQ(all.outcome(), "transport_error");
  EXPECT_TRUE(all.what().ends_with("the text above is incomplete")) << all.what();
}

TEST(WatsonxGeneration, AnAnswerThatTheServerGaveUpIsAnErrorAndKeepsTheText) {
  for (const std::string reason : {"error", "cancelled"}) {
    const std::string whole =
        R"({"results":[{"generated_text":"half","generated_token_count":1,"stop_reason":")" +
        reason + "\"}]}";
    for (const Decoded& all :
         {generation(generates("half", 1, 8) + generates("", 1, 8, reason.c_str())),
          generation(whole, kJson)}) {
      EXPECT_EQ(all.outcome(), "server_error");
      EXPECT_NE(all.what().find("stop_reason \"" + reason + '"'), std::string::npos) << all.what();
      EXPECT_EQ(all.reply.text, "half");
      EXPECT_EQ(all.reply.usage->output_tokens, 1);
      EXPECT_TRUE(all.reply.finish_reasons.empty());
    }
  }
}

TEST(WatsonxGeneration, AWholeAnswerThatDidNotStopIsNone) {
  for (const char* body :
       {R"({"results":[{"generated_text":"half"}]})",
        R"({"results":[{"generated_text":"half","stop_reason":"not_finished"}]})"}) {
    const Decoded all = generation(body, kJson);
    EXPECT_EQ(all.outcome(), "parse_error");
    EXPECT_EQ(all.reply.text, "half");
  }
}

TEST(WatsonxGeneration, AnErrorIsOneWhereverItStands) {
  const std::string fault =
      R"({"errors":[{"code":"invalid_input_argument","message":"too hot"}],"status_code":400})";
  EXPECT_EQ(generation(generates("a", 1, 1) + event(fault, "error")).outcome(), "invalid_request");
  EXPECT_EQ(generation(generates("a", 1, 1) + event(fault)).outcome(), "invalid_request");
  EXPECT_EQ(generation(fault, kJson).outcome(), "invalid_request");
  EXPECT_EQ(generation(event("{}", "close")).outcome(), "transport_error");
  EXPECT_EQ(generation(generates("a", 1, 1, "eos_token") + event("{}", "close")).what(), "");
}

TEST(WatsonxGeneration, CountsThatCantBeTrueAreLeftOut) {
  const Decoded all =
      generation(generates("a", -1, 8) + generates("b", -2, 0) + generates("", 3, 0, "eos_token"));
  EXPECT_EQ(all.reply.usage, (Usage{.input_tokens = 8, .output_tokens = 3}));
  EXPECT_EQ(
      std::count_if(all.chunks.begin(), all.chunks.end(),
                    [](const Chunk& chunk) { return std::holds_alternative<Notice>(chunk.what); }),
      1);
}

TEST(WatsonxGeneration, WhatIsNotAsTheProtocolSaysIsRefused) {
  for (const char* body : {"", "{}", "[]", R"({"results":{}})", R"({"results":[1]})",
                           R"({"results":[]})", R"({"results":[{"generated_text":1}]})",
                           R"({"results":[{},{}]})", "<html>", "{\"results\":"})
    EXPECT_EQ(generation(body, kJson).outcome(), "parse_error") << body;
  EXPECT_EQ(generation(event("{")).what(),
            "watsonx: POST https://h/ml/v1/text/chat: event 1 of the stream is wrong: not JSON: "
            "\"{\"");
}

TEST(WatsonxEmbeddings, EachIsAtItsPrompt) {
  const Decoded all = embeddings(kEmbeddings, 2);
  EXPECT_EQ(all.what(), "");
  ASSERT_EQ(all.reply.embeddings.size(), 2U);
  EXPECT_EQ(all.reply.embeddings[0].values, (std::vector<float>{0.5F, -1.0F, 0.2F}));
  EXPECT_EQ(all.reply.embeddings[1].values, std::vector<float>{1.0F});
  EXPECT_EQ(all.reply.response.model, "ibm/e");
  EXPECT_EQ(all.reply.usage, Usage{.input_tokens = 4});
  EXPECT_EQ(all.chunks.back().index, -1) << "they are of both prompts";
}

TEST(WatsonxEmbeddings, OneThatIsMissingIsAnError) {
  EXPECT_TRUE(
      embeddings(kEmbeddings, 3).what().ends_with("there is no embedding 2 of 3, counted from 0"));
  for (const char* body :
       {"", "{}", R"({"results":{}})", R"({"results":[{}]})", R"({"results":[{"embedding":[]}]})",
        R"({"results":[{"embedding":["1"]}]})", R"({"results":[{"embedding":"AAAA"}]})",
        R"({"results":[[1]]})", R"({"results":[{"embedding":[1]},{"embedding":[1]}]})",
        R"({"results":[{"embedding":[1e39]}]})"})
    EXPECT_EQ(embeddings(body, 1).outcome(), "parse_error") << body;
}

TEST(WatsonxEmbeddings, AnErrorInABodyOfSuccessIsOne) {
  const Decoded all = embeddings(
      R"({"errors":[{"code":"invalid_input_argument","message":"too long"}],"status_code":400})",
      1);
  EXPECT_EQ(all.outcome(), "invalid_request");
  EXPECT_EQ(all.error->details().provider_message, "too long");
}

TEST(WatsonxReply, IsTheSameCutAnywhere) {
  struct Row {
    Make make;
    const std::string& body;
    std::string_view type;
  };
  const Make two_embeddings = [](std::shared_ptr<const RequestNames> its_names) {
    return make_watsonx_embeddings_decoder(std::move(its_names), 2);
  };
  for (const auto& [make, body, type] :
       {Row{make_watsonx_chat_decoder, kChatStream, kEvents},
        Row{make_watsonx_chat_decoder, kToolStream, kEvents},
        Row{make_watsonx_generation_decoder, kGenerationStream, kEvents},
        Row{make_watsonx_generation_decoder, kGenerationStream, ""},
        Row{make_watsonx_generation_decoder, kGeneration, kJson},
        Row{two_embeddings, kEmbeddings, kJson}}) {
    const std::string_view whole = body;
    const std::string described = describe(decoded(make, {whole}, type));
    EXPECT_NE(described.find("ok"), std::string::npos);
    EXPECT_EQ(described, describe(decoded(make, cut(whole, 1), type)));
    for (std::size_t at = 1; at < whole.size(); ++at)
      ASSERT_EQ(described, describe(decoded(make, {whole.substr(0, at), whole.substr(at)}, type)))
          << at;
  }
}

TEST(WatsonxReply, ThatEndsTooSoonIsNeverTakenForWhole) {
  const std::size_t last = kGenerationStream.rfind("id: ");
  for (std::size_t at = 0; at < last; ++at)
    ASSERT_NE(generation(kGenerationStream.substr(0, at)).outcome(), "ok") << at;
  for (std::size_t at = 0; at < kGeneration.size(); ++at)
    ASSERT_NE(generation(kGeneration.substr(0, at), kJson).outcome(), "ok") << at;
  for (std::size_t at = 0; at < kEmbeddings.size(); ++at)
    ASSERT_NE(embeddings(kEmbeddings.substr(0, at), 2).outcome(), "ok") << at;
}

}  // namespace
}  // namespace mellea
