#include "mellea/core/outcome.h"

namespace mellea {

std::string_view to_string(Outcome outcome) noexcept {
  switch (outcome) {
    case Outcome::ok: return "ok";
    case Outcome::cancelled: return "cancelled";
    case Outcome::blocked: return "blocked";
    case Outcome::error: break;
  }
  return "error";
}

std::string_view to_string(CancelReason reason) noexcept {
  switch (reason) {
    case CancelReason::none: return "";
    case CancelReason::consumer: return "consumer";
    case CancelReason::caller: return "caller";
    case CancelReason::dropped: return "dropped";
    case CancelReason::superseded: return "superseded";
    case CancelReason::requirement_failed: return "requirement_failed";
    case CancelReason::parent: return "parent";
    case CancelReason::shutdown: break;
  }
  return "shutdown";
}

}  // namespace mellea
