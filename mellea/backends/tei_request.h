// What is sent to a Text Embeddings Inference server, in its own protocol. Pure: no network.
#pragma once

#include <cstddef>

#include "mellea/backends/written_batch.h"
#include "mellea/core/request.h"

namespace mellea {

// How many texts a server takes at once unless it was told otherwise.
inline constexpr std::size_t kTeiTexts = 32;

// For /embed, and for the feature extraction of Hugging Face's own inference; `path` is left empty.
// Each body has kTeiTexts of the prompts, the last one what is left. No option of ours is known
// there; `extra` goes in beside the texts (truncate, truncation_direction, normalize, prompt_name,
// dimensions).
//
// Throws Error (Errc::invalid_request) that names what can't be sent.
WrittenBatch write_tei_request(const Request& request);

}  // namespace mellea
