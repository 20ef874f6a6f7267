// What came of a batch that was sent.
#pragma once

#include <cstdint>
#include <string>

namespace mellea::telemetry {

struct BatchSent {
  std::string failure{};       // why not all of it was delivered; empty: all was
  std::int64_t delivered = 0;  // of its items, although not all were
};

}  // namespace mellea::telemetry
