// The one exception type of the library.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "mellea/core/json.h"

namespace mellea {

// What went wrong: coarse enough to switch on, stable enough to be the value of `error.type`, where
// each stands under the same word. `cancelled` is thrown by blocking calls after a cancel and is
// never an `error.type`.
enum class Errc {
  cancelled,
  timeout,
  transport_error,  // no connection, a connection lost, bytes that are no HTTP
  rate_limit,
  auth,
  content_policy,
  invalid_request,  // of the provider, or of this library before anything was sent
  not_found,
  context_length,
  server_error,
  parse_error,  // an answer that is not what its protocol says
  blocked,      // by a plugin
  shutdown,     // the Runtime is gone or going
  after_fork,   // the object belongs to the parent process
  unknown,
};
std::string_view to_string(Errc code) noexcept;

// What is known of a failure beside its kind. All of it may be missing.
struct ErrorDetails {
  int status = 0;                  // of HTTP; 0 if there was no answer
  std::string provider_code{};     // the provider's own word, as sent
  std::string provider_message{};  // the provider's own sentence, as sent: untrusted text
  std::string request_id{};        // the provider's, for its support
  std::optional<std::chrono::milliseconds> retry_after{};  // what the provider asked for
  bool retryable = false;                                  // the same request may succeed later
  std::string partial_text{};                              // what had arrived of the answer
  bool unfit = false;          // that came whole, and is not of the format asked for
  std::string plugin{};        // who blocked,
  std::string block_reason{};  // why, for people,
  std::string block_code{};    // and for programs
  Json block_details{};
};

// Thrown when an operation could not do what it was asked. what() is one line that names what
// failed, where, why and what to do. An outcome that the caller must look at anyway (a requirement
// that was not met, a tool that returned an error) is a value, never an Error.
//
// A value: copies share what they hold and do not throw.
class Error : public std::runtime_error {
 public:
  Error(Errc code, const std::string& what) : Error(code, what, ErrorDetails{}) {}
  Error(Errc code, const std::string& what, ErrorDetails details)
      : std::runtime_error(what),
        code_(code),
        details_(std::make_shared<const ErrorDetails>(std::move(details))) {}

  Errc code() const noexcept { return code_; }
  const ErrorDetails& details() const noexcept { return *details_; }
  bool retryable() const noexcept { return details_->retryable; }
  const std::string& partial_text() const noexcept { return details_->partial_text; }

  // The same error, with the text that had arrived before it.
  Error with_partial_text(std::string text) const;

 private:
  Errc code_;
  std::shared_ptr<const ErrorDetails> details_;  // never null
};

}  // namespace mellea
