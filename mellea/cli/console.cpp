#include "mellea/cli/console.h"

#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace mellea::cli {
namespace {

// Returns 0, or what errno says.
int write_all(int stream, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(stream, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN) {  // somebody else made it non-blocking
      pollfd ready{.fd = stream, .events = POLLOUT, .revents = 0};
      ::poll(&ready, 1, -1);
      continue;
    }
    if (written < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

bool locale_is_utf8() {
  const locale_t locale = ::newlocale(LC_CTYPE_MASK, "", nullptr);
  if (locale == nullptr) return false;
  const bool utf8 = std::string_view(::nl_langinfo_l(CODESET, locale)) == "UTF-8";
  ::freelocale(locale);
  return utf8;
}

int width_of(int stream) {
  constexpr int kNotATerminal = 100;
  constexpr int kWidest = 120;  // bars get no clearer from being longer
  winsize size{};
  if (::ioctl(stream, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kNotATerminal;
  return std::min<int>(size.ws_col, kWidest);
}

bool terminal_has_colours() {
  const char* unwanted = std::getenv("NO_COLOR");
  const char* kind = std::getenv("TERM");
  return (unwanted == nullptr || *unwanted == '\0') && kind != nullptr &&
         std::string_view(kind) != "dumb";
}

}  // namespace

std::string harmless(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    const auto next = at + 1 < text.size() ? static_cast<unsigned char>(text[at + 1]) : 0U;
    if (byte == 0xC2 && next >= 0x80 && next < 0xA0)
      ++at;  // U+0080 to U+009F
    else if ((byte >= 0x20 && byte != 0x7F) || byte == '\n' || byte == '\t')
      clean += text[at];
  }
  return clean;
}

Console::Console(ConsoleOptions options)
    : options_(options),
      output_is_terminal_(::isatty(STDOUT_FILENO) == 1),
      error_is_terminal_(::isatty(STDERR_FILENO) == 1) {}

void Console::write(std::string_view text) {
  if (text.empty()) return;
  const std::lock_guard lock(mutex_);
  const int failure = output_is_terminal_ ? write_all(STDOUT_FILENO, harmless(text))
                                          : write_all(STDOUT_FILENO, text);
  if (failure != 0) throw OutputLost(failure);
  in_line_ = text.back() != '\n';
}

void Console::end_line() {
  const std::lock_guard lock(mutex_);
  if (!in_line_) return;
  in_line_ = false;
  if (const int failure = write_all(STDOUT_FILENO, "\n"); failure != 0) throw OutputLost(failure);
}

void Console::fail(std::string_view line) {
  to_error((error_is_terminal_ ? harmless(line) : std::string(line)) + '\n');
}

void Console::warn(std::string_view line) {
  if (!options_.quiet) fail(line);
}

void Console::detail(std::string_view line) {
  if (options_.verbose) fail(line);
}

void Console::show(std::string_view text) { to_error(text); }

// Standard error that can't be written to has nobody to be told.
void Console::to_error(std::string_view text) {
  const std::lock_guard lock(mutex_);
  // On a terminal a line stands alone, also after half a line of the result.
  const bool apart = in_line_ && output_is_terminal_ && error_is_terminal_;
  std::string whole = apart ? "\n" : "";
  whole += text;
  static_cast<void>(write_all(STDERR_FILENO, whole));
  if (apart) in_line_ = false;
}

Canvas Console::canvas(int stream, bool is_terminal) const {
  const bool automatic = is_terminal && terminal_has_colours();
  return {.width = width_of(stream),
          .utf8 = locale_is_utf8(),
          .colour =
              options_.colour == Colour::automatic ? automatic : options_.colour == Colour::always};
}

Canvas Console::output_canvas() const { return canvas(STDOUT_FILENO, output_is_terminal_); }
Canvas Console::error_canvas() const { return canvas(STDERR_FILENO, error_is_terminal_); }

}  // namespace mellea::cli
