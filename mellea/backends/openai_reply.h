// What comes back from a server that speaks OpenAI's protocol. Pure: no network.
#pragma once

#include <memory>

#include "mellea/backends/reply_decoder.h"

namespace mellea {

// Reads chat and completion answers, streamed or whole, whichever the server sends: a whole answer
// gives the chunks of a stream that says everything at once.
//
// A stream is whole with `data: [DONE]`, or without it when every choice has had its finish reason
// and the connection then ended well, as some servers do.
std::unique_ptr<ReplyDecoder> make_openai_decoder(std::shared_ptr<const RequestNames> names);

// Reads an answer of /models: each name is a chunk of text.
std::unique_ptr<ReplyDecoder> make_openai_models_decoder(std::shared_ptr<const RequestNames> names);

}  // namespace mellea
