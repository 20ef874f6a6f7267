// OpenAI, and every server that speaks its protocol: Azure, vLLM, llama-server, Groq, OpenRouter...
#pragma once

#include <memory>

#include "mellea/backends/backend.h"

namespace mellea {

// An empty base_url means https://api.openai.com/v1; a key is demanded there, and nowhere else. It
// goes out as `authorization: Bearer`, to *.openai.azure.com as `api-key`; where a server wants yet
// another header, put it into BackendOptions::headers. A query in base_url (Azure's
// `?api-version=`) stays at the end.
//
// Throws Error: Errc::auth without a key where one is demanded, Errc::invalid_request for a
// base_url that is none. May be called from several threads at once.
std::shared_ptr<Backend> make_openai_backend(const BackendOptions& options,
                                             std::shared_ptr<Network> network);

}  // namespace mellea
