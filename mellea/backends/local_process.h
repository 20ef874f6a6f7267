// A program that runs beside this process and never outlives it.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "mellea/core/descriptor.h"

namespace mellea {

struct ProgramStart {
  std::string program{};  // its path; no folders are searched
  std::vector<std::string> arguments{};
  std::vector<std::string> environment{};  // "NAME=VALUE", all of it
};

// The environment of this process, but for `name`. Not while another thread changes it.
std::vector<std::string> environment_without(std::string_view name);

// The program has an empty standard input, no signal handled, ignored or blocked, no descriptor of
// ours, and a process group of its own: a Ctrl-C is not for it. The kernel kills it when the
// *thread* that constructed this ends, in whatever way: so that thread must live as long as it. (A
// script that starts the program instead of becoming it, by exec, breaks that.)
//
// Used by one thread at a time. Works beside a host that waits for all children of its process.
class LocalProcess {
 public:
  // Throws Error: Errc::not_found if there is no such program, invalid_request if it is none.
  explicit LocalProcess(const ProgramStart& start);
  ~LocalProcess();  // kills it, if it still runs
  LocalProcess(const LocalProcess&) = delete;
  LocalProcess& operator=(const LocalProcess&) = delete;

  pid_t id() const noexcept { return id_; }
  // A descriptor that is readable once the program has ended.
  int ended() const noexcept { return handle_.get(); }
  // A descriptor, not blocking, with what it prints on standard output and standard error.
  int output() const noexcept { return output_.get(); }
  void signal(int number) const noexcept;
  // Blocks until it has ended, and says how: "ended with code 1", "was ended by signal 9".
  std::string wait();

 private:
  pid_t id_ = -1;
  Descriptor output_;
  Descriptor handle_;  // of the process; none once it was waited for
};

}  // namespace mellea
