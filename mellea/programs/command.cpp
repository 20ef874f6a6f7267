#include "mellea/programs/command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <system_error>

#include "mellea/core/descriptor.h"
#include "mellea/core/error.h"
#include "mellea/core/instant.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

constexpr std::size_t kLongestComplaint = 4'096;  // bytes kept of its standard error

[[noreturn]] void fail(const Command& command, Errc code, const std::string& why) {
  throw Error(code, one_line(command.words.front(), 200) + ": " + why);
}

[[noreturn]] void fail_to_start(const Command& command, int reason) {
  const bool missing = reason == ENOENT || reason == ENOTDIR;
  fail(command, missing ? Errc::not_found : Errc::invalid_request,
       "can't be started: " + std::generic_category().message(reason));
}

// A file in memory, to be read from its beginning: nobody has to feed a pipe.
Descriptor file_with(const Command& command) {
  Descriptor file(::memfd_create("input", MFD_CLOEXEC));
  for (std::string_view rest = command.input; file && !rest.empty();) {
    const ssize_t written = ::write(file.get(), rest.data(), rest.size());
    if (written < 0 && errno != EINTR) fail_to_start(command, errno);
    rest.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
  }
  if (!file || ::lseek(file.get(), 0, SEEK_SET) != 0) fail_to_start(command, errno);
  return file;
}

struct Pipe {
  Descriptor read;
  Descriptor write;
};

Pipe pipe_for(const Command& command) {
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail_to_start(command, errno);
  Pipe pipe{.read = Descriptor(ends[0]), .write = Descriptor(ends[1])};
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return pipe;
}

// What posix_spawn() is to do on the way to the program.
class Way {
 public:
  Way(const Command& command, int input, int output, int complaints) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
    int failed = 0;
    const auto note = [&](int result) { failed = failed == 0 ? result : failed; };
    note(::posix_spawn_file_actions_adddup2(&actions_, input, STDIN_FILENO));
    note(::posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO));
    note(::posix_spawn_file_actions_adddup2(&actions_, complaints, STDERR_FILENO));
    note(::posix_spawn_file_actions_addclosefrom_np(&actions_, 3));
    if (!command.folder.empty())
      note(::posix_spawn_file_actions_addchdir_np(&actions_, command.folder.c_str()));
    sigset_t all;
    sigset_t none;
    ::sigfillset(&all);
    ::sigemptyset(&none);
    note(::posix_spawnattr_setsigdefault(&attributes_, &all));
    note(::posix_spawnattr_setsigmask(&attributes_, &none));
    note(::posix_spawnattr_setpgroup(&attributes_, 0));
    note(::posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP));
    failed_ = failed;
  }
  ~Way() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  Way(const Way&) = delete;
  Way& operator=(const Way&) = delete;

  pid_t start(const Command& command) const {
    if (failed_ != 0) fail_to_start(command, failed_);
    std::vector<std::string> words = command.words;
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    pid_t process = -1;
    const int failed =
        ::posix_spawnp(&process, pointers[0], &actions_, &attributes_, pointers.data(), environ);
    if (failed != 0) fail_to_start(command, failed);
    return process;
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
  int failed_ = 0;  // why it can't be gone
};

// The leader of a group. The destructor kills all that is left of it.
class Group {
 public:
  explicit Group(pid_t leader)
      : leader_(leader), ended_(static_cast<int>(::syscall(SYS_pidfd_open, leader, 0))) {}
  ~Group() { end(); }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  // Readable once the leader has ended.
  int ended() const noexcept { return ended_.get(); }

  // Kills the group, and says how its leader ended: what waitid() says.
  siginfo_t end() noexcept {
    siginfo_t how{};
    if (leader_ < 0) return how;
    // Until it is waited for, its id and so that of the group is nobody else's.
    const int looked = waited(&how, WEXITED | WNOHANG | WNOWAIT);
    const bool by_itself = looked == 0 && how.si_pid == leader_;
    ::kill(-leader_, SIGKILL);
    siginfo_t after{};
    waited(&after, WEXITED);
    leader_ = -1;
    return by_itself ? how : after;
  }

 private:
  int waited(siginfo_t* how, int options) const noexcept {
    int result = -1;
    do result = ::waitid(P_PID, static_cast<id_t>(leader_), how, options);
    while (result != 0 && errno == EINTR);
    return result;
  }

