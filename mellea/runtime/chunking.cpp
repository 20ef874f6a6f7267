#include "mellea/runtime/chunking.h"

#include <algorithm>
#include <array>
#include <utility>

#include "mellea/core/error.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

constexpr std::size_t kLongestCodePoint = 4;

bool continues_code_point(char byte) noexcept {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

// How many bytes a code point has that begins with this one; 1 where none does.
std::size_t size_of_code_point(char first) noexcept {
  const auto byte = static_cast<unsigned char>(first);
  return byte < 0xC2 || byte > 0xF4 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

// Without a code point at the end that is still to be completed.
std::string_view whole_code_points(std::string_view text) noexcept {
  std::size_t back = 1;
  while (back < std::min(kLongestCodePoint, text.size()) &&
         continues_code_point(text[text.size() - back]))
    ++back;
  if (text.empty() || size_of_code_point(text[text.size() - back]) <= back) return text;
  return text.substr(0, text.size() - back);
}

// At most `count` bytes, without a part of a code point at the end.
std::string_view first_bytes(std::string_view text, std::size_t count) noexcept {
  if (text.size() <= count) return text;
  std::size_t end = count;
  while (end > count - (kLongestCodePoint - 1) && continues_code_point(text[end])) --end;
  return text.substr(0, end);
}

// How many bytes the blank at `at` has, after White_Space of Unicode; 0 if there is none.
std::size_t blank(std::string_view text, std::size_t at) noexcept {
  const auto byte = [&](std::size_t place) {
    return place < text.size() ? static_cast<unsigned char>(text[place]) : 0U;
  };
  const unsigned first = byte(at);
  const unsigned second = byte(at + 1);
  const unsigned third = byte(at + 2);
  if (first == ' ' || (first >= '\t' && first <= '\r')) return 1;
  if (first == 0xC2) return second == 0x85 || second == 0xA0 ? 2 : 0;
  const bool wide =
      (first == 0xE1 && second == 0x9A && third == 0x80) ||
      (first == 0xE2 && second == 0x80 &&
       ((third >= 0x80 && third <= 0x8A) || third == 0xA8 || third == 0xA9 || third == 0xAF)) ||
      (first == 0xE2 && second == 0x81 && third == 0x9F) ||
      (first == 0xE3 && second == 0x80 && third == 0x80);
  return wide ? 3 : 0;
}

std::size_t blanks_at_front(std::string_view text) noexcept {
  std::size_t end = 0;
  while (const std::size_t size = blank(text, end)) end += size;
  return end;
}

std::string_view without_blanks_at_end(std::string_view text) noexcept {
  std::size_t end = 0;  // behind the last that is no blank
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = blank(text, at);
    at += size == 0 ? 1 : size;
    if (size == 0) end = at;
  }
  return text.substr(0, end);
}

Cut chunk_until(std::size_t end, std::size_t next) { return {.end = end, .next = next}; }
Cut leave_out(std::size_t size) { return {.next = size}; }

// Where to look on, if what was seen may end in the first `back` bytes of what is looked for.
std::size_t look_from(const Uncut& uncut, std::size_t back) noexcept {
  return uncut.seen - std::min(uncut.seen, back);
}

std::optional<Cut> find_delta(const Uncut& uncut) {
  return chunk_until(uncut.text.size(), uncut.text.size());
}

std::optional<Cut> find_word(const Uncut& uncut) {
  if (const std::size_t size = blanks_at_front(uncut.text)) return leave_out(size);
  for (std::size_t at = uncut.seen; at < uncut.text.size(); ++at)
    if (const std::size_t size = blank(uncut.text, at)) return chunk_until(at, at + size);
  return std::nullopt;
}

// How many bytes a quotation mark or a bracket has that may close a sentence.
std::size_t closing_mark(std::string_view text) noexcept {
  for (const std::string_view mark : {"\"", "'", ")", "”", "’"})
    if (text.starts_with(mark)) return mark.size();
  return 0;
}

std::optional<Cut> find_sentence(const Uncut& uncut) {
  const std::string_view text = uncut.text;
  if (const std::size_t size = blanks_at_front(text)) return leave_out(size);
  for (std::size_t at = look_from(uncut, 4);; ++at) {
    at = text.find_first_of(".!?", at);
    if (at == std::string_view::npos) break;
    const std::size_t end = at + 1 + closing_mark(text.substr(at + 1));
    if (const std::size_t size = blank(text, end)) return chunk_until(end, end + size);
  }
  if (!uncut.whole) return std::nullopt;
  return chunk_until(without_blanks_at_end(text).size(), text.size());
}

// How many bytes the line break at the front has; 0 if there is none.
std::size_t line_break(std::string_view text) noexcept {
  return text.starts_with('\n') ? 1 : text.starts_with("\r\n") ? 2 : 0;
}

// The end of a line whose \n is at `at`.
std::size_t end_of_line(std::string_view text, std::size_t at) noexcept {
  return at > 0 && text[at - 1] == '\r' ? at - 1 : at;
}

std::optional<Cut> find_paragraph(const Uncut& uncut) {
  const std::string_view text = uncut.text;
  if (const std::size_t size = line_break(text)) return leave_out(size);
  for (std::size_t at = look_from(uncut, 2);; ++at) {
    at = text.find('\n', at);
    if (at == std::string_view::npos) return std::nullopt;
    if (const std::size_t size = line_break(text.substr(at + 1)))
      return chunk_until(end_of_line(text, at), at + 1 + size);
  }
}

std::optional<Cut> find_line(const Uncut& uncut) {
  const std::size_t at = uncut.text.find('\n', uncut.seen);
  if (at == std::string_view::npos) return std::nullopt;
  return chunk_until(end_of_line(uncut.text, at), at + 1);
}

}  // namespace

