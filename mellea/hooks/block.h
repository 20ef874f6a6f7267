// Why an operation was stopped.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "mellea/core/json.h"

namespace mellea {

// A plugin's reason to stop an operation. There is no stop without one.
struct Block {
  std::string reason{};  // for people: it reaches the caller, not the trace
  std::string code{};    // for programs and metrics: [a-z0-9_]{1,40}
  Json details{};        // for the caller
  std::string plugin{};  // who stopped it; filled in by Hooks
};

// In every event that can be stopped: whether it was, for those who are told of it afterwards. Set
// by Hooks and by nobody else.
class Stopped {
 public:
  Stopped() = default;
  Stopped(const Stopped&) = default;            // with the event
  Stopped& operator=(const Stopped&) = delete;  // or handlers could forge and erase it

  explicit operator bool() const noexcept { return block_ != nullptr; }
  const Block& operator*() const noexcept { return *block_; }
  const Block* operator->() const noexcept { return block_.get(); }

 private:
  friend class Hooks;
  std::shared_ptr<const Block> block_;  // null: not stopped
};

// What a handler that may stop an operation decides.
class [[nodiscard]] Verdict {
 public:
  static Verdict go_on() noexcept { return Verdict(nullptr); }
  static Verdict stop(Block block) {
    return Verdict(std::make_shared<const Block>(std::move(block)));
  }
  // Null: go on.
  const std::shared_ptr<const Block>& block() const noexcept { return block_; }

 private:
  friend class Hooks;
  explicit Verdict(std::shared_ptr<const Block> block) noexcept : block_(std::move(block)) {}
  std::shared_ptr<const Block> block_;
};

}  // namespace mellea
