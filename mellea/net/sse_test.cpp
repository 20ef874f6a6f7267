#include "mellea/net/sse.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "mellea/core/error.h"

namespace mellea {
namespace {

using Events = std::vector<std::string>;  // each as "name|data"

void take_all(SseParser& parser, Events& events) {
  for (SseEvent event; parser.next(event);)
    events.push_back(std::string(event.name) + '|' + std::string(event.data));
}

// The stream in pieces of `size` bytes, each of which is gone when the next one comes.
Events in_pieces(std::string_view stream, std::size_t size) {
  SseParser parser;
  Events events;
  for (std::size_t at = 0; at < stream.size(); at += size) {
    const std::string piece(stream.substr(at, size));
    parser.feed(piece);
    take_all(parser, events);
  }
  return events;
}

Events in_two(std::string_view stream, std::size_t cut) {
  SseParser parser;
  Events events;
  for (const std::string_view part : {stream.substr(0, cut), stream.substr(cut)}) {
    const std::string piece(part);
    parser.feed(piece);
    take_all(parser, events);
  }
  return events;
}

struct Shape {
  const char* name;
  std::string stream;
  Events events;
};

void PrintTo(const Shape& shape, std::ostream* out) { *out << shape.name; }

const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all = {
      {"plain", "data: {\"a\":1}\n\n", {"|{\"a\":1}"}},
      {"two events", "data: one\n\ndata: two\n\n", {"|one", "|two"}},
      {"no space after the colon", "data:one\n\n", {"|one"}},
      {"one space only is dropped", "data:  one\n\n", {"| one"}},
      {"named", "event: delta\ndata: x\n\ndata: y\n\n", {"delta|x", "|y"}},
      {"several lines of data", "data: a\ndata: b\ndata:\ndata: c\n\n", {"|a\nb\n\nc"}},
      {"carriage return and newline",
       "event: e\r\ndata: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n",
       {"e|a\nb", "|c"}},
      {"carriage return alone", "data: a\rdata: b\r\rdata: c\r\r", {"|a\nb", "|c"}},
      {"all line ends", "data: a\r\ndata: b\rdata: c\n\r\ndata: d\r\n\n", {"|a\nb\nc", "|d"}},
      {"comments", ": keep-alive\n\n:\ndata: a\n: b\n\n: c\n\n", {"|a"}},
      {"ids and retries", "id: 7\nretry: 10\ndata: a\nid\n\n", {"|a"}},
      {"unknown fields", "flavour: sweet\ndata: a\ndatum: b\n\n", {"|a"}},
      {"no colon", "data\n\ndata\ndata\n\n", {"|", "|\n"}},
      {"empty data", "data:\n\n", {"|"}},
      {"a name without data", "event: e\n\ndata: a\n\n", {"|a"}},
      {"the last name stays", "event: e\ndata: a\nevent: f\n\n", {"f|a"}},
      {"colons in the text", "data: data: x\n\n", {"|data: x"}},
      {"byte order mark",
       "\xEF\xBB\xBF"
       "data: a\n\n\xEF\xBB\xBF"
       "data: b\n\n",
       {"|a"}},
      {"not ended", "data: a\n\ndata: half\n", {"|a"}},
      {"a zero byte", std::string("data: a\0b\n\n", 11), {std::string("|a\0b", 4)}},
  };
  return all;
}

class SseShapeTest : public testing::TestWithParam<Shape> {};

TEST_P(SseShapeTest, GivesTheSameEventsInPiecesOfAnySize) {
  const Shape& shape = GetParam();
  for (std::size_t size = 1; size <= shape.stream.size(); ++size)
    EXPECT_EQ(in_pieces(shape.stream, size), shape.events) << "in pieces of " << size;
}

TEST_P(SseShapeTest, GivesTheSameEventsCutAtEveryByte) {
  const Shape& shape = GetParam();
  for (std::size_t cut = 0; cut <= shape.stream.size(); ++cut)
    EXPECT_EQ(in_two(shape.stream, cut), shape.events) << "cut at " << cut;
}

INSTANTIATE_TEST_SUITE_P(Shapes, SseShapeTest, testing::ValuesIn(shapes()));

TEST(SseParserTest, AnEventInOnePieceIsNotCopied) {
  const std::string stream = "data: a text that is longer than what a string keeps inside\n\n";
  SseParser parser;
  parser.feed(stream);
  SseEvent event;
  ASSERT_TRUE(parser.next(event));
  EXPECT_GE(event.data.data(), stream.data());
  EXPECT_LT(event.data.data(), stream.data() + stream.size());
}

Errc error_of(SseParser& parser, std::string_view bytes) {
  try {
    parser.feed(bytes);
    for (SseEvent event; parser.next(event);) {
    }
  } catch (const Error& error) {
    EXPECT_NE(std::string_view(error.what()).find("100 bytes"), std::string_view::npos);
    return error.code();
  }
  return Errc::unknown;
}

TEST(SseParserTest, TheIdOfTheLastWholeEventAndTheTimeToWaitAreKnownHoweverItIsCut) {
  const std::string stream = "id: 1\nretry: 250\ndata: a\n\nid: 2\n\nretry: soon\nid: 3\ndata: b\n";
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    SseParser parser;
    Events events;
    for (const std::string& piece : {stream.substr(0, cut), stream.substr(cut)}) {
      parser.feed(piece);
      take_all(parser, events);
    }
    EXPECT_EQ(events, Events{"|a"});
    EXPECT_EQ(parser.last_id(), "2") << cut;
    EXPECT_EQ(parser.retry(), std::chrono::milliseconds(250));
  }
  EXPECT_EQ(SseParser().last_id(), "");
  EXPECT_FALSE(SseParser().retry());
}

TEST(SseParserTest, AnEventAtTheLimitPasses) {
  SseParser parser(100);
  EXPECT_EQ(error_of(parser, "data:" + std::string(95, 'x') + "\n\n"), Errc::unknown);
}

TEST(SseParserTest, ALineOverTheLimitIsAnError) {
  SseParser parser(100);
  EXPECT_EQ(error_of(parser, "data:" + std::string(96, 'x') + "\n\n"), Errc::parse_error);
}

TEST(SseParserTest, ALineOverTheLimitIsAnErrorBeforeItEnds) {
  SseParser parser(100);
  EXPECT_EQ(error_of(parser, std::string(60, 'x')), Errc::unknown);
  EXPECT_EQ(error_of(parser, std::string(60, 'x')), Errc::parse_error);
}

TEST(SseParserTest, LinesThatAreTogetherOverTheLimitAreAnError) {
  SseParser parser(100);
  EXPECT_EQ(error_of(parser, "data:" + std::string(60, 'x') + '\n'), Errc::unknown);
  EXPECT_EQ(error_of(parser, "data:" + std::string(60, 'x') + '\n'), Errc::parse_error);
}

}  // namespace
}  // namespace mellea
