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

// Starts at once, with a clean environment and, but for `input`, an empty standard input.
class RunningProgram {
 public:
  struct Options {
    std::map<std::string, std::string> environment{};
    std::string input{};
    int device = -1;  // a descriptor, for standard input, output and error
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
