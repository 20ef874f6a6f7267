// The arguments of a tool's call, however the model wrote them down.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mellea::telemetry {

// A fingerprint of what a model wrote, the same however it was spaced and ordered, and the same as
// the reference's. Empty where there are no arguments.
std::string arguments_hash(std::string_view written);

// The object or array that is hashed, as JSON of at most `most` bytes: what is too long in it ends
// in "...", and what is too much is left out. Empty where `written` is neither.
std::string canonical_json(std::string_view written, std::size_t most);

}  // namespace mellea::telemetry
