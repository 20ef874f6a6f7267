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
  std::string folder{};                    // where it runs; empty: where this process does
  // It is spoken with: its standard input is a pipe, and its standard error another than its
  // standard output.
  bool conversation = false;
  std::string user{};  // who starts it, for messages: "local"
};

// The environment of this process, but for `name`. Not while another thread changes it.
std::vector<std::string> environment_without(std::string_view name);

// The program has an empty standard input (but see ProgramStart::conversation), no signal handled,
// ignored or blocked, no descriptor of ours, and a process group of its own: a Ctrl-C is not for
// it. The kernel kills it when the *thread* that constructed this ends, in whatever way: so that
// thread must live as long as it. (A script that starts the program instead of becoming it, by
// exec, breaks that.)
//
// Used by one thread at a time. Works beside a host that waits for all children of its process.
class ChildProcess {
 public:
  // Throws Error: Errc::not_found if there is no such program or folder, invalid_request if it is
  // none.
  explicit ChildProcess(const ProgramStart& start);
  ~ChildProcess();  // kills it, if it still runs
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t id() const noexcept { return id_; }
  // A descriptor that is readable once the program has ended.
  int ended() const noexcept { return handle_.get(); }
  // Descriptors, not blocking. What it prints on standard output and, unless that is apart, on
  // standard error.
  int output() const noexcept { return output_.get(); }
  int errors() const noexcept { return errors_.get(); }  // -1: they are in output()
  int input() const noexcept { return input_.get(); }    // -1: it has none, or that was closed
  void close_input() noexcept { input_ = Descriptor(); }

  void signal(int number) const noexcept;
  // To it, and to what it has started that is still in its process group. Not once it has ended and
  // somebody has waited for it.
  void signal_all(int number) const noexcept;
  // Blocks until it has ended, and says how: "ended with code 1", "was ended by signal 9".
  std::string wait();

 private:
  pid_t id_ = -1;
  Descriptor input_;
  Descriptor output_;
  Descriptor errors_;
  Descriptor handle_;  // of the process; none once it was waited for
};

}  // namespace mellea
