// The answers of the provider `scripted`, as a program writes them.
#pragma once

#include <vector>

#include "mellea/backends/scripted_backend.h"
#include "mellea/programs/reading.h"

namespace mellea {

std::vector<scripted::Line> read_script(Reading& reading, const YamlNode& node);

}  // namespace mellea
