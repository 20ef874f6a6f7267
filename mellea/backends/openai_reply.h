// What comes back from a server that speaks OpenAI's protocol. Pure: no network.
#pragma once

#include <cstddef>
#include <memory>

#include "mellea/backends/reply_decoder.h"

namespace mellea {

// Reads chat and completion answers, streamed or whole, whichever the server sends: a whole answer
// gives the chunks of a stream that says everything at once.
//
// A stream is whole with `data: [DONE]`, or without it when every choice has had its finish reason
// and the connection then ended well, as some servers do.
//
// What the protocol has no name for is in ResponseInfo::metadata, told at the end: "timings" of
// llama-server, "provider" of OpenRouter, "x_groq", "prompt_filter_results" of Azure; and all of
// "usage" where it has more than tokens, such as the "cost" of OpenRouter and of LiteLLM.
//
// `answers`: how many there must be, one a prompt; 0: as many as there are. Throws parse_error
// where one is missing.
std::unique_ptr<ReplyDecoder> make_openai_decoder(std::shared_ptr<const RequestNames> names,
                                                  std::size_t answers = 0);

// Reads an answer of /embeddings, numbers as a list or in base64. Each vector is a chunk, at the
// index of its prompt; throws parse_error where one of `prompts` is missing.
std::unique_ptr<ReplyDecoder> make_openai_embeddings_decoder(
    std::shared_ptr<const RequestNames> names, std::size_t prompts);

}  // namespace mellea
