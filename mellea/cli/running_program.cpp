#include "mellea/cli/running_program.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <stdexcept>

namespace mellea::cli {
namespace {

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// A file in memory, to be read from its beginning.
Descriptor file_with(const std::string& text) {
  Descriptor file(::memfd_create("mellea", MFD_CLOEXEC));
  if (::pwrite(file.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    throw std::runtime_error("memfd");
  return file;
}

std::string content_of(const Descriptor& file) {
  std::string text;
  std::array<char, 4096> buffer;
  for (ssize_t got = 0; (got = ::pread(file.get(), buffer.data(), buffer.size(),
                                       static_cast<off_t>(text.size()))) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(got));
  return text;
}

}  // namespace

Terminal::Terminal() {
  int user = -1;
  int device = -1;
  if (::openpty(&user, &device, nullptr, nullptr, nullptr) != 0) throw std::runtime_error("pty");
  user_ = Descriptor(user);
  device_ = Descriptor(device);
  ::fcntl(user, F_SETFD, FD_CLOEXEC);
  ::fcntl(device, F_SETFD, FD_CLOEXEC);
}

void Terminal::type(std::string_view keys) const {
  if (::write(user_.get(), keys.data(), keys.size()) != static_cast<ssize_t>(keys.size()))
    throw std::runtime_error("pty");
}

bool Terminal::shows(std::string_view text) {
  std::array<char, 1024> buffer;
  std::size_t at = 0;
  while ((at = screen_.find(text, waited_for_)) == std::string::npos) {
    const ssize_t got = ::read(user_.get(), buffer.data(), buffer.size());
    if (got <= 0) return false;
    screen_.append(buffer.data(), static_cast<std::size_t>(got));
  }
  waited_for_ = at + text.size();
  return true;
}

RunningProgram::RunningProgram(const std::vector<std::string>& arguments, Options options)
    : error_(file_with("")) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  output_ = Descriptor(pipe[0]);
  const Descriptor theirs(pipe[1]);
  const Descriptor input = file_with(options.input);

  std::vector<std::string> words{MELLEA_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> variables{"LC_ALL=C.UTF-8", "TERM=xterm"};
  for (const auto& [name, value] : options.environment) variables.push_back(name + '=' + value);
  const std::vector<char*> argv = pointers_to(words);
  const std::vector<char*> envp = pointers_to(variables);
  const bool on_device = options.device >= 0;
  const std::array<int, 3> standard =
      on_device ? std::array{options.device, options.device, options.device}
                : std::array{input.get(), theirs.get(), error_.get()};

  process_ = ::fork();
  if (process_ != 0) return;
  if (on_device) {
    ::setsid();
    ::ioctl(options.device, TIOCSCTTY, 0);  // fails if it is no terminal
  }
  for (int number = 0; number < 3; ++number)
    ::dup2(standard[static_cast<std::size_t>(number)], number);
  if (!options.folder.empty() && ::chdir(options.folder.c_str()) != 0) ::_exit(126);
  ::execve(MELLEA_PROGRAM, argv.data(), envp.data());
  ::_exit(127);
}

RunningProgram::~RunningProgram() {
  if (process_ < 0) return;
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

bool RunningProgram::read_some() {
  std::array<char, 4096> buffer;
  const ssize_t got = ::read(output_.get(), buffer.data(), buffer.size());
  if (got > 0) out_.append(buffer.data(), static_cast<std::size_t>(got));
  return got > 0;
}

bool RunningProgram::prints(std::string_view text) {
  while (out_.find(text) == std::string::npos)
    if (!read_some()) return false;
  return true;
}

void RunningProgram::signal(int number) const { ::kill(process_, number); }

void RunningProgram::close_output() { output_ = Descriptor(); }

Ended RunningProgram::wait() {
  while (output_ && read_some()) {
  }
  int status = 0;
  ::waitpid(process_, &status, 0);
  process_ = -1;
  return {.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          .out = out_,
          .err = content_of(error_)};
}

}  // namespace mellea::cli
