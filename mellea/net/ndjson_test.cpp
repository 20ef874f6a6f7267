#include "mellea/net/ndjson.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "mellea/core/error.h"

namespace mellea {
namespace {

using Lines = std::vector<std::string>;

// The stream in pieces, each of which is gone when the next one comes.
Lines lines_of(const std::vector<std::string_view>& pieces) {
  NdjsonParser parser;
  Lines lines;
  std::string_view line;
  for (const std::string_view piece : pieces) {
    const std::string own(piece);
    parser.feed(own);
    while (parser.next(line)) lines.emplace_back(line);
  }
  while (parser.finish(line)) lines.emplace_back(line);
  return lines;
}

std::vector<std::string_view> cut(std::string_view stream, std::size_t size) {
  std::vector<std::string_view> pieces;
  for (std::size_t at = 0; at < stream.size(); at += size)
    pieces.push_back(stream.substr(at, size));
  return pieces;
}

struct Shape {
  const char* name;
  std::string stream;
  Lines lines;
};

void PrintTo(const Shape& shape, std::ostream* out) { *out << shape.name; }

const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all = {
      {"nothing", "", {}},
      {"one line", "{\"a\":1}\n", {"{\"a\":1}"}},
      {"two lines", "{\"a\":1}\n{\"b\":2}\n", {"{\"a\":1}", "{\"b\":2}"}},
      {"a last line without a newline", "{}\n{\"a\":1}", {"{}", "{\"a\":1}"}},
      {"no newline at all", "{\"a\":1}", {"{\"a\":1}"}},
      {"carriage returns", "{}\r\n[1]\r\n\r\n[2]\r", {"{}", "[1]", "[2]"}},
      {"blank lines", "\n\n{}\n \t\n\n[1]\n\n", {"{}", "[1]"}},
      {"blanks around", "  {} \n\t[1]\t", {"{}", "[1]"}},
      {"only blanks", " \r\n\t", {}},
      {"byte order mark", "\xEF\xBB\xBF{}\n\xEF\xBB\xBF[]\n", {"{}", "\xEF\xBB\xBF[]"}},
      {"a byte order mark and nothing else", "\xEF\xBB\xBF\n{}\n", {"{}"}},
      {"letters of several bytes",
       "\"sm\xC3\xB8r\"\n\"\xF0\x9F\x8E\x89\"",
       {"\"sm\xC3\xB8r\"", "\"\xF0\x9F\x8E\x89\""}},
      {"an escaped newline ends no line", "\"a\\nb\"\n", {"\"a\\nb\""}},
      {"a zero byte", std::string("a\0b\n", 4), {std::string("a\0b", 3)}},
  };
  return all;
}

class NdjsonShapeTest : public testing::TestWithParam<Shape> {};

TEST_P(NdjsonShapeTest, GivesTheSameLinesInPiecesOfAnySize) {
  const Shape& shape = GetParam();
  for (std::size_t size = 1; size <= shape.stream.size() + 1; ++size)
    EXPECT_EQ(lines_of(cut(shape.stream, size)), shape.lines) << "in pieces of " << size;
}

TEST_P(NdjsonShapeTest, GivesTheSameLinesCutAtEveryByte) {
  const Shape& shape = GetParam();
  const std::string_view stream = shape.stream;
  for (std::size_t at = 0; at <= stream.size(); ++at)
    EXPECT_EQ(lines_of({stream.substr(0, at), stream.substr(at)}), shape.lines) << "cut at " << at;
}

INSTANTIATE_TEST_SUITE_P(Shapes, NdjsonShapeTest, testing::ValuesIn(shapes()));

TEST(NdjsonParserTest, ALineInOnePieceIsNotCopied) {
  const std::string stream =
      "{\"a\":\"a text that is longer than what a string keeps inside\"}\n[]\n";
  NdjsonParser parser;
  parser.feed(stream);
  for (std::string_view line; parser.next(line);) {
    EXPECT_GE(line.data(), stream.data());
    EXPECT_LT(line.data(), stream.data() + stream.size());
  }
}

TEST(NdjsonParserTest, ALineIsGivenAsSoonAsItIsWhole) {
  NdjsonParser parser;
  std::string_view line;
  parser.feed("{\"a\"");
  EXPECT_FALSE(parser.next(line));
  parser.feed(":1}\n{");
  ASSERT_TRUE(parser.next(line));
  EXPECT_EQ(line, "{\"a\":1}");
  EXPECT_FALSE(parser.next(line));
}

// Whether the bytes are too many for a parser of lines of up to 100.
bool is_too_long(const std::vector<std::string_view>& pieces) {
  NdjsonParser parser(100);
  std::string_view line;
  try {
    for (const std::string_view piece : pieces) {
      parser.feed(piece);
      while (parser.next(line)) {
      }
    }
    parser.finish(line);
    return false;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::parse_error);
    EXPECT_STREQ(error.what(), "a line of the stream is over 100 bytes");
    return true;
  }
}

TEST(NdjsonParserTest, ALineOverTheLimitIsAnErrorHoweverItIsCut) {
  const std::string at_limit = std::string(100, 'x') + '\n';
  const std::string over = std::string(101, 'x') + '\n';
  for (std::size_t size = 1; size <= over.size(); ++size) {
    EXPECT_FALSE(is_too_long(cut(at_limit + at_limit, size))) << size;
    EXPECT_TRUE(is_too_long(cut(at_limit + over, size))) << size;
  }
}

TEST(NdjsonParserTest, ALineOverTheLimitIsAnErrorBeforeItEnds) {
  EXPECT_TRUE(is_too_long({std::string(60, 'x'), std::string(60, 'x')}));
}

}  // namespace
}  // namespace mellea
