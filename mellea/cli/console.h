// Standard output, which has the result and nothing else, and standard error, which has the rest.
#pragma once

#include <exception>
#include <mutex>
#include <string>
#include <string_view>

namespace mellea::cli {

enum class Colour { automatic, always, never };

struct ConsoleOptions {
  bool quiet = false;
  bool verbose = false;
  Colour colour = Colour::automatic;
};

// Standard output takes no more: the reader of the pipe has gone, or the disk is full.
class OutputLost : public std::exception {
 public:
  explicit OutputLost(int reason) : reason_(reason) {}
  int reason() const noexcept { return reason_; }  // as errno
  const char* what() const noexcept override { return "standard output takes no more"; }

 private:
  int reason_;
};

// What can be drawn on a stream.
struct Canvas {
  int width = 100;  // columns
  bool utf8 = true;
  bool colour = false;
};

// Any thread may call anything; lines do not mix.
class Console {
 public:
  explicit Console(ConsoleOptions options = {});
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  // A piece of the result, at once. On a terminal without the control characters that a model may
  // have put into it. Throws OutputLost.
  void write(std::string_view text);
  // Ends the line of the result, if it has begun one.
  void end_line();

  void fail(std::string_view line);    // why the program does not do what it was asked
  void warn(std::string_view line);    // not with --quiet
  void detail(std::string_view line);  // with --verbose alone
  // Several lines that were asked for, to standard error.
  void show(std::string_view text);

  bool verbose() const noexcept { return options_.verbose; }
  bool output_is_terminal() const noexcept { return output_is_terminal_; }
  bool error_is_terminal() const noexcept { return error_is_terminal_; }
  Canvas output_canvas() const;
  Canvas error_canvas() const;

 private:
  Canvas canvas(int stream, bool is_terminal) const;
  void to_error(std::string_view text);

  const ConsoleOptions options_;
  const bool output_is_terminal_;
  const bool error_is_terminal_;
  std::mutex mutex_;
  bool in_line_ = false;  // guarded by mutex_; the result's last line has no end yet
};

// `text` without control characters but tab and newline: what is left can't command a terminal.
std::string harmless(std::string_view text);

}  // namespace mellea::cli
