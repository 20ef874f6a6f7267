// A number that a server tells in a header of its answer.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "mellea/core/request.h"

namespace mellea {

// `name` in lower case, as the names in `headers` must be. Empty if it is not there, or is no whole
// number.
std::optional<std::int64_t> count_in(const Headers& headers, std::string_view name);

}  // namespace mellea
