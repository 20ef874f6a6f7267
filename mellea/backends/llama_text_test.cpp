#include "mellea/backends/llama_text.h"

#include <gtest/gtest.h>

namespace mellea {
namespace {

struct Taken {
  Reply reply{};
  bool stopped = false;
  std::size_t chunks = 0;
};

// What is made of `text` if it comes in pieces of `size` bytes.
Taken take(std::string_view text, LlamaTextMarks marks, std::size_t size) {
  Taken taken;
  LlamaText parts(std::move(marks));
  std::vector<Chunk> chunks;
  for (bool more = true; more && !text.empty(); text.remove_prefix(std::min(size, text.size())))
    more = parts.feed(text.substr(0, size), {}, 0, chunks);
  parts.end({}, 0, chunks);
  for (const Chunk& chunk : chunks) add(taken.reply, chunk);
  taken.stopped = parts.stopped();
  taken.chunks = chunks.size();
  return taken;
}

// The same, however it is cut.
Taken take(std::string_view text, const LlamaTextMarks& marks = {}) {
  const Taken whole = take(text, marks, text.size());
  for (std::size_t size = 1; size < text.size(); ++size) {
    const Taken cut = take(text, marks, size);
    EXPECT_EQ(cut.reply.text, whole.reply.text) << size;
    EXPECT_EQ(cut.reply.thinking, whole.reply.thinking) << size;
    EXPECT_EQ(cut.reply.tool_calls.size(), whole.reply.tool_calls.size()) << size;
    EXPECT_EQ(cut.stopped, whole.stopped) << size;
  }
  return whole;
}

TEST(LlamaText, GivesOutWhatCanBeNoMark) {
  EXPECT_EQ(take(" sm\xC3\xB8rrebr\xC3\xB8"
                 "d\n")
                .reply.text,
            " sm\xC3\xB8rrebr\xC3\xB8"
            "d\n");
  EXPECT_EQ(take("a < b", {}, 1).chunks, 5U);
  EXPECT_EQ(take("").reply.text, "");
  EXPECT_EQ(take(" \n").reply.text, " \n");
}

TEST(LlamaText, EndsAtTheFirstStopText) {
  const Taken taken = take("one. END two STOP", {.stops = {"STOP", "END"}});
  EXPECT_EQ(taken.reply.text, "one. ");
  EXPECT_TRUE(taken.stopped);
  EXPECT_EQ(take("an EN", {.stops = {"END"}}).reply.text, "an EN");
  EXPECT_EQ(take("\nrest", {.stops = {"\n"}}).reply.text, "");
}

TEST(LlamaText, ThinkingIsApart) {
  const Taken taken = take("\n<think>\nhm < 3\n</think>\n\nFour.");
  EXPECT_EQ(taken.reply.thinking, "hm < 3\n");
  EXPECT_EQ(taken.reply.text, "Four.");
  EXPECT_EQ(take("a <think>b").reply.text, "a <think>b");
  EXPECT_EQ(take("<think>not to its end").reply.thinking, "not to its end");
  EXPECT_EQ(take("<thin").reply.text, "<thin");
}

TEST(LlamaText, ToolCallsAreTakenOut) {
  const LlamaTextMarks marks{.tool_calls = true, .id_stem = "call_"};
  const Taken taken = take(
      "Let me see.\n<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>\n"
      "<tool_call>{\"name\":\"at\",\"arguments\":{\"city\":\"Paris\"}}</tool_call>\n",
      marks);
  EXPECT_EQ(taken.reply.text, "Let me see.\n");
  ASSERT_EQ(taken.reply.tool_calls.size(), 2U);
  EXPECT_EQ(taken.reply.tool_calls[0].id, "call_0");
  EXPECT_EQ(taken.reply.tool_calls[0].name, "now");
  EXPECT_EQ(taken.reply.tool_calls[1].arguments, R"({"city":"Paris"})");
  EXPECT_EQ(take("<tool_call>{}</tool_call>").reply.text, "<tool_call>{}</tool_call>");
}

TEST(LlamaText, WhatIsNoCallIsText) {
  const LlamaTextMarks marks{.tool_calls = true};
  for (const char* text :
       {"<tool_call>now!</tool_call>", "<tool_call>{\"name\":\"now\"}</tool_call>",
        "<tool_call>{\"name\":\"now\",\"arguments\":{}"})
    EXPECT_EQ(take(text, marks).reply.text, text);
}

TEST(LlamaText, BytesThatAreNoTextAreReplaced) {
  EXPECT_EQ(take("a\xFF"
                 "b")
                .reply.text,
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(take("a\xC3").reply.text, "a\xEF\xBF\xBD");
}

}  // namespace
}  // namespace mellea
