// A request to stop, and why.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>

#include "mellea/core/outcome.h"

namespace mellea {

// The first reason stays, and is set before the stop is requested. Any thread may call anything.
class Cancellation {
 public:
  Cancellation() = default;
  // `outer`, once asked to stop, stops this one for `reason`.
  Cancellation(std::stop_token outer, CancelReason reason);
  // What stops `outer` stops this one, for the same reason. `outer` may go before.
  explicit Cancellation(const std::shared_ptr<const Cancellation>& outer);
  Cancellation(const Cancellation&) = delete;
  Cancellation& operator=(const Cancellation&) = delete;

  // False if there was a reason already.
  bool request(CancelReason reason) noexcept;
  CancelReason reason() const noexcept { return reason_.load(); }  // none: nobody asked
  std::stop_token token() const noexcept { return source_.get_token(); }
  void throw_if_requested() const;  // Errc::cancelled, or shutdown

 private:
  std::atomic<CancelReason> reason_{CancelReason::none};
  std::stop_source source_;
  std::optional<std::stop_callback<std::function<void()>>> outer_;
};

}  // namespace mellea
