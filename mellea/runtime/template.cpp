#include "mellea/runtime/template.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "mellea/core/error.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

constexpr std::string_view kOpen = "{{";
constexpr std::string_view kClose = "}}";

[[noreturn]] void refuse(std::string_view what, const std::string& why) {
  throw Error(Errc::invalid_request, std::string(what) + ": " + why);
}

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return c == '_' || c == '-' || c == '.' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') || c >= 0x80;
  });
}

[[noreturn]] void refuse_missing(std::string_view name, const Variables& variables,
                                 std::string_view what) {
  std::string known;
  std::vector<std::string_view> names;
  for (const auto& [one, value] : variables) {
    known.append(known.empty() ? " (known: " : ", ").append(one);
    names.push_back(one);
  }
  if (!known.empty()) known += ')';
  refuse(what,
         "{{" + one_line(name, 60) + "}}: no such variable" + known + did_you_mean(name, names));
}

// Where the braces that close at `from` begin; npos if there are none. In a literal they close
// nothing.
std::size_t find_close(std::string_view text, std::size_t from) {
  const std::size_t first = text.find_first_not_of(" \t\r\n", from);
  if (first != text.npos && text[first] == '"') {
    const std::size_t quote = text.find('"', first + 1);
    return quote == text.npos ? text.npos : text.find(kClose, quote);
  }
  return text.find(kClose, from);
}

// What stands between the ends of two others: text, a literal or a variable.
struct Piece {
  std::string_view text{};     // as it is, before the braces
  std::string_view literal{};  // what the braces stand for themselves
  Placeholder placeholder{};   // no name and no fault: there is none
};

// Takes the next piece off the front of `text`; `at` is where in the whole.
Piece next_piece(std::string_view& text, std::size_t at) {
  const std::size_t open = text.find(kOpen);
  Piece piece{.text = text.substr(0, open)};
  if (open == text.npos) {
    text = {};
    return piece;
  }
  piece.placeholder.at = at + open;
  const std::size_t begin = open + kOpen.size();
  const std::size_t end = find_close(text, begin);
  if (end == text.npos) {
    piece.placeholder.fault = R"("{{" is not closed by "}}"; {{"{{"}} stands for two braces)";
    text = {};
    return piece;
  }
  const std::string_view inside = trimmed(text.substr(begin, end - begin));
  if (inside.size() > 1 && inside.starts_with('"') && inside.ends_with('"'))
    piece.literal = inside.substr(1, inside.size() - 2);
  else if (is_name(inside))
    piece.placeholder.name = inside;
  else
    piece.placeholder.fault = "{{" + one_line(inside, 60) +
                              R"(}} holds no name of a variable; {{"{{"}} stands for two braces)";
  text.remove_prefix(end + kClose.size());
  return piece;
}

}  // namespace

std::string fill(std::string_view text, const Variables& variables, std::string_view what) {
  std::string filled;
  while (!text.empty()) {
    const Piece piece = next_piece(text, 0);
    filled.append(piece.text).append(piece.literal);
    const auto& [at, name, fault] = piece.placeholder;
    if (!fault.empty()) refuse(what, fault);
    if (name.empty()) continue;
    const auto value = variables.find(name);
    if (value == variables.end()) refuse_missing(name, variables, what);
    filled += value->second;
  }
  return filled;
}

std::vector<Placeholder> placeholders(std::string_view text) {
  std::vector<Placeholder> all;
  const std::size_t size = text.size();
  while (!text.empty()) {
    Piece piece = next_piece(text, size - text.size());
    if (piece.placeholder.name.empty() && piece.placeholder.fault.empty()) continue;
    all.push_back(std::move(piece.placeholder));
  }
  return all;
}

}  // namespace mellea
