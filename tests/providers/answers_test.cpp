// What providers say, and how it is read: plain and streamed alike.
#include <nlohmann/json.hpp>

#include "provider_test.h"

namespace mellea::providers {
namespace {

const std::string kUnicode =
    "sm\xC3\xB8rrebr\xC3\xB8"
    "d \xF0\x9F\x8C\x8A\xE2\x80\x8D \xD8\xB3\xD9\x84\xD8\xA7\xD9\x85 "
    "\"quoted\" back\\slash \n\ttab data: x\r\n\r\n[DONE] {\"done\":true}";

Chunk call(int number, std::string id, std::string name, std::string arguments) {
  return {.what = ToolCallPart{number, std::move(id), std::move(name), std::move(arguments)}};
}

TEST_P(Provider, APlainAnswerIsRead) {
  serve({whole(says({"Paris."}))});
  const Read all = ask();
  EXPECT_EQ(all.what(), "");
  EXPECT_EQ(all.reply.text, "Paris.");
  EXPECT_EQ(all.reply.finish_reasons, std::vector<std::string>{"stop"});
  EXPECT_TRUE(all.notices.empty());
  EXPECT_TRUE(all.reply.tool_calls.empty());
  EXPECT_EQ(all.reply.thinking, "");
}

TEST_P(Provider, AStreamedAnswerIsRead) {
  serve({streamed(says({"Pa", "ris", "."}))});
  const Read all = ask(true);
  EXPECT_EQ(all.what(), "");
  EXPECT_EQ(all.reply.text, "Paris.");
  EXPECT_EQ(all.reply.finish_reasons, std::vector<std::string>{"stop"});
  EXPECT_TRUE(all.notices.empty());
}

TEST_P(Provider, AStreamSaysWhatThePlainAnswerSays) {
  const std::vector<Read> both =
      ask_both(ended({{.what = Thinking{"Hm"}}, text("Look"), call(0, "call_1", "f", R"({"x":1})")},
                     "tool_calls"));
  EXPECT_EQ(both[0].reply.text, both[1].reply.text);
  EXPECT_EQ(both[0].reply.thinking, both[1].reply.thinking);
  EXPECT_EQ(both[0].reply.usage, both[1].reply.usage);
  EXPECT_EQ(both[0].reply.finish_reasons, both[1].reply.finish_reasons);
  EXPECT_EQ(both[0].reply.response.id, both[1].reply.response.id);
  EXPECT_EQ(both[0].reply.response.model, both[1].reply.response.model);
  ASSERT_EQ(both[0].reply.tool_calls.size(), 1U);
  ASSERT_EQ(both[1].reply.tool_calls.size(), 1U);
  EXPECT_EQ(shown(both[0].reply.tool_calls[0]), shown(both[1].reply.tool_calls[0]));
}

TEST_P(Provider, EveryTextChunkIsDeliveredAlone) {
  serve({streamed(says({"a", "b", "c", "d"}))});
  const auto stream = start(chat(true));
  std::vector<std::string> texts;
  Chunk chunk;
  for (Next next{}; (next = stream->try_next(chunk)) != Next::end;) {
    if (next == Next::pending)
      stream->wait(Instant::max());
    else if (const auto* one = std::get_if<std::string>(&chunk.what))
      texts.push_back(*one);
  }
  EXPECT_EQ(texts, (std::vector<std::string>{"a", "b", "c", "d"}));
}

TEST_P(Provider, APieceIsDeliveredBeforeTheNextOneCame) {
  const Answer answer = says({"first", "second"});
  const std::string first = up_to("first", answer);
  serve({begun().chunk(first).hold().chunk(joined(pieces(answer)).substr(first.size())).end()});
  const auto stream = start(chat(true));
  const auto has_text = [](const Reply& so_far) { return !so_far.text.empty(); };
  EXPECT_EQ(read_until(*stream, has_text).text, "first");
  server_->release();
  EXPECT_EQ(read(*stream).reply.text, "second");
}

TEST_P(Provider, AnEmptyAnswerIsAnAnswer) {
  for (const Read& all : ask_both(says({}))) {
    EXPECT_EQ(all.reply.text, "");
    EXPECT_EQ(all.reply.finish_reasons, std::vector<std::string>{"stop"});
  }
}

TEST_P(Provider, AHugeAnswerIsWhole) {
  const std::string huge(8U << 20U, 'x');
  serve({whole(says({huge}))});
  const Read all = ask();
  EXPECT_EQ(all.what(), "");
  EXPECT_TRUE(all.reply.text == huge) << all.reply.text.size();
}

TEST_P(Provider, AHugeStreamIsWhole) {
  Answer said;
  std::string whole_text;
  for (int i = 0; i < 5'000; ++i) {
    said.push_back(text(std::to_string(i) + ' '));
    whole_text += std::to_string(i) + ' ';
  }
  serve({stream_of(joined(pieces(ended(said))))});
  const Read all = ask(true);
  EXPECT_EQ(all.what(), "");
  EXPECT_TRUE(all.reply.text == whole_text) << all.reply.text.size();
}

TEST_P(Provider, OneHugePieceOfAStreamIsWhole) {
  const std::string huge(512U << 10U, 'y');
  serve({stream_of(joined(pieces(says({huge}))))});
  const Read all = ask(true);
  EXPECT_EQ(all.what(), "");
  EXPECT_TRUE(all.reply.text == huge) << all.reply.text.size();
}

TEST_P(Provider, UnicodeComesUnchanged) {
  for (const Read& all : ask_both(says({kUnicode}))) EXPECT_EQ(all.reply.text, kUnicode);
}

TEST_P(Provider, AStreamIsTheSameHoweverItIsCut) {
  const std::string body = joined(pieces(says({"n\xC3\xA4m", " \xF0\x9F\x8C\x8A\n"})));
  std::vector<Script> scripts = {begun().chunks(body, 1).end()};
  for (std::size_t at = 1; at < body.size(); ++at)
    scripts.push_back(begun().chunk(body.substr(0, at)).chunk(body.substr(at)).end());
  const std::size_t count = scripts.size();
  serve(std::move(scripts));
  for (std::size_t i = 0; i < count; ++i) {
    const Read all = ask(true);
    ASSERT_EQ(all.what(), "") << "cut " << i;
    ASSERT_EQ(all.reply.text, "n\xC3\xA4m \xF0\x9F\x8C\x8A\n") << "cut " << i;
    ASSERT_EQ(all.reply.usage->output_tokens, 3) << "cut " << i;
    ASSERT_EQ(all.reply.finish_reasons.size(), 1U) << "cut " << i;
  }
}

TEST_P(Provider, NoChunkIsHalfACharacter) {
  const std::string body = joined(pieces(says({"\xF0\x9F\x8C\x8A\xC3\xB8", "\xE2\x82\xAC"})));
  serve({begun().chunks(body, 1).end()});
  const auto stream = start(chat(true));
  Chunk chunk;
  for (Next next{}; (next = stream->try_next(chunk)) != Next::end;) {
    if (next == Next::pending) {
      stream->wait(Instant::max());
    } else if (const auto* one = std::get_if<std::string>(&chunk.what)) {
      EXPECT_TRUE(is_utf8(*one));
    }
  }
}

TEST_P(Provider, ThinkingIsKeptApartFromTheText) {
  for (const Read& all : ask_both(ended(
           {{.what = Thinking{"First "}}, {.what = Thinking{"think."}}, text("Then say.")}))) {
    EXPECT_EQ(all.reply.thinking, "First think.");
    EXPECT_EQ(all.reply.text, "Then say.");
  }
}

TEST_P(Provider, ARefusalIsNoText) {
  if (dialect().gaps().refusals) {  // then it is text like any other
    for (const Read& all : ask_both(says({"I will not."}))) {
      EXPECT_EQ(all.reply.text, "I will not.");
      EXPECT_EQ(all.reply.refusal, "");
    }
    return;
  }
  for (const Read& all : ask_both(ended({{.what = Refusal{"I will not."}}}))) {
    EXPECT_EQ(all.reply.refusal, "I will not.");
    EXPECT_EQ(all.reply.text, "");
  }
}

TEST_P(Provider, AToolCallIsRead) {
  for (const Read& all :
       ask_both(ended({call(0, "call_1", "get_weather", R"({"city":"K\u00f8benhavn","days":2})")},
                      "tool_calls"))) {
    ASSERT_EQ(all.reply.tool_calls.size(), 1U);
    EXPECT_EQ(shown(all.reply.tool_calls[0]),
              "call_1 get_weather{\"city\":\"K\xC3\xB8"
              "benhavn\",\"days\":2}");
    EXPECT_EQ(all.reply.finish_reasons, std::vector<std::string>{"tool_calls"});
    EXPECT_EQ(all.reply.text, "");
  }
}

TEST_P(Provider, AToolCallInPiecesIsOne) {
  if (dialect().gaps().split_calls) {
    serve({streamed(ended({call(0, "call_1", "f", R"({"x":1})")}, "tool_calls"))});
  } else {
    serve({streamed(ended({call(0, "call_1", "f", ""), call(0, "", "", R"({"x")"),
                           call(0, "", "", ":"), call(0, "", "", "1}")},
                          "tool_calls"))});
  }
  const Read all = ask(true);
  ASSERT_EQ(all.reply.tool_calls.size(), 1U);
  EXPECT_EQ(shown(all.reply.tool_calls[0]), R"(call_1 f{"x":1})");
}

TEST_P(Provider, SeveralToolCallsStayApart) {
  for (const Read& all :
       ask_both(ended({text("Both:"), call(0, "call_1", "f", R"({"x":1})"),
                       call(1, "call_2", "f", R"({"x":2})"), call(2, "call_3", "g", "{}")},
                      "tool_calls"))) {
    ASSERT_EQ(all.reply.tool_calls.size(), 3U);
    EXPECT_EQ(all.reply.text, "Both:");
    EXPECT_EQ(shown(all.reply.tool_calls[0]), R"(call_1 f{"x":1})");
    EXPECT_EQ(shown(all.reply.tool_calls[1]), R"(call_2 f{"x":2})");
    EXPECT_EQ(shown(all.reply.tool_calls[2]), "call_3 g{}");
  }
}

TEST_P(Provider, EveryFinishReasonIsHandedOn) {
  for (const char* reason : {"stop", "length"}) {
    for (const Read& all : ask_both(ended({text("a")}, reason))) {
      EXPECT_EQ(all.reply.finish_reasons, std::vector<std::string>{reason});
    }
  }
  for (const Read& all : ask_both(ended({text("a")}, "a_reason_of_tomorrow"))) {
    EXPECT_EQ(all.reply.finish_reasons, std::vector<std::string>{"a_reason_of_tomorrow"});
  }
}

TEST_P(Provider, AnAnswerWithoutAFinishReasonHasNone) {
  serve({whole({text("a")})});
  const Read all = ask();
  EXPECT_EQ(all.what(), "");
  EXPECT_EQ(all.reply.text, "a");
  EXPECT_TRUE(all.reply.finish_reasons.empty());
}

TEST_P(Provider, UsageIsAsTheServerTellsIt) {
  Usage usage{.input_tokens = 70,
              .output_tokens = 30,
              .total_tokens = 100,
              .cache_read_tokens = 64,
              .reasoning_tokens = 20};
  Answer answer = says({"a"});
  answer.push_back({.what = usage});
  const Gaps gaps = dialect().gaps();
  if (gaps.total_tokens) usage.total_tokens.reset();
  if (gaps.token_details) usage.cache_read_tokens = usage.reasoning_tokens = std::nullopt;
  for (const Read& all : ask_both(answer)) EXPECT_EQ(all.reply.usage, usage);
}

TEST_P(Provider, UsageThatIsNotToldIsAbsent) {
  for (const Read& all : ask_both({text("a"), {.what = Finish{"stop"}}})) {
    EXPECT_FALSE(all.reply.usage) << "invented";
  }
}

TEST_P(Provider, ACountThatIsNotToldIsAbsent) {
  for (const Read& all :
       ask_both({text("a"), {.what = Finish{"stop"}}, {.what = Usage{.output_tokens = 3}}})) {
    EXPECT_EQ(all.reply.usage, Usage{.output_tokens = 3});
  }
}

TEST_P(Provider, ZeroTokensAreACount) {
  for (const Read& all : ask_both(
           {{.what = Finish{"stop"}}, {.what = Usage{.input_tokens = 4, .output_tokens = 0}}})) {
    ASSERT_TRUE(all.reply.usage);
    EXPECT_EQ(all.reply.usage->output_tokens, 0);
  }
}

TEST_P(Provider, ACountThatCannotBeTrueIsLeftOutAndTold) {
  for (const Read& all : ask_both({text("a"),
                                   {.what = Finish{"stop"}},
                                   {.what = Usage{.input_tokens = -1, .output_tokens = 3}}})) {
    EXPECT_EQ(all.reply.usage, Usage{.output_tokens = 3});
    ASSERT_EQ(all.notices.size(), 1U);
    EXPECT_EQ(all.notices[0].kind, Notice::Kind::usage_implausible);
  }
}

TEST_P(Provider, IdAndModelOfTheAnswerAreKept) {
  for (const Read& all : ask_both(says({"a"}))) {
    EXPECT_EQ(all.reply.response.id, dialect().gaps().ids ? "" : "answer-1");
    EXPECT_EQ(all.reply.response.model, "m-2025");
  }
}

TEST_P(Provider, NamesThatAreNotToldAreNotInvented) {
  for (const Read& all : ask_both({text("a"), {.what = Finish{"stop"}}})) {
    EXPECT_EQ(all.reply.response.id, "");
    EXPECT_EQ(all.reply.response.model, "");
  }
}

TEST_P(Provider, ACompletionIsRead) {
  const auto kind = Request::Kind::completion;
  if (const std::string words = dialect().gaps().completions; !words.empty()) {
    serve({whole(says({""}))});
    return expect_refusal(batch(kind, {"Once"}), words);
  }
  serve({whole(says({" upon a time"}), kind), streamed(says({" upon", " a", " time"}), kind)});
  for (const bool stream : {false, true}) {
    Request request = batch(kind, {"Once"});
    request.stream = stream;
    const Read all = ask(request);
    EXPECT_EQ(all.what(), "") << stream;
    EXPECT_EQ(all.reply.text, " upon a time") << stream;
    EXPECT_EQ(all.reply.finish_reasons, std::vector<std::string>{"stop"}) << stream;
    ASSERT_TRUE(all.reply.usage) << stream;
    EXPECT_EQ(all.reply.usage->output_tokens, 3) << stream;
  }
  EXPECT_EQ(sent(0).kind, kind);
  EXPECT_EQ(sent(0).prompts, std::vector<std::string>{"Once"});
}

TEST_P(Provider, EachPromptOfABatchHasItsOwnAnswer) {
  const auto kind = Request::Kind::completion;
  const Request asked = batch(kind, {"a", "b", "c"});
  if (const std::string words = dialect().gaps().batches; !words.empty()) {
    serve({whole(says({""}))});
    return expect_refusal(asked, words);
  }
  serve([this](const ReceivedRequest& request) {
    Answer answer;
    const std::vector<std::string> prompts = dialect().read(request).prompts;
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      answer.push_back(text("after " + prompts[i], static_cast<int>(i)));
      answer.push_back({.index = static_cast<int>(i), .what = Finish{"stop"}});
    }
    return whole(answer, Request::Kind::completion);
  });
  const Read all = ask(asked);
  EXPECT_EQ(all.what(), "");
  EXPECT_EQ(all.reply.text, "after a");
  ASSERT_EQ(all.reply.alternatives.size(), 2U);
  EXPECT_EQ(all.reply.alternatives[0].text, "after b");
  EXPECT_EQ(all.reply.alternatives[1].text, "after c");
}

TEST_P(Provider, EachPromptHasItsOwnEmbedding) {
  const auto kind = Request::Kind::embedding;
  const Request asked = batch(kind, {"a", "bb", "ccc"});
  if (const std::string words = dialect().gaps().embeddings; !words.empty()) {
    serve({whole(says({""}))});
    return expect_refusal(asked, words);
  }
  serve([this](const ReceivedRequest& request) {
    Answer answer;
    const std::vector<std::string> prompts = dialect().read(request).prompts;
    for (std::size_t i = 0; i < prompts.size(); ++i)
      answer.push_back({.index = static_cast<int>(i),
                        .what = Embedding{{static_cast<float>(prompts[i].size()), 0.5F}}});
    answer.push_back({.what = Usage{.input_tokens = 6}});
    return whole(answer, Request::Kind::embedding);
  });
  const Read all = ask(asked);
  EXPECT_EQ(all.what(), "");
  ASSERT_EQ(all.reply.embeddings.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_EQ(all.reply.embeddings[i].values,
              (std::vector<float>{static_cast<float>(i + 1), 0.5F}));
}

TEST_P(Provider, SeveralChoicesAreToldApart) {
  Request asked = chat();
  asked.options.choices = 2;
  serve({whole(ended({text("one"), text("two", 1), {.index = 1, .what = Finish{"length"}}})),
         whole(says({"one"}))});
  const Read all = ask(asked);
  EXPECT_EQ(all.what(), "");
  EXPECT_EQ(all.reply.text, "one");
  if (sent().options.choices) {
    ASSERT_EQ(all.reply.alternatives.size(), 1U);
    EXPECT_EQ(all.reply.alternatives[0].text, "two");
    EXPECT_EQ(all.reply.alternatives[0].finish_reason, "length");
  } else {
    ASSERT_EQ(all.notices.size(), 1U);
    EXPECT_EQ(all.notices[0].name, "choices");
  }
}

TEST_P(Provider, LogprobsAreReadWhereTheyAreAskedFor) {
  const std::vector<TokenLogprob> tokens = {{"A", -0.25, {{"A", -0.25}, {"B", -1.5}}},
                                            {"!", 0, {}}};
  const Answer answer = ended({text("A!"), {.what = Logprobs{tokens}}});
  for (const bool stream : {false, true}) {
    serve({stream ? streamed(answer) : whole(answer)});
    Request asked = chat(stream);
    asked.options.logprobs = true;
    asked.options.top_logprobs = 2;
    const Read all = ask(asked);
    if (!sent().options.logprobs) {
      EXPECT_EQ(all.notices.size(), 2U);
      continue;
    }
    ASSERT_EQ(all.reply.logprobs.size(), 2U) << stream;
    EXPECT_EQ(all.reply.logprobs[0].token, "A");
    EXPECT_EQ(all.reply.logprobs[0].logprob, -0.25);
    ASSERT_EQ(all.reply.logprobs[0].top.size(), 2U);
    EXPECT_EQ(all.reply.logprobs[0].top[1].token, "B");
  }
}

TEST_P(Provider, TheModelsOfTheServerAreListed) {
  std::vector<std::string> names = {"granite4:micro", "ibm/granite"};
  const Gaps gaps = dialect().gaps();
  if (gaps.model_names) names.pop_back();
  if (gaps.model_lists) names = {dialect().model()};
  serve({Script::answer(200, dialect().models(names))});
  EXPECT_EQ(backend_->models({}), names);
  EXPECT_EQ(asked(), gaps.model_lists ? 0U : 1U);
}

}  // namespace
}  // namespace mellea::providers
