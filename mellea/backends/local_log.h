// What a program printed: in a file of bounded size, and the last lines of it at hand.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "mellea/core/descriptor.h"

namespace mellea {

// Used by one thread at a time.
class LocalLog {
 public:
  // Empty: no file. One that is there is gone on with; only its owner may read it. What would make
  // it longer than `most` bytes begins a new one, and the old one is FILE.1 then. Throws Error
  // (Errc::invalid_request) if it can't be written.
  explicit LocalLog(std::string file, std::size_t most = 1U << 20U);

  void add(std::string_view bytes);
  // From here on last_lines() are of another run of the program.
  void begin_run() { last_.clear(); }
  // The last few lines of this run, as one; empty if there are none.
  std::string last_lines() const;
  // Whether this run printed `text` lately.
  bool has(std::string_view text) const { return last_.find(text) != std::string::npos; }

 private:
  void open();

  const std::string file_;
  const std::size_t most_;
  Descriptor descriptor_;  // of the file; none if there is none
  std::size_t size_ = 0;   // of the file
  std::string last_;       // bytes of this run, not many
};

}  // namespace mellea
