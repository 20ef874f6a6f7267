// Whether a failed request is sent again, and when. A pure rule: no clock, no dice of its own.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "mellea/net/network.h"

namespace mellea {

struct RetryRule {
  int retries = 2;                             // beside the first attempt
  std::chrono::milliseconds first_delay{500};  // doubles with each retry
  std::chrono::milliseconds longest_delay{8'000};
  std::chrono::milliseconds longest_asked{
      60'000};  // by the server; what is longer is not waited for
};

struct FailedAttempt {
  int attempt = 1;                 // from 1
  int status = 0;                  // of HTTP; 0 if there was no answer
  bool connection_failed = false;  // refused, reset, lost: Error::retryable() of the exchange
  bool delivered = false;          // some of the content was given to the caller
  // How long the server asks to be left alone: see retry_after().
  std::optional<std::chrono::milliseconds> asked{};
};

struct RetryDecision {
  bool again = false;
  std::chrono::milliseconds delay{0};
  std::string reason{};  // one clause, why not: "the server asks to wait 120 s"
};

// `random` is in [0, 1): it takes up to a quarter off the delay, so that clients that failed
// together do not come back together.
RetryDecision decide(const RetryRule& rule, const FailedAttempt& failed, double random);

// What the headers `retry-after-ms` and `retry-after` (seconds or a date) ask for; empty if neither
// says anything that can be read. A date in the past asks for nothing, which is 0.
std::optional<std::chrono::milliseconds> retry_after(const HttpHead& head,
                                                     std::chrono::system_clock::time_point now);

}  // namespace mellea
