#include "mellea/core/error.h"

#include <utility>

namespace mellea {

std::string_view to_string(Errc code) noexcept {
  switch (code) {
    case Errc::cancelled: return "cancelled";
    case Errc::timeout: return "timeout";
    case Errc::transport_error: return "transport_error";
    case Errc::rate_limit: return "rate_limit";
    case Errc::auth: return "auth";
    case Errc::content_policy: return "content_policy";
    case Errc::invalid_request: return "invalid_request";
    case Errc::not_found: return "not_found";
    case Errc::context_length: return "context_length";
    case Errc::server_error: return "server_error";
    case Errc::parse_error: return "parse_error";
    case Errc::blocked: return "blocked";
    case Errc::shutdown: return "shutdown";
    case Errc::after_fork: return "after_fork";
    case Errc::unknown: break;
  }
  return "unknown";
}

Error Error::with_partial_text(std::string text) const {
  ErrorDetails details = *details_;
  details.partial_text = std::move(text);
  return Error(code_, what(), std::move(details));
}

}  // namespace mellea
