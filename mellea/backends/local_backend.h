// A GGUF model on this machine: run by a llama-server of its own, or in this process.
#pragma once

#include <memory>
#include <string_view>

#include "mellea/backends/backend.h"

namespace mellea {

// Whether `model` can only be one for make_local_backend(): it ends in ".gguf".
bool names_gguf_file(std::string_view model) noexcept;

// `options.model` is the path of a GGUF file, or "org/repo", "org/repo:Q4_K_M" or
// "org/repo:FILE.gguf" of the Hub cache; the backend has that one, whatever a request calls it. Its
// file is looked at now; it is loaded with the first request, and requests wait until it is ready.
// Nothing is downloaded. `options.local` says the rest; what a server elsewhere would need
// (base_url, key, headers, certificates, proxy) is not used.
//
// Where the library was built with libllama it is run in this process: see make_llama_backend().
// Else, or where LocalOptions say so, the program llama-server is a child of this process that ends
// with the backend, or with this process if that is killed. Embeddings have one of their own, since
// a server has either; it starts with the first request for them. If a server dies it is started
// once more (Notice::server_restarted in the stream that comes next), and what had no answer yet is
// sent again.
//
// Its provider is "huggingface". Throws Error: a model that is not there (Errc::not_found), a file
// that is none, no llama-server. May be called from several threads at once; destroying it waits
// until the program has ended, a second at most.
std::shared_ptr<Backend> make_local_backend(const BackendOptions& options,
                                            std::shared_ptr<Network> network);

}  // namespace mellea
