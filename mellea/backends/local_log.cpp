#include "mellea/backends/local_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>
#include <vector>

#include "mellea/core/error.h"
#include "mellea/core/text.h"

namespace mellea {

LocalLog::LocalLog(std::string file, std::size_t most) : file_(std::move(file)), most_(most) {
  if (file_.empty()) return;
  open();
  if (!descriptor_)
    throw Error(Errc::invalid_request,
                "local: the log " + one_line(file_, 400) +
                    " can't be written: " + std::generic_category().message(errno));
}

void LocalLog::open() {
  descriptor_ = Descriptor(
      ::open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, S_IRUSR | S_IWUSR));
  struct stat facts {};
  size_ = descriptor_ && ::fstat(descriptor_.get(), &facts) == 0
              ? static_cast<std::size_t>(facts.st_size)
              : 0;
}

void LocalLog::add(std::string_view bytes) {
  constexpr std::size_t kAtHand = 8192;
  last_ += bytes;
  if (last_.size() > 2 * kAtHand) last_.erase(0, last_.size() - kAtHand);
  if (!descriptor_) return;
  if (size_ > 0 && size_ + bytes.size() > most_) {
    static_cast<void>(std::rename(file_.c_str(), (file_ + ".1").c_str()));
    open();
  }
  const ssize_t written = ::write(descriptor_.get(), bytes.data(), bytes.size());
  if (written > 0) size_ += static_cast<std::size_t>(written);  // a full disk loses lines
}

std::string LocalLog::last_lines() const {
  constexpr std::size_t kLines = 4;
  std::vector<std::string> lines;
  std::string_view rest = last_;
  while (!rest.empty() && lines.size() < kLines) {
    const auto end = rest.find_last_not_of("\r\n ");
    if (end == rest.npos) break;
    rest = rest.substr(0, end + 1);
    const auto before = rest.rfind('\n');
    lines.push_back(one_line(before == rest.npos ? rest : rest.substr(before + 1), 160));
    rest = before == rest.npos ? std::string_view() : rest.substr(0, before);
  }
  std::string all;
  for (auto line = lines.rbegin(); line != lines.rend(); ++line)
    all.append(all.empty() ? "" : " / ").append(*line);
  return all;
}

}  // namespace mellea
