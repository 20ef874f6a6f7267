// The sections of a prompt, one below the other; for the sources of components alone.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mellea/runtime/component.h"

namespace mellea {

// Below what is there, if `text` is not empty.
void add_line(std::string& prompt, std::string_view text);
// A line that leads in, and one for each item; items that are empty are left out.
void add_list(std::string& prompt, std::string_view lead_in, const std::vector<std::string>& items);

// More backquotes than stand in a row anywhere in `text`, and three at least: for the lines around
// what somebody else has said.
std::string fence_for(std::string_view text);

void add_requirements(std::string& prompt, const Told& told);
void add_repair(std::string& prompt, const Told& told);

}  // namespace mellea
