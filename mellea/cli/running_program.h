// The program mellea as a process, for tests.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/core/descriptor.h"

namespace mellea::cli {

struct Ended {
  int code = 0;  // of the exit; 128 + n where a signal ended it
  std::string out{};
  std::string err{};
};

// A terminal, from the side of who sits at it.
class Terminal {
 public:
  Terminal();

  int device() const noexcept { return device_.get(); }  // for a program
  void type(std::string_view keys) const;
  // Blocks until it shows `text`, after what was waited for before. Returns false if nothing more
  // can come.
  bool shows(std::string_view text);
  // All that it has shown.
  const std::string& screen() const noexcept { return screen_; }

 private:
  Descriptor user_;
  Descriptor device_;
  std::string screen_;
  std::size_t waited_for_ = 0;  // bytes of screen_
};

// Starts at once, with a clean environment and, but for `input`, an empty standard input.
class RunningProgram {
 public:
  struct Options {
    std::map<std::string, std::string> environment{};
    std::string input{};
    // A descriptor, for standard input, output and error; a terminal sends it Ctrl-C, too.
    int device = -1;
    std::string folder{};
  };

  explicit RunningProgram(const std::vector<std::string>& arguments, Options options);
  explicit RunningProgram(const std::vector<std::string>& arguments)
      : RunningProgram(arguments, Options{}) {}
  ~RunningProgram();
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;

  // Blocks until standard output has `text`. Returns false if it ends without.
  bool prints(std::string_view text);
  void signal(int number) const;
  void close_output();  // as the reader of a pipe that leaves
  Ended wait();

 private:
  bool read_some();

  Descriptor output_;   // its standard output; nothing comes with a device
  Descriptor error_;    // a file of its own
  pid_t process_ = -1;  // -1: it has ended
  std::string out_;
};

}  // namespace mellea::cli
