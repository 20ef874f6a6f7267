// What comes back from Ollama. Pure: no network.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "mellea/backends/reply_decoder.h"

namespace mellea {

// Reads answers of /api/chat and /api/generate, streamed or whole: a whole answer is a stream of
// one line. It is complete with `"done":true`.
//
// Calls that the server gives no id get `id_stem` and a number; ids should differ between the
// replies of a conversation, so should stems. What the server tells of its own times (created_at
// of the first line, durations in ns) is in ResponseInfo::metadata under Ollama's names.
std::unique_ptr<ReplyDecoder> make_ollama_decoder(std::shared_ptr<const RequestNames> names,
                                                  std::string id_stem);

// Reads an answer of /api/embed. Each vector is a chunk, at the index of its prompt; throws
// parse_error where one of `prompts` is missing.
std::unique_ptr<ReplyDecoder> make_ollama_embeddings_decoder(
    std::shared_ptr<const RequestNames> names, std::size_t prompts);

}  // namespace mellea
