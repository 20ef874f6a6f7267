#include "mellea/backends/litellm_backend.h"

#include <utility>

#include "mellea/backends/openai_client.h"

namespace mellea {

std::shared_ptr<Backend> make_litellm_backend(const BackendOptions& options,
                                              std::shared_ptr<Network> network) {
  BackendOptions whole = options;
  if (whole.base_url.empty()) whole.base_url = "http://127.0.0.1:4000";
  return make_openai_client({.provider = "litellm",
                             .auth_hint = "check LITELLM_API_KEY",
                             .start_hint = "litellm --config FILE",
                             .models = {.list = "data", .name = "id"},
                             .models_path = "/models",
                             .told_in_headers = {"x-litellm-", "x-ratelimit-", "llm_provider-"}},
                            std::move(whole), std::move(network));
}

}  // namespace mellea
