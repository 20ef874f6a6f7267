// Regular expressions, in time linear in the text: RE2's, so without look-around and
// back-references.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace re2 {
class RE2;
}

namespace mellea {

// Not anchored: "rain" is found in "brains". `^` and `$` are the ends of the text, and with (?m) of
// a line. A value: a copy is one reference count. Any thread may match.
class Regex {
 public:
  // Throws Error (Errc::invalid_request): "regex: " and what is wrong.
  explicit Regex(std::string_view pattern);
  // What is wrong with `pattern`, by the name that people know it by; empty: nothing.
  static std::string fault(std::string_view pattern);

  const std::string& pattern() const noexcept;
  bool matches(std::string_view text) const;
  // The first part of `text` that it describes; nothing if none is.
  std::optional<std::string_view> find(std::string_view text) const;

 private:
  std::shared_ptr<const re2::RE2> expression_;  // never null; compiled
};

}  // namespace mellea
