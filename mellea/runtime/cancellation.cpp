#include "mellea/runtime/cancellation.h"

#include <string>

#include "mellea/core/error.h"

namespace mellea {

Cancellation::Cancellation(std::stop_token outer, CancelReason reason) {
  outer_.emplace(std::move(outer), [this, reason] { request(reason); });
}

Cancellation::Cancellation(const std::shared_ptr<const Cancellation>& outer) {
  outer_.emplace(outer->token(), [this, weak = std::weak_ptr(outer)] {
    const auto still_there = weak.lock();
    request(still_there ? still_there->reason() : CancelReason::parent);
  });
}

bool Cancellation::request(CancelReason reason) noexcept {
  CancelReason none = CancelReason::none;
  if (!reason_.compare_exchange_strong(none, reason)) return false;
  source_.request_stop();
  return true;
}

void Cancellation::throw_if_requested() const {
  const CancelReason reason = this->reason();
  if (reason == CancelReason::shutdown)
    throw Error(Errc::shutdown, "the Runtime ended before the answer was whole");
  if (reason != CancelReason::none)
    throw Error(Errc::cancelled, "cancelled by " + std::string(to_string(reason)));
}

}  // namespace mellea
