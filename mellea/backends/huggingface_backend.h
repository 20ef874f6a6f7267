// Hugging Face: models behind its router, and behind its servers for texts (TGI) and for embeddings
// (TEI), wherever they run.
#pragma once

#include <memory>
#include <string_view>

#include "mellea/backends/backend.h"

namespace mellea {

// What is asked goes where the base URL says:
//
//   (empty)               the router, https://router.huggingface.co/v1: chats by OpenAI's protocol,
//                         completions too if it has come to know them; embeddings go to Hugging
//                         Face's own inference. A model is "org/name", "org/name:provider" or
//                         "org/name:fastest" (cheapest, preferred). A token is demanded.
//   http://host:8080      a TGI or TEI server: chats by OpenAI's protocol in TGI's dialect,
//                         completions and embeddings by the servers' own protocols. Such a server
//                         has one model: a request need name none.
//   http://host:8080/v1   OpenAI's protocol and nothing else, for what else runs in an Inference
//                         Endpoint (vLLM, SGLang, llama.cpp), and for one provider behind the
//                         router: https://router.huggingface.co/PROVIDER/v1.
//
// So no server is asked what it is. Several prompts are several requests to TGI, and one for every
// 32 texts to TEI; see tgi_request.h and tei_request.h for which options go there. Who pays, if not
// the owner of the token, is said by the header x-hf-bill-to in BackendOptions::headers.
//
// A GGUF file as the model, without a base URL, is the backend "local" to make_backend().
//
// Throws Error: Errc::auth without a token where one is demanded, Errc::invalid_request for a
// base_url that is none. May be called from several threads at once.
std::shared_ptr<Backend> make_huggingface_backend(const BackendOptions& options,
                                                  std::shared_ptr<Network> network);

// Whether a server is Hugging Face's own or one of its Inference Endpoints, over TLS, so that it
// may be given a token that was meant for no server in particular. Spaces (*.hf.space) are other
// people's programs, and none. False for what is no URL.
bool is_run_by_huggingface(std::string_view base_url);

}  // namespace mellea
