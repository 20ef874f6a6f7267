#include "mellea/backends/backend.h"

#include <array>
#include <utility>

#include "mellea/backends/huggingface_backend.h"
#include "mellea/backends/litellm_backend.h"
#include "mellea/backends/local_backend.h"
#include "mellea/backends/local_model.h"
#include "mellea/backends/ollama_backend.h"
#include "mellea/backends/openai_backend.h"
#include "mellea/backends/scripted_backend.h"
#include "mellea/backends/watsonx_backend.h"
#include "mellea/core/text.h"
#include "mellea/net/network.h"

namespace mellea {
namespace {

constexpr std::array<std::string_view, 7> kBackends = {
    "huggingface", "litellm", "local", "ollama", "openai", "scripted", "watsonx"};

[[noreturn]] void refuse_unknown(std::string_view name) {
  std::string known;
  for (const std::string_view backend : kBackends)
    known.append(known.empty() ? ": known are " : ", ").append(backend);
  const std::string meant = did_you_mean(name, kBackends);
  const std::string what = name.empty() ? std::string("no backend given")
                                        : "unknown backend \"" + one_line(name, 60) + "\"";
  throw Error(Errc::invalid_request, what + (meant.empty() ? known : meant));
}

bool is_local(const BackendOptions& options) {
  return options.backend == "local" || (options.backend == "huggingface" &&
                                        options.base_url.empty() && names_gguf_file(options.model));
}

}  // namespace

std::span<const std::string_view> backend_names() noexcept { return kBackends; }

std::string model_name(const BackendOptions& options) {
  return is_local(options) ? local_model_name(options.model) : options.model;
}

std::shared_ptr<Network> make_network(std::function<void(const Notice&)> diagnostic) {
  return std::make_shared<Network>(std::move(diagnostic));
}

void stop(Network& network) noexcept { network.stop(); }

std::shared_ptr<Backend> make_backend(const BackendOptions& options,
                                      std::shared_ptr<Network> network) {
  if (options.backend == "litellm") return make_litellm_backend(options, std::move(network));
  if (is_local(options)) return make_local_backend(options, std::move(network));
  if (options.backend == "huggingface")
    return make_huggingface_backend(options, std::move(network));
  if (options.backend == "ollama") return make_ollama_backend(options, std::move(network));
  if (options.backend == "openai") return make_openai_backend(options, std::move(network));
  if (options.backend == "scripted")
    return std::make_shared<ScriptedBackend>(ScriptedOptions{.echo = true});
  if (options.backend == "watsonx") return make_watsonx_backend(options, std::move(network));
  refuse_unknown(options.backend);
}

}  // namespace mellea
