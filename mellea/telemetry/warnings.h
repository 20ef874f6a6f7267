// What is wrong with telemetry is told here, and harms nothing else.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/core/fork.h"
#include "mellea/core/instant.h"
#include "mellea/telemetry/logger.h"

namespace mellea::telemetry {

// Any thread may call anything. In a child of fork() nothing is told.
class Warnings {
 public:
  static constexpr std::size_t kMostKept = 100;

  // `tell` is called for each, on whatever thread warns; null: they are only kept. What it throws
  // is ignored.
  explicit Warnings(std::function<void(std::string_view)> tell = {});

  void add(std::string text) noexcept;
  std::vector<std::string> all() const;  // the first kMostKept

  // What stands behind a warning, as a record for those who collect them: where log_to() says.
  void log(LogRecord record) noexcept;
  void log_to(std::weak_ptr<Logger> logger) noexcept;

  // From now on they are only kept. Waits until `tell` is not being called any more, or `until`.
  void close(Instant until) noexcept;

 private:
  bool begin_telling(const std::string& text);

  const std::function<void(std::string_view)> tell_;
  const ForkMark fork_;
  mutable std::mutex mutex_;  // guards all that follows
  std::condition_variable told_;
  std::vector<std::string> kept_;
  int telling_ = 0;  // so many calls of tell_ are under way
  bool closed_ = false;
  std::weak_ptr<Logger> logger_;  // its exporters hold these warnings
};

}  // namespace mellea::telemetry
