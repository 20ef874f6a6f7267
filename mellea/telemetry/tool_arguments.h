// How the arguments of a tool's call are told apart without showing them.
#pragma once

#include <string>
#include <string_view>

namespace mellea::telemetry {

// A fingerprint of what a model wrote, the same however it was spaced and ordered, and the same as
// the reference's. Empty where there are no arguments.
std::string arguments_hash(std::string_view written);

}  // namespace mellea::telemetry
