#include "mellea/core/reply.h"

#include <gtest/gtest.h>

#include "mellea/core/context.h"
#include "mellea/core/cow.h"
#include "mellea/core/outcome.h"
#include "mellea/core/scope.h"

namespace mellea {
namespace {

Reply folded(const std::vector<Chunk>& chunks) {
  Reply reply;
  for (const Chunk& chunk : chunks) add(reply, chunk);
  return reply;
}

TEST(UsageTest, CountsThatCannotBeTrueAreLeftOut) {
  const Usage usage = checked({.input_tokens = 10,
                               .output_tokens = -1,
                               .cache_read_tokens = 11,
                               .cache_write_tokens = 10,
                               .reasoning_tokens = 5});
  EXPECT_EQ(usage, (Usage{.input_tokens = 10, .cache_write_tokens = 10, .reasoning_tokens = 5}));
}

TEST(UsageTest, LaterCountsReplaceEarlierOnesAndAbsentOnesDoNot) {
  EXPECT_EQ(updated({.input_tokens = 1, .output_tokens = 2}, {.output_tokens = 3}),
            (Usage{.input_tokens = 1, .output_tokens = 3}));
}

TEST(ReplyTest, MetadataToldInPiecesAddsUp) {
  const auto told = [](const char* json) {
    return Chunk{.what = ResponseInfo{.metadata = Json::parse(json)}};
  };
  EXPECT_EQ(folded({told(R"({"cost":1,"seed":2})"),
                    {.what = ResponseInfo{.id = "r"}},
                    told(R"({"seed":3})")})
                .response.metadata.text(),
            R"({"cost":1,"seed":3})");
  EXPECT_EQ(folded({told("[1]"), told(R"({"cost":1})")}).response.metadata.text(), R"({"cost":1})");
}

TEST(ReplyTest, FoldsWhatIsSaid) {
  const Reply reply = folded({{.what = ResponseInfo{.id = "r1", .model = "m"}},
                              {.what = Thinking{"hm"}},
                              {.what = "a"},
                              {.what = Notice{.text = "not of the reply"}},
                              {.what = "b"},
                              {.what = Usage{.input_tokens = 3}},
                              {.what = Finish{"stop"}}});
  EXPECT_EQ(reply.text, "ab");
  EXPECT_EQ(reply.thinking, "hm");
  EXPECT_EQ(reply.response.id, "r1");
  EXPECT_EQ(reply.usage->input_tokens, 3);
  EXPECT_EQ(reply.finish_reasons, std::vector<std::string>{"stop"});
}

TEST(ReplyTest, WhatIsToldLaterOfTheAnswerJoinsWhatWasToldBefore) {
  const Reply reply = folded({{.what = ResponseInfo{.id = "r1", .model = "m"}},
                              {.what = ResponseInfo{.metadata = Json::parse(R"({"cost":1})")}},
                              {.what = ResponseInfo{.model = "n"}}});
  EXPECT_EQ(reply.response.id, "r1");
  EXPECT_EQ(reply.response.model, "n");
  EXPECT_EQ(reply.response.metadata.text(), R"({"cost":1})");
}

TEST(ReplyTest, MetadataThatIsToldLaterJoinsWhatWasToldBefore) {
  const auto told = [](std::string_view metadata) {
    return Chunk{.what = ResponseInfo{.metadata = Json::parse(metadata)}};
  };
  const Reply reply = folded({told(R"({"cost":1,"id":"a"})"),
                              {.what = ResponseInfo{.model = "m"}},
                              told(R"({"cost":2,"times":[3]})")});
  EXPECT_EQ(reply.response.metadata.text(), R"({"cost":2,"id":"a","times":[3]})");
}

TEST(ReplyTest, TheUsageOfAllPromptsIsNotMixedWithThatOfOne) {
  const Usage first{.input_tokens = 1, .output_tokens = 2};
  const std::vector<Chunk> each = {{.index = 0, .what = first},
                                   {.index = 1, .what = Usage{.output_tokens = 3}}};
  EXPECT_EQ(folded(each).usage, first);
  std::vector<Chunk> all = each;
  all.push_back({.index = -1, .what = Usage{.output_tokens = 5}});
  EXPECT_EQ(folded(all).usage, Usage{.output_tokens = 5});
}

TEST(ReplyTest, PutsToolCallsTogether) {
  const Reply reply =
      folded({{.what = ToolCallPart{.call = 0, .id = "c1", .name = "f", .arguments = "{\"a\""}},
              {.what = ToolCallPart{.call = 1, .id = "c2", .name = "g", .arguments = "{}"}},
              {.what = ToolCallPart{.call = 0, .arguments = ":1}"}}});
  ASSERT_EQ(reply.tool_calls.size(), 2U);
  EXPECT_EQ(reply.tool_calls[0].arguments, "{\"a\":1}");
  EXPECT_EQ(reply.tool_calls[1].name, "g");
}

TEST(ReplyTest, KeepsChoicesApart) {
  const Reply reply = folded({{.index = 0, .what = "a"},
                              {.index = 1, .what = "b"},
                              {.index = 1, .what = Finish{"length"}},
                              {.index = 0, .what = Finish{"stop"}}});
  EXPECT_EQ(reply.text, "a");
  ASSERT_EQ(reply.alternatives.size(), 1U);
  EXPECT_EQ(reply.alternatives[0].text, "b");
  EXPECT_EQ(reply.alternatives[0].finish_reason, "length");
  EXPECT_EQ(reply.finish_reasons, (std::vector<std::string>{"length", "stop"}));
}

TEST(ContextTest, IsImmutableAndShared) {
  const Context empty = Context::chat();
  const Context one = empty.add({.text = "1"});
  const Context two = one.add({.text = "2"});
  const Context other = one.add({.text = "other"});
  EXPECT_EQ(empty.size(), 0U);
  EXPECT_EQ(two.messages()[1].text, "2");
  EXPECT_EQ(other.messages()[1].text, "other");
  EXPECT_EQ(two.cleared().size(), 0U);
  EXPECT_EQ(two.view().size(), 2U);
  EXPECT_TRUE(Context::simple().add({.text = "1"}).view().empty());
}

TEST(CowTest, AChangeIsNobodyElses) {
  Cow<std::string> mine(std::string("a"));
  const Cow<std::string> yours = mine;
  mine.edit() += "b";
  EXPECT_EQ(*mine, "ab");
  EXPECT_EQ(*yours, "a");
}

TEST(WordsTest, EachEnumeratorHasItsWord) {
  EXPECT_EQ(to_string(Errc::rate_limit), "rate_limit");
  EXPECT_EQ(to_string(Errc::unknown), "unknown");
  EXPECT_EQ(to_string(CancelReason::consumer), "consumer");
  EXPECT_EQ(to_string(Outcome::blocked), "blocked");
  EXPECT_EQ(to_string(Notice::Kind::retry), "retry");
  EXPECT_EQ(to_string(Kind::generation), "generation");
}

TEST(UsageTest, ContentIsWhatIsSaidAndNotWhatIsToldOfIt) {
  EXPECT_TRUE(is_content({.what = std::string("a")}));
  EXPECT_TRUE(is_content({.what = Thinking{"hm"}}));
  EXPECT_TRUE(is_content({.what = ToolCallPart{}}));
  EXPECT_FALSE(is_content({.what = Usage{}}));
  EXPECT_FALSE(is_content({.what = Finish{"stop"}}));
  EXPECT_FALSE(is_content({.what = Notice{}}));
}

}  // namespace
}  // namespace mellea
