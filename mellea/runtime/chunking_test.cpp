#include "mellea/runtime/chunking.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "mellea/core/error.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

using Chunks = std::vector<std::string>;

void take(Chunker& chunker, std::vector<TextChunk>& chunks) {
  while (auto chunk = chunker.next()) chunks.push_back(std::move(*chunk));
}

std::vector<TextChunk> cut(const Chunking& chunking, const Chunks& pieces) {
  Chunker chunker(chunking);
  std::vector<TextChunk> chunks;
  for (const std::string& piece : pieces) {
    chunker.add(piece);
    take(chunker, chunks);
  }
  chunker.end();
  take(chunker, chunks);
  return chunks;
}

Chunks texts(const std::vector<TextChunk>& chunks) {
  Chunks all;
  for (const TextChunk& chunk : chunks) all.push_back(chunk.text);
  return all;
}

Chunks chunks_of(const Chunking& chunking, const std::string& text) {
  return texts(cut(chunking, {text}));
}

// Pieces of random sizes, from nothing to more than a line.
Chunks sliced(std::string_view text, std::mt19937& random) {
  Chunks pieces;
  std::geometric_distribution<std::size_t> size(0.15);
  while (!text.empty()) {
    pieces.emplace_back(text.substr(0, size(random)));
    text.remove_prefix(pieces.back().size());
  }
  return pieces;
}

// Made of what rules look at.
std::string random_text(std::mt19937& random) {
  static const Chunks kParts{"a",      "Hello",  "ü",      "日本", "😀",    ".",        "!",
                             "?",      "\"",     "'",      ")",    "”",    "’",        " ",
                             "  ",     "\n",     "\r",     "\r\n", "\n\n", "\r\n\r\n", "\t",
                             "\u00A0", "\u2003", "\u3000", "3.14"};
  std::uniform_int_distribution<std::size_t> part(0, kParts.size() - 1);
  std::uniform_int_distribution<int> count(0, 40);
  std::string text;
  for (int left = count(random); left > 0; --left) text += kParts[part(random)];
  return text;
}

std::vector<Chunking> invariant_rules() {
  std::vector<Chunking> rules{Chunking::word(), Chunking::sentence(), Chunking::paragraph(),
                              Chunking::line()};
  for (std::size_t rule = 0; rule < 4; ++rule) {
    rules.push_back(rules[rule]);
    rules.back().longest = 7;
  }
  return rules;
}

const std::string kText =
    "Pi is 3.14. \"Is it?\" she asked! Ja, größer…\r\n\r\n日本語。 (Really.) “Oh.” Then\n\n"
    "‘No.’ and 😀 last.\u2003Ünd\u00A0so";

TEST(ChunkingTest, ASentenceEndsBeforeABlank) {
  EXPECT_EQ(
      chunks_of(Chunking::sentence(), "  Hello world. Is it 3.14?  (Yes!) He said “no.” So\n"),
      (Chunks{"Hello world.", "Is it 3.14?", "(Yes!)", "He said “no.”", "So"}));
  EXPECT_EQ(chunks_of(Chunking::sentence(), "Dr. Who?! Well..."),
            (Chunks{"Dr.", "Who?!", "Well..."}));
  EXPECT_EQ(chunks_of(Chunking::sentence(), "One.\u2003Two.\u00A0Three"),
            (Chunks{"One.", "Two.", "Three"}));
}

TEST(ChunkingTest, ASentenceIsThereAsSoonAsItsBlankIs) {
  Chunker chunker(Chunking::sentence());
  chunker.add("Hello.");
  EXPECT_FALSE(chunker.next());
  chunker.add(" ");
  EXPECT_EQ(chunker.next()->text, "Hello.");
  EXPECT_FALSE(chunker.next());
}

TEST(ChunkingTest, WordsAreWhatIsBetweenBlanks) {
  EXPECT_EQ(chunks_of(Chunking::word(), " one\ttwo\r\n\u3000three\u2009four "),
            (Chunks{"one", "two", "three", "four"}));
}

TEST(ChunkingTest, AParagraphEndsAtTwoLineBreaks) {
  EXPECT_EQ(chunks_of(Chunking::paragraph(), "a\nb\n\n\nc\n"), (Chunks{"a\nb", "c\n"}));
}

TEST(ChunkingTest, LineBreaksMayBeOfTwoBytes) {
  EXPECT_EQ(chunks_of(Chunking::paragraph(), "a\r\nb\r\n\r\nc\n\r\nd\r\n"),
            (Chunks{"a\r\nb", "c", "d\r\n"}));
  EXPECT_EQ(chunks_of(Chunking::line(), "a\r\n\r\nb\rc\n\nd"), (Chunks{"a", "b\rc", "d"}));
}

TEST(ChunkingTest, DeltasAreAsTheyComeInWholeCodePoints) {
  EXPECT_EQ(texts(cut(Chunking::delta(),
                      {"Gr", "\xC3", "\xBC\xC3", "\x9F", " ", "", "\xF0\x9F", "\x98", "\x80!"})),
            (Chunks{"Gr", "ü", "ß", " ", "😀!"}));
}

TEST(ChunkingTest, WhatIsNoUtf8IsGivenOutAsItIs) {
  EXPECT_EQ(texts(cut(Chunking::delta(), {"a\x80", "\xE2", "b\x80\x80\x80\x80", "\xF0\x9F"})),
            (Chunks{"a\x80",
                    "\xE2"
                    "b\x80\x80\x80\x80",
                    "\xF0\x9F"}));
}