  pid_t leader_;  // -1: it was waited for
  const Descriptor ended_;
};

// Takes what there is to read, up to so much in all; what is more is dropped if `keep_end`, else
// stays there. Returns false at the end.
bool read_some(const Descriptor& from, std::string& text, std::size_t most, bool keep_end) {
  std::array<char, 16'384> buffer;
  for (;;) {
    const ssize_t got = ::read(from.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got < 0 && errno == EAGAIN;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() <= most) continue;
    if (!keep_end) return true;
    text.erase(0, text.size() - most);
  }
}

std::string last_line(std::string_view complaints) {
  const std::string_view text = trimmed(complaints);
  const std::size_t line = text.rfind('\n');
  return one_line(trimmed(line == text.npos ? text : text.substr(line)), 300);
}

std::string how_it_ended(const siginfo_t& how, const std::string& complaints) {
  const std::string number = std::to_string(how.si_status);
  const std::string said = last_line(complaints);
  return (how.si_code == CLD_EXITED ? "ended with code " : "was ended by signal ") + number +
         (said.empty() ? "" : ": " + said);
}

struct Written {
  std::string output{};
  std::string complaints{};
};

// Reads what a program writes until it has ended.
class Reader {
 public:
  Reader(const Command& command, Descriptor output, Descriptor complaints)
      : command_(command), output_(std::move(output)), complaints_(std::move(complaints)) {}

  // Throws Error if it is late, writes too much, or a stop is asked for.
  Written read_until_ended(const Group& group, const std::stop_token& stop) {
    const Descriptor stopped(::eventfd(0, EFD_CLOEXEC));
    const std::stop_callback wake(stop,
                                  [&stopped]() noexcept { ::eventfd_write(stopped.get(), 1); });
    const Instant until = later(Instant::clock::now(), command_.timeout);
    for (;;) {
      std::array<pollfd, 4> news{{{group.ended(), POLLIN, 0},
                                  {stopped.get(), POLLIN, 0},
                                  {output_.get(), POLLIN, 0},
                                  {complaints_.get(), POLLIN, 0}}};
      ::poll(news.data(), news.size(), left(until));
      if (stop.stop_requested()) fail(command_, Errc::cancelled, "cancelled");
      read();  // after poll(), and so all that was written before the end
      if (news[0].revents != 0) return std::move(written_);
      if (Instant::clock::now() >= until)
        fail(command_, Errc::timeout,
             "did not end within " + std::to_string(command_.timeout.count()) + " ms");
    }
  }

 private:
  void read() {
    if (output_ && !read_some(output_, written_.output, command_.longest, /*keep_end=*/false))
      output_ = Descriptor();
    if (complaints_ &&
        !read_some(complaints_, written_.complaints, kLongestComplaint, /*keep_end=*/true))
      complaints_ = Descriptor();
    if (written_.output.size() > command_.longest)
      fail(command_, Errc::server_error,
           "wrote more than " + std::to_string(command_.longest) + " bytes");
  }

  // In milliseconds, as poll() has it.
  static int left(Instant until) {
    const auto time = std::chrono::ceil<std::chrono::milliseconds>(until - Instant::clock::now());
    return static_cast<int>(std::clamp<std::int64_t>(time.count(), 0, 3'600'000));
  }

  const Command& command_;
  Descriptor output_;      // none: it is at its end
  Descriptor complaints_;  // none: it is at its end
  Written written_;
};

}  // namespace

std::string run_command(const Command& command, const std::stop_token& stop) {
  const Descriptor input = file_with(command);
  Pipe output = pipe_for(command);
  Pipe complaints = pipe_for(command);
  const Way way(command, input.get(), output.write.get(), complaints.write.get());
  Group group(way.start(command));
  if (group.ended() < 0) fail_to_start(command, errno);
  output.write = Descriptor();
  complaints.write = Descriptor();
  Reader reader(command, std::move(output.read), std::move(complaints.read));
  Written written = reader.read_until_ended(group, stop);
  const siginfo_t how = group.end();
  if (how.si_code != CLD_EXITED || how.si_status != 0)
    fail(command, Errc::server_error, how_it_ended(how, written.complaints));
  return std::move(written.output);
}

}  // namespace mellea
