#include "mellea/programs/command.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <string_view>
#include <system_error>
#include <utility>

#include "mellea/core/bell.h"
#include "mellea/core/child_process.h"
#include "mellea/core/descriptor.h"
#include "mellea/core/error.h"
#include "mellea/core/instant.h"
#include "mellea/core/program_environment.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

constexpr std::size_t kLongestComplaint = 4'096;  // bytes kept of its standard error

[[noreturn]] void fail(const Command& command, Errc code, const std::string& why) {
  throw Error(code, one_line(command.words.front(), 200) + ": " + why);
}

[[noreturn]] void fail_to_start(const Command& command, int reason) {
  fail(command, Errc::invalid_request,
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

ProgramStart start_of(const Command& command, const Descriptor& input) {
  ProgramStart start{.arguments = {command.words.begin() + 1, command.words.end()},
                     .environment = plain_environment(),
                     .folder = command.folder,
                     .conversation = true,
                     .input = input.get()};
  start.program = find_program(command.words.front(), start.environment);
  return start;
}

// Takes what there is to read, up to so much in all; what is more is dropped if `keep_end`, else
// stays there. It does not go on for as long as more comes. Returns false at the end.
bool read_some(int from, std::string& text, std::size_t most, bool keep_end) {
  constexpr int kMost = 64;  // times 16 KiB: as much as a pipe holds
  std::array<char, 16'384> buffer;
  for (int round = 0; round < kMost; ++round) {
    const ssize_t got = ::read(from, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got < 0 && errno == EAGAIN;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() <= most) continue;
    if (!keep_end) return true;
    text.erase(0, text.size() - most);
  }
  return true;
}

std::string last_line(std::string_view complaints) {
  const std::string_view text = trimmed(complaints);
  const std::size_t line = text.rfind('\n');
  return one_line(trimmed(line == text.npos ? text : text.substr(line)), 300);
}

struct Written {
  std::string output{};
  std::string complaints{};
};

// Reads what a program writes until it has ended.
class Reader {
 public:
  Reader(const Command& command, const ChildProcess& process)
      : command_(command), process_(process) {}

  // Throws Error if it is late, writes too much, or a stop is asked for.
  Written read_until_ended(const std::stop_token& stop) {
    const Bell stopped;
    const std::stop_callback wake(stop, [&stopped]() noexcept { stopped.ring(); });
    const Instant until = later(Instant::clock::now(), command_.timeout);
    for (;;) {
      std::array<pollfd, 4> news{{{process_.ended(), POLLIN, 0},
                                  {stopped.descriptor(), POLLIN, 0},
                                  {output_open_ ? process_.output() : -1, POLLIN, 0},
                                  {errors_open_ ? process_.errors() : -1, POLLIN, 0}}};
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
    if (output_open_)
      output_open_ =
          read_some(process_.output(), written_.output, command_.longest, /*keep_end=*/false);
    if (errors_open_)
      errors_open_ =
          read_some(process_.errors(), written_.complaints, kLongestComplaint, /*keep_end=*/true);
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
  const ChildProcess& process_;
  bool output_open_ = true;
  bool errors_open_ = true;
  Written written_;
};

}  // namespace

std::string run_command(const Command& command, const std::stop_token& stop) {
  const Descriptor input = file_with(command);
  ChildProcess process(start_of(command, input));
  Written written = Reader(command, process).read_until_ended(stop);
  process.signal_all(SIGKILL);  // what is left of its group
  const std::string how = process.wait();
  if (process.succeeded()) return std::move(written.output);
  const std::string said = last_line(written.complaints);
  fail(command, Errc::server_error, how + (said.empty() ? "" : ": " + said));
}

}  // namespace mellea
