// What comes back from a Text Embeddings Inference server, in its own protocol. Pure: no network.
#pragma once

#include <cstddef>
#include <memory>

#include "mellea/backends/reply_decoder.h"

namespace mellea {

// Reads an answer of /embed, and of the feature extraction of Hugging Face's own inference: a list
// of vectors, each a chunk at the index of its prompt. Tokens are counted by the header
// x-compute-tokens, of all texts together. Throws parse_error where there are more or fewer than
// `prompts`, or where a model gives one vector for each token.
std::unique_ptr<ReplyDecoder> make_tei_decoder(std::shared_ptr<const RequestNames> names,
                                               std::size_t prompts);

}  // namespace mellea
