// Ollama: models on this machine, or behind its protocol elsewhere.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "mellea/backends/backend.h"

namespace mellea {

// The URL that a setting means, by the rules of OLLAMA_HOST: empty is http://127.0.0.1:11434; a
// host or host:port is http, port 11434 if it has none; a whole URL stays as it is. The address
// that a server listens on everywhere with (0.0.0.0, [::]) means this machine.
std::string ollama_url(std::string_view setting);

// `options.base_url` as in ollama_url(). A key goes out as `authorization: Bearer`; no server on
// this machine needs one. Throws Error (Errc::invalid_request) for a base_url that is none. May be
// called from several threads at once.
std::shared_ptr<Backend> make_ollama_backend(const BackendOptions& options,
                                             std::shared_ptr<Network> network);

}  // namespace mellea
