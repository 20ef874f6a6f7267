// What is wrong with telemetry is told here, and harms nothing else.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace mellea::telemetry {

// Any thread may call anything.
class Warnings {
 public:
  static constexpr std::size_t kMostKept = 100;

  // `tell` is called for each, on whatever thread warns; null: they are only kept. What it throws
  // is ignored.
  explicit Warnings(std::function<void(std::string_view)> tell = {});

  void add(std::string text) noexcept;
  std::vector<std::string> all() const;  // the first kMostKept

 private:
  const std::function<void(std::string_view)> tell_;
  mutable std::mutex mutex_;
  std::vector<std::string> kept_;  // guarded by mutex_
};

}  // namespace mellea::telemetry
