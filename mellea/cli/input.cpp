#include "mellea/cli/input.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "mellea/cli/exit_code.h"
#include "mellea/core/descriptor.h"
#include "mellea/core/text.h"

namespace mellea::cli {
namespace {

std::string reason(int number) { return std::generic_category().message(number); }

// Appends what one read() gives. Returns false at the end.
bool read_some(int from, std::string& text, const std::string& what) {
  std::array<char, 65'536> buffer;
  ssize_t count = 0;
  do count = ::read(from, buffer.data(), buffer.size());
  while (count < 0 && errno == EINTR);
  if (count < 0) throw UsageError(what + ": " + reason(errno));
  text.append(buffer.data(), static_cast<std::size_t>(count));
  return count > 0;
}

std::string read_all(int from, const std::string& what, std::size_t largest) {
  std::string text;
  while (read_some(from, text, what))
    if (text.size() > largest)
      throw UsageError(what + ": more than " + std::to_string(largest >> 20U) + " MiB");
  return text;
}

}  // namespace

std::string read_file(std::string_view flag, const std::string& path, std::size_t largest) {
  const std::string what = std::string(flag) + ' ' + one_line(path);
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) throw UsageError(what + ": " + reason(errno));
  return read_all(file.get(), what, largest);
}

std::string read_input() {
  constexpr std::size_t kLargest = 64U << 20U;
  return read_all(STDIN_FILENO, "standard input", kLargest);
}

bool input_is_terminal() { return ::isatty(STDIN_FILENO) == 1; }

void require_utf8(std::string_view what, std::string_view text) {
  if (!is_utf8(text))
    throw UsageError(std::string(what) + " is not UTF-8: convert it first, with iconv");
}

std::string compose_prompt(const std::optional<std::string>& prompt, std::string input) {
  while (input.ends_with('\n')) input.pop_back();
  std::string text = prompt.value_or("");
  if (!text.empty() && !input.empty()) text += "\n\n";
  text += input;
  if (text.empty()) throw UsageError("no prompt: pass one, or write it to standard input");
  require_utf8("the prompt", text);
  return text;
}

TypedLines::Ended TypedLines::next(std::string& line, int interrupted) {
  for (;;) {
    if (const std::size_t end = unread_.find('\n'); end != std::string::npos) {
      line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return Ended::line;
    }
    std::array<pollfd, 2> waited{{{interrupted, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}}};
    if (::poll(waited.data(), waited.size(), -1) < 0) continue;
    if (waited[0].revents != 0) return Ended::interrupted;
    if (!read_some(STDIN_FILENO, unread_, "standard input")) return Ended::input;
  }
}

}  // namespace mellea::cli
