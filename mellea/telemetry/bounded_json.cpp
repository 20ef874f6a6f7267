#include "mellea/telemetry/bounded_json.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

namespace mellea::telemetry {
namespace {

constexpr std::string_view kMore = "...";
constexpr std::size_t kQuotes = 2;
constexpr std::size_t kShortest = kMore.size() + kQuotes;

// Takes the code point at the front of valid UTF-8.
std::uint32_t take_code_point(std::string_view& text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const std::uint32_t first = byte(0);
  const std::size_t size = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  std::uint32_t point = size == 1 ? first : first & (0x7FU >> size);
  for (std::size_t at = 1; at < size; ++at) point = point << 6U | (byte(at) & 0x3FU);
  text.remove_prefix(size);
  return point;
}

void append_unit(std::string& json, std::uint32_t unit) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  json += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) json += kDigits[unit >> shift & 0xFU];
}

// The code point at the front as it stands in a JSON string; it is taken.
void append_escaped(std::string& json, std::string_view& text, bool ascii) {
  const std::string_view whole = text;
  const std::uint32_t point = take_code_point(text);
  switch (point) {
    case '"': json += "\\\""; return;
    case '\\': json += "\\\\"; return;
    case '\b': json += "\\b"; return;
    case '\f': json += "\\f"; return;
    case '\n': json += "\\n"; return;
    case '\r': json += "\\r"; return;
    case '\t': json += "\\t"; return;
    default: break;
  }
  if (point >= 0x20 && !(ascii && point >= 0x7F)) {
    json += whole.substr(0, whole.size() - text.size());
  } else if (point < 0x10000) {
    append_unit(json, point);
  } else {
    append_unit(json, 0xD800 + ((point - 0x10000) >> 10U));
    append_unit(json, 0xDC00 + ((point - 0x10000) & 0x3FFU));
  }
}

// As much of `text` as `longest` bytes have room for, the quotes included.
void append_cut(std::string& json, std::string_view text, bool ascii, std::size_t longest) {
  const std::size_t limit = json.size() + longest - kMore.size() - 1;
  json += '"';
  while (!text.empty()) {
    const std::size_t before = json.size();
    append_escaped(json, text, ascii);
    if (json.size() <= limit) continue;
    json.resize(before);
    break;
  }
  json.append(kMore).append("\"");
}

std::size_t quoted_size(std::string_view text, bool ascii) {
  std::size_t size = kQuotes;
  std::string one;
  while (!text.empty()) {
    one.clear();
    append_escaped(one, text, ascii);
    size += one.size();
  }
  return size;
}

}  // namespace

void append_quoted(std::string& json, std::string_view text, bool ascii) {
  json += '"';
  while (!text.empty()) append_escaped(json, text, ascii);
  json += '"';
}

void BoundedJson::structure(std::string_view json) {
  add({.kind = Piece::Kind::structure, .text = std::string(json), .size = json.size()},
      json.size());
}

void BoundedJson::text(std::string text) {
  const std::size_t size = quoted_size(text, style_.ascii);
  add({.kind = Piece::Kind::text, .text = std::move(text), .size = size},
      std::min(size, kShortest));
}

void BoundedJson::value(std::string json) {
  const std::size_t size = json.size();
  add({.kind = Piece::Kind::value, .text = std::move(json), .size = size},
      std::min(size, kShortest));
}

void BoundedJson::add(Piece piece, std::size_t least) {
  Element& element = elements_.back();
  element.least += least;
  element.pieces.push_back(std::move(piece));
}

std::string BoundedJson::str(std::size_t most) const {
  const Element* begin = elements_.data();
  const Element* end = begin + elements_.size();
  const std::size_t frame = style_.begin.size() + style_.end.size();
  std::size_t least = frame;
  for (const Element& element : elements_) least += element.least + style_.separator.size();
  // The last has no separator, which `least` counts all the same: a bound has room for that.
  for (; least > most && begin != end; least -= style_.separator.size())
    least -= (style_.dropped == Dropped::first ? begin++ : --end)->least;

  const std::size_t count = static_cast<std::size_t>(end - begin);
  const std::size_t taken = frame + count * style_.separator.size();
  const std::size_t longest = longest_text(begin, end, most - std::min(most, taken));
  std::string json(style_.begin);
  for (const Element* element = begin; element != end; ++element) {
    if (element != begin) json += style_.separator;
    for (const Piece& piece : element->pieces) write(json, piece, longest);
  }
  return json.append(style_.end);
}

// So many bytes may each text have that all pieces fit into `room`: the short ones leave theirs to
// the long ones.
std::size_t BoundedJson::longest_text(const Element* begin, const Element* end,
                                      std::size_t room) const {
  std::vector<std::size_t> sizes;
  for (const Element* element = begin; element != end; ++element)
    for (const Piece& piece : element->pieces)
      if (piece.kind == Piece::Kind::structure)
        room -= piece.size;
      else
        sizes.push_back(piece.size);
  std::sort(sizes.begin(), sizes.end());
  for (std::size_t at = 0; at < sizes.size(); ++at) {
    const std::size_t share = room / (sizes.size() - at);
    if (sizes[at] > share) return share;
    room -= sizes[at];
  }
  return std::numeric_limits<std::size_t>::max();
}

void BoundedJson::write(std::string& json, const Piece& piece, std::size_t longest) const {
  if (piece.kind == Piece::Kind::structure ||
      (piece.kind == Piece::Kind::value && piece.size <= longest))
    json += piece.text;
  else if (piece.size <= longest)
    append_quoted(json, piece.text, style_.ascii);
  else
    append_cut(json, piece.text, style_.ascii, longest);
}

}  // namespace mellea::telemetry
