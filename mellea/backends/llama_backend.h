// A model in this process, as a backend: requests one after the other on a thread of its own.
#pragma once

#include <memory>
#include <string>

#include "mellea/backends/backend.h"
#include "mellea/backends/llama_model.h"

namespace mellea {

struct LlamaBackendOptions {
  std::string model{};          // its name
  std::string chat_template{};  // of the model; empty: none
  LoadLlamaModel load{};        // called on the thread, with the first request
};

// Answers in the order of requests; each token is a chunk where a request streams. A cancel is seen
// between two tokens; of the limits there is `whole` alone. The usage counts what the model read
// and wrote, with the mark at the end of an answer; cache_read are tokens that it knew from the
// prompt before. A schema is forced by a grammar; what no grammar can say (patterns, bounds of
// numbers) is told by a notice. May be called from several threads at once; its streams may outlive
// it. Destroying it waits for the token that is being made. In a child of fork() it touches
// nothing.
std::shared_ptr<Backend> make_llama_backend(LlamaBackendOptions options);

}  // namespace mellea