Chunking Chunking::delta() { return {.name = "delta", .find = find_delta}; }
Chunking Chunking::word() { return {.name = "word", .find = find_word}; }
Chunking Chunking::sentence() { return {.name = "sentence", .find = find_sentence}; }
Chunking Chunking::paragraph() { return {.name = "paragraph", .find = find_paragraph}; }
Chunking Chunking::line() { return {.name = "line", .find = find_line}; }

Chunking Chunking::named(std::string_view name) {
  for (const Chunking& known : {delta(), word(), sentence(), paragraph(), line()})
    if (known.name == name) return known;
  static constexpr std::array<std::string_view, 5> kNames{"delta", "word", "sentence", "paragraph",
                                                          "line"};
  throw Error(Errc::invalid_request,
              "unknown chunking \"" + one_line(name) + '"' + did_you_mean(name, kNames));
}

Chunker::Chunker(Chunking chunking) : chunking_(std::move(chunking)) {
  if (!chunking_.find || chunking_.longest < kLongestCodePoint)
    throw Error(Errc::invalid_request, "a chunking needs a rule, and chunks of 4 bytes or more");
}

void Chunker::add(std::string_view text) {
  pending_.erase(0, taken_);
  before_ += std::exchange(taken_, 0);
  pending_ += text;
}

std::optional<TextChunk> Chunker::next() {
  for (;;) {
    const std::string_view rest = std::string_view(pending_).substr(taken_);
    const std::string_view known = ended_ ? rest : whole_code_points(rest);
    const bool full = known.size() >= chunking_.longest;
    const bool whole = ended_ && !full;
    const std::string_view text = full ? first_bytes(known, chunking_.longest) : known;
    if (text.empty() || (text.size() <= seen_ && !full && !whole)) return std::nullopt;
    std::optional<Cut> cut =
        chunking_.find({.text = text, .seen = std::min(seen_, text.size()), .whole = whole});
    if (!cut && !full && !whole) {
      seen_ = text.size();
      return std::nullopt;
    }
    if (!cut) cut = chunk_until(text.size(), text.size());
    check(*cut, text);
    TextChunk chunk{.text = std::string(text.substr(cut->begin, cut->end - cut->begin)),
                    .end = before_ + taken_ + cut->end};
    taken_ += cut->next;
    seen_ = 0;
    if (!chunk.text.empty()) return chunk;
  }
}

void Chunker::check(const Cut& cut, std::string_view text) const {
  const auto between_code_points = [&](std::size_t at) {
    return at == 0 || at == text.size() || !continues_code_point(text[at]);
  };
  const bool in_order =
      cut.begin <= cut.end && cut.end <= cut.next && cut.next > 0 && cut.next <= text.size();
  if (!in_order || !between_code_points(cut.begin) || !between_code_points(cut.end) ||
      !between_code_points(cut.next))
    throw Error(Errc::invalid_request, "chunking \"" + std::string(chunking_.name) +
                                           "\": cuts where there is no text, or a code point");
}

}  // namespace mellea
