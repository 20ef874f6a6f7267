// Whether a server is there at all.
#pragma once

#include <chrono>
#include <string>

#include "mellea/net/network.h"

namespace mellea::cli {

struct Probe {
  int status = 0;  // of HTTP
  std::chrono::nanoseconds took{0};
};

// Sends `request` once and waits for the head of an answer. Throws Error; Errc::timeout after
// `limit`.
Probe probe(Network& network, HttpRequest request, std::chrono::milliseconds limit);

bool is_this_machine(const std::string& host);

}  // namespace mellea::cli
