#include "mellea/runtime/cancellation.h"

#include <string>

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
  std::stop_source(source_).request_stop();  // a copy: what is called may let go of this
  return true;
}

Error Cancellation::error() const {
  if (reason() == CancelReason::shutdown)
    return Error(Errc::shutdown, "the Runtime ended before the answer was whole");
  return Error(Errc::cancelled, "cancelled by " + std::string(to_string(reason())));
}

void Cancellation::throw_if_requested() const {
  if (reason() != CancelReason::none) throw error();
}

}  // namespace mellea
