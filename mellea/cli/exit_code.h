// How the program ends.
#pragma once

#include <stdexcept>
#include <string>

namespace mellea::cli {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;       // a call failed
inline constexpr int kUsage = 2;        // nothing was sent
inline constexpr int kCheckFailed = 3;  // answered, but not as demanded
constexpr int ended_by(int signal) noexcept { return 128 + signal; }

// What was asked for can't be done, and nothing was sent: the program ends with kUsage. what() is
// the whole line for standard error.
class UsageError : public std::runtime_error {
 public:
  explicit UsageError(const std::string& sentence) : runtime_error("mellea: " + sentence) {}

  // A line that begins with who says it.
  static UsageError as_said(const std::string& line) { return UsageError(line, 0); }

 private:
  UsageError(const std::string& line, int) : runtime_error(line) {}
};

}  // namespace mellea::cli
