// Adding up what providers counted.
#pragma once

#include <optional>

#include "mellea/core/reply.h"

namespace mellea {

// The usage of several replies. A count that one of them lacks is absent: part of a sum would be
// taken for all of it.
class UsageSum {
 public:
  void add(const std::optional<Usage>& usage);
  // Nothing if nothing is known of all.
  std::optional<Usage> sum() const;

 private:
  std::optional<Usage> sum_{};  // nothing before the first
};

}  // namespace mellea
