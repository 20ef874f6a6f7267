// What is sent to watsonx.ai. Pure: no network.
#pragma once

#include "mellea/backends/backend.h"
#include "mellea/backends/request_checks.h"

namespace mellea {

// For /ml/v1/text/chat and chat_stream, or, of a completion with one prompt, generation and
// generation_stream, or embeddings. Of `options` the project or the space is used. A model
// "deployment/ID" is a deployment: the path names it, and the body neither model nor project.
//
// Chats are OpenAI's but for what has another name. Of a completion the options stand under
// watsonx's names in "parameters". Of `extra`, members that watsonx knows as a parameter
// (decoding_method, repetition_penalty, truncate_input_tokens...) and those of a member
// "parameters" go there too, all others into the outermost object. `extra` wins.
//
// Throws Error (Errc::invalid_request) that names what can't be sent.
WrittenRequest write_watsonx_request(const Request& request, const WatsonxOptions& options);

}  // namespace mellea
