// What comes back from watsonx.ai. Pure: no network.
#pragma once

#include <cstddef>
#include <memory>

#include "mellea/backends/reply_decoder.h"

namespace mellea {

// Tokens are counted again and again, by some models from the beginning of a stream and by others
// in its first or last event only: of each count the largest is told. Warnings of the service are
// in ResponseInfo::metadata as "system".

// Reads answers of /text/chat and /text/chat_stream, which are OpenAI's without the end mark.
std::unique_ptr<ReplyDecoder> make_watsonx_chat_decoder(std::shared_ptr<const RequestNames> names);

// Reads answers of /text/generation and /text/generation_stream. They are complete with a
// stop_reason; "eos_token" and "stop_sequence" are told as "stop", "max_tokens" and "token_limit"
// as "length", all others as they are. With "error" or "cancelled" the server gave up:
// server_error, after the text.
std::unique_ptr<ReplyDecoder> make_watsonx_generation_decoder(
    std::shared_ptr<const RequestNames> names);

// Reads answers of /text/embeddings. Each vector is a chunk, at the index of its prompt; throws
// parse_error where there are not as many as `prompts`.
std::unique_ptr<ReplyDecoder> make_watsonx_embeddings_decoder(
    std::shared_ptr<const RequestNames> names, std::size_t prompts);

}  // namespace mellea
