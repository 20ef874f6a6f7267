// Ollama: models on this machine, or behind its protocol elsewhere.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
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

// How far the server is with fetching a model, which comes in several parts.
struct PullProgress {
  std::string status{};                     // its words: "pulling manifest"
  std::string digest{};                     // of the part that is fetched now; empty: none is
  std::optional<std::int64_t> completed{};  // bytes of that part
  std::optional<std::int64_t> total{};
};

// Has the server fetch `options.model`, unless it has it. Blocks, for as long as that takes, and
// calls `progress` on this thread; what was fetched before a stop is kept by the server. Throws
// Error: Errc::not_found if there is no such model, cancelled.
void pull_ollama_model(const BackendOptions& options, std::shared_ptr<Network> network,
                       const std::function<void(const PullProgress&)>& progress = {},
                       std::stop_token stop = {});

}  // namespace mellea
