#include "mellea/cli/duration.h"

#include <string>

#include "mellea/cli/exit_code.h"
#include "mellea/core/duration.h"
#include "mellea/core/error.h"

namespace mellea::cli {

std::chrono::milliseconds parse_duration(std::string_view flag, std::string_view text) {
  try {
    return mellea::parse_duration(text);
  } catch (const Error& error) {
    throw UsageError(std::string(flag) + ' ' + error.what());
  }
}

}  // namespace mellea::cli
