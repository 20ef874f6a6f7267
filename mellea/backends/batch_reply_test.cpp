#include "mellea/backends/batch_reply.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "mellea/backends/read_for_test.h"
#include "mellea/backends/scripted_backend.h"

namespace mellea {
namespace {

using scripted::Line;
using std::chrono::milliseconds;

Line told(const std::string& text, Usage usage) {
  return Line().text(text).usage(usage).finish("stop");
}

// Requests to a backend that answers with the next line.
class BatchReplyTest : public testing::Test {
 protected:
  void answer(Line line) { lines_.push_back(std::move(line)); }

  std::unique_ptr<ReplyStream> start(int stride = 1) {
    return start_batch({.requests = lines_.size(), .stride = stride, .start = [this](auto request) {
                          auto one = std::make_shared<ScriptedBackend>();
                          one->add(lines_.at(request));
                          started_.push_back(request);
                          return one->start({.messages = {{.text = "x"}}}, {});
                        }});
  }

  using Counts = std::vector<std::pair<int, Usage>>;  // by index

  Counts counts(int stride = 1) {
    const auto stream = start(stride);
    Counts all;
    Chunk chunk;
    for (Next next{}; (next = stream->try_next(chunk)) != Next::end;) {
      if (next == Next::pending)
        stream->wait(Instant::max());
      else if (const auto* usage = std::get_if<Usage>(&chunk.what))
        all.emplace_back(chunk.index, *usage);
    }
    return all;
  }

