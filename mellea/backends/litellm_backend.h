// The LiteLLM proxy: one gateway to many providers, with OpenAI's protocol.
#pragma once

#include <memory>

#include "mellea/backends/backend.h"

namespace mellea {

// An empty base_url means http://127.0.0.1:4000; a model is what the proxy calls it. What the proxy
// tells in headers (x-litellm-response-cost, -model-id, -call-id, x-ratelimit-...) is in
// ResponseInfo::metadata under those names, as texts. Its own members of a request (fallbacks,
// num_retries, metadata, tags...) go into ModelOptions::extra.
//
// Throws Error (Errc::invalid_request) for a base_url that is none. May be called from several
// threads at once.
std::shared_ptr<Backend> make_litellm_backend(const BackendOptions& options,
                                              std::shared_ptr<Network> network);

}  // namespace mellea
