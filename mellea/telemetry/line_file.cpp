#include "mellea/telemetry/line_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

namespace mellea::telemetry {
namespace {

std::string failure(std::string_view what) {
  return std::string(what) + ": " + std::generic_category().message(errno);
}

// How much of `line` was written; all of it, or less and errno.
std::size_t write_all(int file, std::string_view line) {
  std::size_t written = 0;
  while (written < line.size()) {
    const ssize_t count = ::write(file, line.data() + written, line.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    written += static_cast<std::size_t>(count);
  }
  return written;
}

}  // namespace

std::string LineFile::append(std::string_view line) {
  if (interrupted_) return "there was no time left";
  if (file_ < 0) file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file_ < 0) return failure("open");
  const std::size_t written = write_all(file_, line);
  if (written == line.size()) return {};
  std::string why = failure("write");
  // Take back the part, unless somebody else has appended since.
  struct stat now {};
  const off_t end = ::lseek(file_, 0, SEEK_CUR);
  if (written > 0 && ::fstat(file_, &now) == 0 && now.st_size == end)
    if (::ftruncate(file_, end - static_cast<off_t>(written)) != 0)
      why += "; a part of a line is left";
  return why;
}

void LineFile::close() noexcept {
  if (file_ >= 0) ::close(std::exchange(file_, -1));
}

}  // namespace mellea::telemetry
