// The requests of a call for which a provider wants several.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mellea/core/reply.h"

namespace mellea {

struct WrittenBatch {
  std::string path{};                 // below the base URL
  std::vector<std::string> bodies{};  // in the order of the prompts
  std::vector<Notice> notices{};      // options that can't be honoured
};

}  // namespace mellea
