// The program tests/local/fake_llama_server, and what it tells.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "mellea/core/folder_for_test.h"
#include "mellea/backends/gguf_for_test.h"
#include "mellea/core/descriptor.h"

namespace mellea {

// A process that somebody else started.
class WatchedProcess {
 public:
  explicit WatchedProcess(pid_t id)
      : id_(id), handle_(static_cast<int>(::syscall(SYS_pidfd_open, id, 0))) {}

  pid_t id() const noexcept { return id_; }
  void kill() const { ::kill(id_, SIGKILL); }
  // False if it still runs after ten seconds.
  bool ends() const {
    if (!handle_) return errno == ESRCH;
    pollfd look{.fd = handle_.get(), .events = POLLIN, .revents = 0};
    return ::poll(&look, 1, 10'000) == 1;
  }
  bool runs() const {
    pollfd look{.fd = handle_.get(), .events = POLLIN, .revents = 0};
    return handle_ && ::poll(&look, 1, 0) == 0;
  }

 private:
  pid_t id_;
  Descriptor handle_;
};

class FakeLlama {
 public:
  FakeLlama() {
    GgufForTest().uint32("llama.context_length", 4096).write(model());
    for (const std::string& fifo : {told(), healthy()})
      if (::mkfifo(fifo.c_str(), 0600) != 0) throw std::runtime_error("mkfifo");
    told_ = Descriptor(::open(told().c_str(), O_RDWR | O_CLOEXEC));
  }

  static std::string program() { return MELLEA_FAKE_LLAMA_SERVER; }
  std::string model() const { return in_folder("m.gguf"); }
  std::string log() const { return in_folder("llama.log"); }
  std::string runs() const { return in_folder("runs"); }
  std::string told() const { return in_folder("told"); }
  std::string healthy() const { return in_folder("healthy"); }
  std::string in_folder(const char* name) const { return (folder_.path() / name).string(); }

  // What the program is to be told, beside where its runs are counted and it tells of itself.
  std::vector<std::string> arguments(const std::vector<std::string>& words) const {
    std::vector<std::string> all{"--fake=tell=" + told(), "--fake=runs=" + runs()};
    for (const std::string& word : words) all.push_back("--fake=" + word);
    return all;
  }

  // The next line that it tells; empty if none comes within ten seconds.
  std::string line() {
    for (;;) {
      if (const auto end = text_.find('\n'); end != text_.npos) {
        const std::string line = text_.substr(0, end);
        text_.erase(0, end + 1);
        return line;
      }
      std::array<char, 1024> buffer;
      pollfd look{.fd = told_.get(), .events = POLLIN, .revents = 0};
      if (::poll(&look, 1, 10'000) != 1) return "";
      const ssize_t got = ::read(told_.get(), buffer.data(), buffer.size());
      text_.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }
  bool told_nothing() const {
    pollfd look{.fd = told_.get(), .events = POLLIN, .revents = 0};
    return text_.empty() && ::poll(&look, 1, 0) == 0;
  }
  // The process of the run that begins next.
  WatchedProcess next_run() {
    std::istringstream words(line());
    std::string run;
    int number = 0;
    pid_t process = 0;
    words >> run >> number >> process;
    EXPECT_EQ(run, "run");
    return WatchedProcess(process);
  }
  // For the word "healthy".
  void let_be_healthy() const { std::ofstream(healthy()) << "now\n"; }

 private:
  const FolderForTest folder_;
  Descriptor told_;
  std::string text_;  // that was told and not asked for yet
};

}  // namespace mellea
