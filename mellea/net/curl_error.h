// What libcurl reports, as an Error of one clear line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "mellea/core/error.h"

namespace mellea {

struct CurlFailure {
  int code = 0;               // a CURLcode
  int os_error = 0;           // an errno; 0 if libcurl knows none
  std::string_view reason{};  // libcurl's own words; may be empty
  std::string_view host{};    // "127.0.0.1"
  std::string_view server{};  // "127.0.0.1:11434"
  std::string_view ca_file{};
  std::string_view certificate_file{};
  std::string_view key_file{};
  bool head_arrived = false;
  std::size_t received = 0;  // bytes of the answer's body
};
Error to_error(const CurlFailure& failure);

// "41 bytes of the answer", "the head of the answer", "the request".
std::string how_far(const CurlFailure& failure);

}  // namespace mellea
