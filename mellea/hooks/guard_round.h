// The guards of one event, while they run on workers and somebody waits for what they say.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "mellea/core/reply.h"
#include "mellea/hooks/block.h"

namespace mellea {

// What became of a call of a handler that may stop an operation.
struct HandlerAnswer {
  std::shared_ptr<const Block> block{};  // null: the operation goes on
  std::optional<std::string> failure{};  // what the handler threw, though the operation goes on
};

// Shared by the thread that waits, which may leave, and the workers. Any thread may call anything.
class GuardRound {
 public:
  explicit GuardRound(std::size_t guards) : stops_(guards) {}

  std::stop_token token(std::size_t guard) const { return stops_[guard].get_token(); }
  void ask_to_stop(std::size_t guard) { stops_[guard].request_stop(); }

  void put(std::size_t guard, HandlerAnswer answer);

  // The next guard to have answered, and its answer; nothing if none has by `until`.
  std::optional<std::pair<std::size_t, HandlerAnswer>> take(Instant until);

 private:
  std::vector<std::stop_source> stops_;  // one a guard
  std::mutex mutex_;
  std::condition_variable answered_;
  std::vector<std::pair<std::size_t, HandlerAnswer>> answers_;  // not taken yet; guarded by mutex_
};

}  // namespace mellea
