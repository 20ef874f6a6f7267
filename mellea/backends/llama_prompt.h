// A conversation as chat templates take it: turns of a role and a text. Pure.
#pragma once

#include <string>
#include <vector>

#include "mellea/core/request.h"

namespace mellea {

struct LlamaTurn {
  std::string role{};
  std::string text{};
};

// Tools stand in the system's turn, calls and results in marks, as many open models learnt it:
// <tools>, <tool_call>, <tool_response>. Throws Error (Errc::invalid_request) for what is no text,
// and for tools if the model's chat template does not have these marks.
std::vector<LlamaTurn> llama_turns(const Request& request, const std::string& chat_template);

}  // namespace mellea
