// The formats of texts that a schema may ask for.
#pragma once

#include <string_view>

namespace mellea {

// Null if there is no such format.
using FormatCheck = bool (*)(std::string_view text);
FormatCheck find_format(std::string_view name) noexcept;

}  // namespace mellea
