// URLs of servers: taken apart, joined, and fit to be shown.
#pragma once

#include <string>
#include <string_view>

namespace mellea {

struct Url {
  std::string scheme{};  // "http" or "https"
  std::string host{};    // an IPv6 address stands without its brackets
  int port = 0;          // the scheme's own if the URL has none
  std::string path{};    // begins with a slash; no query
  std::string shown{};   // the whole, with "***" for a user and a password, for messages

  std::string authority() const;  // "127.0.0.1:11434", "[::1]:80"
};

// Throws Error (invalid_request) for what is not an absolute http or https URL. The message never
// shows a password.
Url parse_url(std::string_view text);

// "http://h/v1/" and "/chat/completions" make "http://h/v1/chat/completions". A query of the base
// stays at the end, after one of the path.
std::string join_url(std::string_view base, std::string_view path);

}  // namespace mellea