  std::vector<Line> lines_;
  std::vector<std::size_t> started_;
};

TEST_F(BatchReplyTest, AnswersComeInTheOrderOfTheRequests) {
  answer(Line().delay(milliseconds(1)).text("a").finish("length"));
  answer(told("b", {}));
  answer(told("c", {}));
  const Read all = read(*start());
  EXPECT_EQ(all.what(), "");
  EXPECT_EQ(all.reply.text, "a");
  ASSERT_EQ(all.reply.alternatives.size(), 2U);
  EXPECT_EQ(all.reply.alternatives[0].text, "b");
  EXPECT_EQ(all.reply.alternatives[1].text, "c");
  EXPECT_EQ(all.reply.finish_reasons, (std::vector<std::string>{"length", "stop", "stop"}));
}

TEST_F(BatchReplyTest, OneRequestIsItself) {
  answer(told("a", {.input_tokens = 2}));
  const Read all = read(*start());
  EXPECT_EQ(all.reply.text, "a");
  EXPECT_EQ(all.reply.usage, (Usage{.input_tokens = 2}));
}

TEST_F(BatchReplyTest, ANoticeIsOfTheFirstPromptOfItsRequest) {
  for (int request = 0; request < 3; ++request)
    answer(Line().chunk({.index = -1, .what = Notice{}}).text("x").finish("stop"));
  const auto stream = start(2);
  std::vector<int> indexes;
  Chunk chunk;
  for (Next next{}; (next = stream->try_next(chunk)) != Next::end;) {
    if (next == Next::pending)
      stream->wait(Instant::max());
    else if (std::holds_alternative<Notice>(chunk.what))
      indexes.push_back(chunk.index);
  }
  EXPECT_EQ(indexes, (std::vector<int>{0, 2, 4}));
}

TEST_F(BatchReplyTest, EachHasItsShareOfTheIndexes) {
  for (const char* text : {"a", "c"})
    answer(Line()
               .text(text)
               .chunk({.index = 1, .what = std::string(text) + "'"})
               .chunk({.index = 1, .what = Finish{"stop"}}));
  const Read all = read(*start(2));
  EXPECT_EQ(all.reply.text, "a");
  ASSERT_EQ(all.reply.alternatives.size(), 3U);
  EXPECT_EQ(all.reply.alternatives[0].text, "a'");
  EXPECT_EQ(all.reply.alternatives[1].text, "c");
  EXPECT_EQ(all.reply.alternatives[2].text, "c'");
}

TEST_F(BatchReplyTest, TokensAreThoseOfEachAndThoseOfAll) {
  answer(told("a", {.input_tokens = 2, .output_tokens = 1}));
  answer(Line().usage({.input_tokens = 3}).usage({.output_tokens = 5}));
  EXPECT_EQ(counts(), (Counts{{0, {.input_tokens = 2, .output_tokens = 1}},
                              {1, {.input_tokens = 3}},
                              {1, {.output_tokens = 5}},
                              {-1, {.input_tokens = 5, .output_tokens = 6}}}));
  EXPECT_EQ(counts(2), (Counts{{-1, {.input_tokens = 5, .output_tokens = 6}}}))
      << "whose they are is not known";
}

TEST_F(BatchReplyTest, ACountThatOneDidNotTellIsNotInventedForAll) {
  answer(told("a", {.input_tokens = 2, .output_tokens = 1}));
  answer(told("b", {.output_tokens = 4}));
  EXPECT_EQ(counts().back(), (std::pair<int, Usage>(-1, {.output_tokens = 5})));
  answer(Line().text("c"));
  EXPECT_EQ(counts().back(), (std::pair<int, Usage>(1, {.output_tokens = 4}))) << "none of all";
}

TEST_F(BatchReplyTest, AFailureSaysWhichOneAndKeepsWhatWasCounted) {
  answer(told("a", {.output_tokens = 7}));
  answer(Line().text("b").fail(Error(Errc::context_length, "too long", {.status = 422})));
  answer(told("c", {.output_tokens = 1}));
  const auto stream = start();
  const Read all = read(*stream);
  EXPECT_EQ(all.what(), "too long (request 2 of 3)");
  EXPECT_EQ(all.outcome(), "context_length");
  EXPECT_EQ(all.error->details().status, 422);
  EXPECT_EQ(all.reply.text, "a");
  EXPECT_EQ(all.reply.alternatives.at(0).text, "b");
  EXPECT_EQ(all.reply.usage, (Usage{.output_tokens = 7}));
  EXPECT_EQ(read(*stream).what(), all.what()) << "again at each call";
}

TEST_F(BatchReplyTest, NoMoreThanAFewAreUnderWay) {
  constexpr std::size_t kRequests = 40;
  for (std::size_t i = 0; i < kRequests; ++i) answer(told(std::to_string(i), {}));
  const auto stream = start();
  EXPECT_EQ(started_.size(), 8U);
  const Read all = read(*stream);
  EXPECT_EQ(all.reply.alternatives.size(), kRequests - 1);
  EXPECT_EQ(all.reply.alternatives.back().text, "39");
  EXPECT_EQ(started_.size(), kRequests);
}

TEST_F(BatchReplyTest, AStartThatFailsLaterFailsTheStream) {
  for (int i = 0; i < 9; ++i) answer(told("a", {}));
  lines_.back() = Line().refuse(Error(Errc::shutdown, "gone"));
  const Read all = read(*start());
  EXPECT_EQ(all.what(), "gone (request 9 of 9)");
  EXPECT_EQ(all.reply.alternatives.size(), 0U) << "it failed while the first one was finished";
}

TEST_F(BatchReplyTest, CancelEndsThoseThatAreOpenAndThoseToCome) {
  answer(told("a", {}));
  for (int i = 0; i < 9; ++i) answer(Line().hang());
  const auto stream = start();
  Chunk chunk;
  ASSERT_EQ(stream->try_next(chunk), Next::chunk);
  std::jthread canceller([&] { stream->cancel(); });
  const Read all = read(*stream);
  EXPECT_EQ(all.outcome(), "cancelled");
}

TEST_F(BatchReplyTest, AfterACancelNothingIsSent) {
  for (int i = 0; i < 12; ++i) answer(told("a", {}));
  const auto stream = start();
  stream->cancel();
  const Read all = read(*stream);
  EXPECT_EQ(all.outcome(), "cancelled");
  EXPECT_EQ(all.what(), "cancelled before it was sent (request 9 of 12)");
  EXPECT_EQ(all.reply.alternatives.size(), 7U) << "what had arrived is read";
  EXPECT_EQ(started_.size(), 8U);
}

TEST_F(BatchReplyTest, WakesWhoeverWaitsForAnyOfThem) {
  for (const char* text : {"a", "b", "c"}) answer(Line().delay(milliseconds(1)).text(text));
  const auto stream = start();
  std::string text;
  Chunk chunk;
  for (Next next{}; (next = stream->try_next(chunk)) != Next::end;) {
    if (next == Next::chunk) {
      text += std::get<std::string>(chunk.what);
      continue;
    }
    auto woken = std::make_shared<std::promise<void>>();
    if (stream->when_ready([woken] { woken->set_value(); })) woken->get_future().wait();
  }
  EXPECT_EQ(text, "abc");
  EXPECT_FALSE(stream->when_ready([] { ADD_FAILURE() << "it is over"; }));
}

}  // namespace
}  // namespace mellea
