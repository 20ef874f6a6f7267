// What the program reads: files and standard input.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace mellea::cli {

// Throws UsageError that begins with `flag`.
std::string read_file(std::string_view flag, const std::string& path, std::size_t largest);

// All of standard input. Throws UsageError if it is too large.
std::string read_input();
bool input_is_terminal();

// Prompt, blank line, input; or the one that there is. Throws UsageError if there is neither, or
// it is not UTF-8.
std::string compose_prompt(const std::optional<std::string>& prompt, std::string input);

// Throws UsageError for what no provider takes.
void require_utf8(std::string_view what, std::string_view text);

// The lines that are typed on a terminal.
class TypedLines {
 public:
  enum class Ended { line, input, interrupted };

  // Blocks for the next line, without its end; or until `interrupted` is readable.
  Ended next(std::string& line, int interrupted);

 private:
  std::string unread_;
};

}  // namespace mellea::cli
