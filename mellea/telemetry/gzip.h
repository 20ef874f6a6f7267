// Compression for requests.
#pragma once

#include <string>
#include <string_view>

namespace mellea::telemetry {

// RFC 1952. Throws std::bad_alloc and nothing else.
std::string gzip(std::string_view bytes);

}  // namespace mellea::telemetry
