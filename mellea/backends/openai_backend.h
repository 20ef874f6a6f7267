// OpenAI, and every server that speaks its protocol: Azure, vLLM, llama-server, Groq, OpenRouter...
#pragma once

#include <memory>

#include "mellea/backends/backend.h"

namespace mellea {

// An empty base_url means https://api.openai.com/v1; a key is demanded there, and nowhere else. It
// goes out as `authorization: Bearer`; where a server wants another header, put it into
// BackendOptions::headers. Of Azure base_url is one of
//   https://NAME.openai.azure.com/openai/v1
//   https://NAME.openai.azure.com/openai/deployments/DEPLOYMENT?api-version=2024-10-21
// and the key goes out as `api-key`. A query in base_url stays at the end.
//
// What OpenAI, Azure, Groq, DeepSeek and OpenRouter take differs and is known by their hosts; any
// other server is sent what vLLM and llama-server take. What only the server knows goes into
// ModelOptions::extra.
//
// Throws Error: Errc::auth without a key where one is demanded, Errc::invalid_request for a
// base_url that is none. May be called from several threads at once.
std::shared_ptr<Backend> make_openai_backend(const BackendOptions& options,
                                             std::shared_ptr<Network> network);

}  // namespace mellea
