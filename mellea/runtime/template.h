// Prompts that are kept apart from the code, by name and version.
//
//   const mellea::Template haiku{.name = "haiku", .version = "3", .text = "A haiku about
//   {{topic}}."}; session.instruct(mellea::Instruction(haiku, {.variables = {{"topic", "the
//   sea"}}}));
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace mellea {

using Variables = std::map<std::string, std::string, std::less<>>;

// Spans tell which one was used, so that its versions can be compared.
struct Template {
  std::string name{};
  std::string version{};
  std::string text{};
};

// `text` with each {{name}} replaced by the value of that variable; blanks within the braces do not
// matter. A value is put in as it is, whatever braces it has. {{"text"}} is the text: {{"{{"}} is
// how to say two braces.
//
// Throws Error (Errc::invalid_request), which begins with `what`, where a variable is missing, or
// between the braces is no name: letters, digits, '_', '-' and '.'.
std::string fill(std::string_view text, const Variables& variables, std::string_view what);

// A variable that a text names, or what should be one.
struct Placeholder {
  std::size_t at = 0;   // of its first brace, in bytes
  std::string name{};   // empty: there is none
  std::string fault{};  // what fill() would throw for the braces themselves; empty: nothing
};
// Those of `text`, in their order; after braces that are not closed there are none.
std::vector<Placeholder> placeholders(std::string_view text);

}  // namespace mellea
