// Cutting an answer into chunks while it comes in.
//
//   mellea::Chunker chunker(mellea::Chunking::sentence());
//   chunker.add("Hello there. How a");
//   chunker.next();  // "Hello there."
//   chunker.next();  // nothing yet
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace mellea {

// Where the first chunk of a text is, in bytes.
struct Cut {
  std::size_t begin = 0;  // what is before it is left out
  std::size_t end = 0;    // equal to `begin`: there is no chunk, only something to leave out
  std::size_t next = 0;   // where the rest begins, above 0; what is between is left out
};

// What a rule looks at: what has come and is in no chunk yet, in whole code points.
struct Uncut {
  std::string_view text{};  // never empty
  std::size_t seen = 0;     // in so many bytes at its front the rule found no cut before
  bool whole = false;       // nothing will follow; if no cut is found, all of it is a chunk
};

// A rule. Chunks are pieces of the text as it is, never empty; what is between two of them is left
// out. Any thread may call `find`.
//
// Chunks don't depend on how the text is sliced on its way if a cut, once found, would be found
// just so with more text behind it; so it is with all of these but delta().
struct Chunking {
  std::string_view name{};  // one word; static lifetime
  std::function<std::optional<Cut>(const Uncut&)> find{};
  std::size_t longest = 65'536;  // bytes: a chunk in which no cut is found ends there; at least 4

  // What has come, as it came.
  static Chunking delta();
  // What is between blanks, which are those of Unicode.
  static Chunking word();
  // Up to one of . ! ? with a blank behind it; one of " ' ) ” ’ may be between. Without the blanks
  // around it. "3.14" is not cut, "Dr. Who" is.
  static Chunking sentence();
  // Up to two or more line breaks, which may be CRLF.
  static Chunking paragraph();
  // Without its line break. An empty line is none.
  static Chunking line();

  // By its name. Throws Error (Errc::invalid_request) naming the nearest that there is.
  static Chunking named(std::string_view name);
};

// A chunk, and where in the text.
struct TextChunk {
  std::string text{};
  std::size_t end = 0;  // bytes from the beginning of all text to behind the chunk
};

// Applies a rule to one text. Holds what was added and not taken, and the beginning of one chunk.
// Used by one thread at a time.
class Chunker {
 public:
  // Throws Error (Errc::invalid_request) if there is no rule or `longest` is below 4.
  explicit Chunker(Chunking chunking);

  void add(std::string_view text);
  // Nothing more will be added.
  void end() noexcept { ended_ = true; }
  // The next chunk that is complete; nothing if none is. Throws what the rule throws, and Error
  // (Errc::invalid_request) if it cuts where there is no text or within a code point.
  std::optional<TextChunk> next();

 private:
  void check(const Cut& cut, std::string_view text) const;

  Chunking chunking_;
  std::string pending_;
  std::size_t taken_ = 0;   // bytes of pending_
  std::size_t before_ = 0;  // bytes before pending_
  std::size_t seen_ = 0;    // bytes behind taken_
  bool ended_ = false;
};

}  // namespace mellea
