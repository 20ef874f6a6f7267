#include "mellea/core/child_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "mellea/core/error.h"
#include "mellea/core/signals.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

[[noreturn]] void fail(const ProgramStart& start, int reason) {
  const bool missing = reason == ENOENT || reason == ENOTDIR;
  throw Error(missing ? Errc::not_found : Errc::invalid_request,
              start.user + ": " + one_line(start.program, 400) +
                  ": can't be started: " + std::generic_category().message(reason));
}

[[noreturn]] void fail_folder(const ProgramStart& start, int reason) {
  throw Error(Errc::not_found, start.user + ": " + one_line(start.program, 400) +
                                   ": can't be started in " + one_line(start.folder, 400) + ": " +
                                   std::generic_category().message(reason));
}

// Closed by exec, and none of the three standard ones, even if the host has closed those.
Descriptor apart(int number) {
  const Descriptor given(number);
  return Descriptor(given ? ::fcntl(number, F_DUPFD_CLOEXEC, 3) : -1);
}

// glibc 2.36 declares its own with the wrong linkage for C++.
int pidfd_open(pid_t process) { return static_cast<int>(::syscall(SYS_pidfd_open, process, 0)); }

struct Pipe {
  Descriptor read;
  Descriptor write;

  // Without ends, and errno, if there can be none.
  static Pipe open() {
    std::array<int, 2> ends{-1, -1};
    Pipe pipe;
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return pipe;
    pipe.read = apart(ends[0]);
    pipe.write = apart(ends[1]);
    return pipe;
  }
};

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// What the new process needs on its way to the program.
struct Way {
  pid_t parent;
  int input, output, errors, trouble;
  const char* folder;  // null: the one that we are in
  const char* program;
  char* const* arguments;
  char* const* environment;
};

// What went wrong on the way.
struct Trouble {
  int reason = 0;
  bool folder = false;
};

[[noreturn]] void give_up(const Way& way, Trouble trouble) noexcept {
  static_cast<void>(::write(way.trouble, &trouble, sizeof(trouble)) < 0);
  ::_exit(127);
}

// In the new process, which shares the memory of this one until the program begins: system calls
// only.
[[noreturn]] void become_program(const Way& way) noexcept {
  const bool alone = ::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != way.parent;
  if (alone) ::_exit(127);  // the parent has just ended
  ::setpgid(0, 0);
  struct sigaction by_default {};
  by_default.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &by_default, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::dup2(way.input, STDIN_FILENO);
  ::dup2(way.output, STDOUT_FILENO);
  ::dup2(way.errors, STDERR_FILENO);
  ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  if (way.folder && ::chdir(way.folder) != 0) give_up(way, {.reason = errno, .folder = true});
  ::execve(way.program, way.arguments, way.environment);
  give_up(way, {.reason = errno});
}

}  // namespace

std::vector<std::string> environment_without(std::string_view name) {
  const std::string that = std::string(name) + '=';
  std::vector<std::string> all;
  for (char** variable = ::environ; variable && *variable; ++variable)
    if (!std::string_view(*variable).starts_with(that)) all.emplace_back(*variable);
  return all;
}

ChildProcess::ChildProcess(const ProgramStart& start) {
  std::vector<std::string> words{start.program};
  words.insert(words.end(), start.arguments.begin(), start.arguments.end());
  std::vector<std::string> variables = start.environment;
  const std::vector<char*> arguments = pointers_to(words);
  const std::vector<char*> environment = pointers_to(variables);
  Pipe input, output, errors, trouble;
  if (start.conversation) {
    input = Pipe::open();
    errors = Pipe::open();
  } else {
    input.read = apart(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  }
  output = Pipe::open();
  trouble = Pipe::open();
  if (!input.read || !output.write || !trouble.write || (start.conversation && !errors.write))
    fail(start, errno);
  const Way way{.parent = ::getpid(),
                .input = input.read.get(),
                .output = output.write.get(),
                .errors = start.conversation ? errors.write.get() : output.write.get(),
                .trouble = trouble.write.get(),
                .folder = start.folder.empty() ? nullptr : start.folder.c_str(),
                .program = start.program.c_str(),
                .arguments = arguments.data(),
                .environment = environment.data()};
  {
    const SignalsBlocked blocked;  // no handler of the host's runs in the new process
    id_ = ::vfork();               // a copy of a large host's memory map would take long
    if (id_ == 0) become_program(way);
  }
  if (id_ < 0) fail(start, errno);
  trouble.write = Descriptor();
  Trouble what;
  if (::read(trouble.read.get(), &what, sizeof(what)) == sizeof(what)) {
    ::waitpid(id_, nullptr, 0);
    if (what.folder) fail_folder(start, what.reason);
    fail(start, what.reason);
  }
  handle_ = Descriptor(pidfd_open(id_));
  if (!handle_ && errno == ESRCH) handle_ = Descriptor(::eventfd(1, EFD_CLOEXEC));  // gone already
  if (!handle_) {
    const int no_handle = errno;
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
    fail(start, no_handle);
  }
  input_ = std::move(input.write);
  output_ = std::move(output.read);
  errors_ = std::move(errors.read);
  for (const Descriptor* end : {&input_, &output_, &errors_})
    if (*end) ::fcntl(end->get(), F_SETFL, O_NONBLOCK);
}

ChildProcess::~ChildProcess() {
  if (!handle_) return;
  signal_all(SIGKILL);
  wait();
}

void ChildProcess::signal(int number) const noexcept {
  if (handle_) ::syscall(SYS_pidfd_send_signal, handle_.get(), number, nullptr, 0);
}

void ChildProcess::signal_all(int number) const noexcept {
  const bool there = handle_ && ::syscall(SYS_pidfd_send_signal, handle_.get(), 0, nullptr, 0) == 0;
  if (there) ::kill(-id_, number);  // else its number may be another's by now
}

std::string ChildProcess::wait() {
  const Descriptor handle = std::move(handle_);
  handle_ = Descriptor();
  siginfo_t how{};
  int waited = -1;
  do {
    waited = ::waitid(P_PIDFD, static_cast<id_t>(handle.get()), &how, WEXITED);
  } while (waited != 0 && errno == EINTR);
  if (waited != 0) return "has ended";  // the host has waited for it
  return how.si_code == CLD_EXITED ? "ended with code " + std::to_string(how.si_status)
                                   : "was ended by signal " + std::to_string(how.si_status);
}

}  // namespace mellea
