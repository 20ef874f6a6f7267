// A file that lines are appended to.
#pragma once

#include <atomic>
#include <string>
#include <string_view>
#include <utility>

namespace mellea::telemetry {

// Several processes may append to one file. A line that could not be written whole is taken back.
// Used by one thread at a time, interrupt() by any.
class LineFile {
 public:
  explicit LineFile(std::string path) : path_(std::move(path)) {}
  ~LineFile() { close(); }
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;

  const std::string& path() const noexcept { return path_; }

  // With its end. Returns why it was not written; nothing if it was.
  std::string append(std::string_view line);
  void interrupt() noexcept { interrupted_ = true; }  // nothing is appended any more
  void close() noexcept;

 private:
  const std::string path_;
  std::atomic<bool> interrupted_{false};
  int file_ = -1;  // opened by the first append()
};

}  // namespace mellea::telemetry