TEST(ChunkingTest, NoTextIsNoChunk) {
  for (const Chunking& rule : invariant_rules()) {
    EXPECT_TRUE(chunks_of(rule, "").empty());
    EXPECT_TRUE(chunks_of(rule, "\r\n\n").empty()) << rule.name;
  }
}

TEST(ChunkingTest, EveryCutOfTheTextGivesTheSameChunks) {
  for (const Chunking& rule : invariant_rules()) {
    const Chunks whole = chunks_of(rule, kText);
    EXPECT_GT(whole.size(), 2U) << rule.name;
    for (std::size_t at = 0; at <= kText.size(); ++at)
      EXPECT_EQ(texts(cut(rule, {kText.substr(0, at), kText.substr(at)})), whole)
          << rule.name << " cut at " << at;
    Chunks bytes;
    for (const char byte : kText) bytes.emplace_back(1, byte);
    EXPECT_EQ(texts(cut(rule, bytes)), whole) << rule.name;
  }
}

TEST(ChunkingTest, ChunksOfARandomTextDependOnNoSlicing) {
  std::mt19937 random(20261123);
  for (int round = 0; round < 2000; ++round) {
    const std::string text = random_text(random);
    for (const Chunking& rule : invariant_rules()) {
      const Chunks whole = chunks_of(rule, text);
      const Chunks pieces = sliced(text, random);
      ASSERT_EQ(texts(cut(rule, pieces)), whole) << rule.name << ": " << text;
    }
  }
}

TEST(ChunkingTest, ChunksArePiecesOfTheTextInItsOrderAndOfWholeCodePoints) {
  std::mt19937 random(1);
  std::vector<Chunking> rules = invariant_rules();
  rules.push_back(Chunking::delta());
  for (int round = 0; round < 500; ++round) {
    const std::string text = random_text(random);
    for (const Chunking& rule : rules) {
      std::size_t last = 0;
      for (const TextChunk& chunk : cut(rule, sliced(text, random))) {
        ASSERT_FALSE(chunk.text.empty());
        ASSERT_LE(chunk.text.size(), rule.longest);
        ASSERT_TRUE(is_utf8(chunk.text)) << rule.name;
        ASSERT_GE(chunk.end, last + chunk.text.size());
        ASSERT_EQ(text.substr(chunk.end - chunk.text.size(), chunk.text.size()), chunk.text);
        last = chunk.end;
      }
    }
  }
}

TEST(ChunkingTest, DeltasTogetherAreTheText) {
  std::mt19937 random(2);
  for (int round = 0; round < 500; ++round) {
    const std::string text = random_text(random);
    std::string together;
    for (const std::string& chunk : texts(cut(Chunking::delta(), sliced(text, random))))
      together += chunk;
    ASSERT_EQ(together, text);
  }
}

TEST(ChunkingTest, ATextWithoutEndIsCutAtTheLongestChunk) {
  Chunking rule = Chunking::sentence();
  rule.longest = 8;
  EXPECT_EQ(chunks_of(rule, "abcdefghij. k"), (Chunks{"abcdefgh", "ij.", "k"}));
  EXPECT_EQ(chunks_of(rule, "abcdefü"), (Chunks{"abcdefü"}));
  EXPECT_EQ(chunks_of(rule, "abcdefgü"), (Chunks{"abcdefg", "ü"}));
}

// What was looked at once is not looked at again, however small the pieces are.
TEST(ChunkingTest, ARuleIsToldWhatItHasSeen) {
  std::size_t looked_at = 0;
  Chunking rule{.name = "dash", .find = [&](const Uncut& uncut) -> std::optional<Cut> {
                  looked_at += uncut.text.size() - uncut.seen;
                  const std::size_t at = uncut.text.find('-', uncut.seen);
                  if (at == std::string_view::npos) return std::nullopt;
                  return Cut{.end = at, .next = at + 1};
                }};
  const Chunks bytes(1000, "x");
  EXPECT_EQ(texts(cut(rule, bytes)), (Chunks{std::string(1000, 'x')}));
  EXPECT_EQ(looked_at, 1000U);
  EXPECT_EQ(texts(cut(rule, {"a-", "-b", "-"})), (Chunks{"a", "b"}));
}

TEST(ChunkingTest, ARuleThatCutsWhereItCannotIsRefused) {
  for (const Cut wrong :
       {Cut{.end = 1, .next = 0}, Cut{.begin = 2, .end = 1, .next = 2}, Cut{.end = 1, .next = 9},
        Cut{.end = 2, .next = 1}, Cut{.end = 2, .next = 3}, Cut{.end = 1, .next = 2}}) {
    Chunker chunker({.name = "odd", .find = [&](const Uncut&) { return wrong; }});
    chunker.add("aü!");
    EXPECT_THROW(chunker.next(), Error) << wrong.begin << wrong.end << wrong.next;
  }
}

TEST(ChunkingTest, ARuleIsKnownByItsName) {
  for (const std::string_view name : {"delta", "word", "sentence", "paragraph", "line"})
    EXPECT_EQ(Chunking::named(name).name, name);
  try {
    Chunking::named("sentense");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::invalid_request);
    EXPECT_STREQ(error.what(), "unknown chunking \"sentense\": did you mean \"sentence\"?");
  }
}

TEST(ChunkingTest, AChunkingWithoutARuleIsRefused) {
  EXPECT_THROW(Chunker({.name = "none"}), Error);
  Chunking tiny = Chunking::word();
  tiny.longest = 3;
  EXPECT_THROW(Chunker{tiny}, Error);
}

}  // namespace
}  // namespace mellea
