// What is sent to Ollama. Pure: no network.
#pragma once

#include "mellea/backends/written_batch.h"
#include "mellea/core/request.h"

namespace mellea {

// For /api/chat, /api/embed, or, of a completion, for /api/generate without a template: that takes
// one prompt, so there is a body for each.
//
// Options of ours stand under Ollama's names in "options": max_tokens as num_predict,
// context_window as num_ctx (where nobody says it, a prompt over some 4,096 tokens is cut without a
// word). Of `extra`, members that Ollama knows as an option (num_gpu, repeat_penalty...) and those
// of a member "options" go there too; all others (keep_alive, truncate...) into the outermost
// object. `extra` wins. The level "minimal" of think is sent as "low", the least that Ollama has.
//
// Throws Error (Errc::invalid_request) that names what can't be sent.
WrittenBatch write_ollama_request(const Request& request);

}  // namespace mellea
