// Newline-delimited JSON, as Ollama streams it: bytes in, lines out, no I/O.
//
//   parser.feed(bytes);
//   for (std::string_view line; parser.next(line);) use(line);
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mellea {

// Takes a stream however it was cut on the wire and gives its lines, each as soon as it is whole,
// without the blanks around them; blank lines are left out. What is in a line is not looked at. A
// line that came in one piece is not copied.
class NdjsonParser {
 public:
  explicit NdjsonParser(std::size_t max_line = 16U << 20U) : max_line_(max_line) {}

  // Only after next() has returned false; `bytes` must then live until it does so again.
  void feed(std::string_view bytes) noexcept { input_ = bytes; }

  // False once all that was fed is used up. A line is good until the next call. Throws Error
  // (parse_error) when a line is over `max_line` bytes.
  bool next(std::string_view& line);

  // The stream has ended, and next() has returned false: gives the last line, if there is one that
  // no newline ended.
  bool finish(std::string_view& line);

 private:
  void check_size(std::size_t bytes) const;

  const std::size_t max_line_;
  std::string_view input_{};        // what is not used yet of the bytes fed
  std::string beginning_{};         // a line's, that came with earlier bytes
  bool beginning_is_used_ = false;  // it was given out as a line, and is to be cleared
  bool at_start_ = true;            // where a byte order mark may stand
};

}  // namespace mellea
