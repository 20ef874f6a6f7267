// mellea chat --pull: a model that is fetched first.
#pragma once

#include <stop_token>

#include "mellea/backends/backend.h"
#include "mellea/cli/console.h"

namespace mellea::cli {

// Has the Ollama of `options` fetch its model, unless it has it; tells the console how far it is.
// Throws Error; UsageError where it is no Ollama.
void pull(const BackendOptions& options, Console& console, std::stop_token stop);

}  // namespace mellea::cli
