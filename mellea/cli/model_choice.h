// Which backend and model are meant: flags first, then the environment.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "mellea/backends/backend.h"
#include "mellea/cli/console.h"
#include "mellea/cli/exit_code.h"
#include "mellea/runtime/runtime.h"
#include "mellea/telemetry/environment.h"

namespace mellea::cli {

using telemetry::Environment;

// The value of a variable; empty if it is not set.
std::string value_of(const Environment& environment, const std::string& name);

// As typed; what is empty was not.
struct ModelArguments {
  std::string backend{};
  std::string model{};
  std::string base_url{};
  std::string api_key_env{};
};

// What flags and environment say; what nobody says is empty. HF_TOKEN, which opens more than one
// server, goes to a base URL that is not Hugging Face's only if --api-key-env names it. Throws
// UsageError if --api-key-env names a variable that is not set.
BackendOptions configured_model(const ModelArguments& arguments, const Environment& environment);

// The same, but where nobody names a backend it is "local" for a GGUF file, else Ollama, if one
// answers on this machine; then the console is told. Throws UsageError with the ways to name one if
// none does.
BackendOptions choose_model(const ModelArguments& arguments, const Environment& environment,
                            Console& console);

// The models that the server has. Throws Error; Errc::timeout after `limit`.
std::vector<std::string> models_within(Backend& backend, std::chrono::milliseconds limit);

// What to say where no model is named: the ways to name one, and the first few that the server has,
// if it says so quickly.
std::string no_model_given(Backend& backend);

// What a backend refused before anything was sent. (A backend says its name, others do not.)
UsageError refusal_of(const Error& error, const std::string& backend);

// Throws UsageError for what the backend refuses, or if no model is named.
Session open_session(Runtime& runtime, const BackendOptions& backend, SessionOptions options);

// `a, b, c and 4 more`
std::string first_few(const std::vector<std::string>& names);

}  // namespace mellea::cli
