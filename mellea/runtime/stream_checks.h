// Checking a chunk of an answer; for stream.cpp.
#pragma once

#include <vector>

#include "mellea/runtime/model.h"
#include "mellea/runtime/stream.h"

namespace mellea {

// The code of what a check found when it could not know yet.
inline constexpr std::string_view kNotYetKnown = "unknown";

// What each of `checks` finds, in their order, within `stream`. What models judge is asked at once;
// checks that are slow run on workers meanwhile, the others here. Throws Error if one could not be
// checked; what still ran then has ended, too.
std::vector<Checked> check_chunk(const Model& model, const Scope& stream,
                                 const std::vector<StreamCheck>& checks,
                                 const PartialAnswer& answer, const ModelOptions& options);

}  // namespace mellea
