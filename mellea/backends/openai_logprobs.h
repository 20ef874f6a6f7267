// How likely the model found its tokens, as servers that speak OpenAI's protocol tell it.
#pragma once

#include <string_view>

#include "mellea/core/reply.h"

namespace mellea {

// Reads the "logprobs" object of a choice, of a chat or of a completion. What is not as the
// protocol says is passed over: an answer is not lost for it.
Logprobs read_openai_logprobs(std::string_view json);

}  // namespace mellea
