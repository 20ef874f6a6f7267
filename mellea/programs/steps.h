// The steps of a program.
#pragma once

#include <string_view>
#include <vector>

#include "mellea/programs/program.h"
#include "mellea/programs/reading.h"
#include "mellea/programs/sections.h"

namespace mellea {

// All kinds of steps, as kind_of() says them.
Names step_kinds() noexcept;
// The keys of a step, its kind and id among them; none for an unknown kind.
Names step_keys(std::string_view kind) noexcept;

// Reads them in their order; from each on its text is known by its id. What is wrong is a fault of
// `reading`, and the steps are then fewer.
std::vector<ProgramStep> read_steps(Reading& reading, const YamlNode& node,
                                    const Definitions& definitions);

}  // namespace mellea
