// How likely the model found its tokens, as OpenAI tells it, and those who speak its protocol.
#pragma once

#include <string_view>

#include "mellea/core/reply.h"

namespace mellea {

// Reads the "logprobs" of a choice, of a chat or of a completion, or of Ollama. What is not as the
// protocol says is passed over: an answer is not lost for it.
Logprobs read_logprobs(std::string_view json);

}  // namespace mellea
