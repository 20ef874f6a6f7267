// JSON that fits into a bound and stays JSON: what gives way are its texts.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mellea::telemetry {

// An array or an object, put together piece by piece. Texts that do not fit end in "...", the
// longest first; where even that does not help, whole elements are left out. Used by one thread.
class BoundedJson {
 public:
  enum class Dropped { first, last };  // which elements go where there are too many
  struct Style {
    std::string_view begin = "[";
    std::string_view separator = ",";
    std::string_view end = "]";
    bool ascii = false;  // what is not ASCII is escaped
    Dropped dropped = Dropped::last;
  };

  explicit BoundedJson(const Style& style) : style_(style) {}

  // What follows, up to the next, is one element, or one member of an object.
  void begin_element() { elements_.emplace_back(); }
  void structure(std::string_view json);  // stays as it is
  void text(std::string text);            // valid UTF-8; becomes a string
  // Any JSON, whole; where that is too long, a string with the beginning of it.
  void value(std::string json);

  bool empty() const noexcept { return elements_.empty(); }
  std::string str(std::size_t most) const;  // in bytes; the empty array or object is always there

 private:
  struct Piece {
    enum class Kind { structure, text, value };
    Kind kind = Kind::structure;
    std::string text{};
    std::size_t size = 0;  // bytes on the wire, if it stands there whole
  };
  struct Element {
    std::vector<Piece> pieces{};
    std::size_t least = 0;  // bytes, with all texts as short as can be
  };

  void add(Piece piece, std::size_t least);
  std::size_t longest_text(const Element* begin, const Element* end, std::size_t room) const;
  void write(std::string& json, const Piece& piece, std::size_t longest) const;

  const Style style_;
  std::vector<Element> elements_;
};

// `text`, which is valid UTF-8, as a JSON string.
void append_quoted(std::string& json, std::string_view text, bool ascii);

}  // namespace mellea::telemetry
