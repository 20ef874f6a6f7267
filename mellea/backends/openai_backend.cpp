#include "mellea/backends/openai_backend.h"

#include <utility>

#include "mellea/backends/openai_client.h"
#include "mellea/backends/openai_request.h"

namespace mellea {
namespace {

constexpr std::string_view kOwnHost = "api.openai.com";

// With the base URL that is meant, and with the key where Azure wants it.
BackendOptions whole(BackendOptions options) {
  if (options.base_url.empty()) options.base_url = "https://api.openai.com/v1";
  if (is_azure(parse_url(options.base_url).host) && !options.api_key.empty()) {
    Headers headers = {{"api-key", std::exchange(options.api_key, {})}};
    replace(headers, options.headers);
    options.headers = std::move(headers);
  }
  return options;
}

HttpProviderTraits traits(const BackendOptions& options) {
  const bool own = parse_url(options.base_url).host == kOwnHost;
  if (own && options.api_key.empty() && !have_authorization(options.headers))
    throw Error(Errc::auth, "openai: no API key: set OPENAI_API_KEY");
  return {.provider = "openai",
          .auth_hint = own ? "check OPENAI_API_KEY" : "check the API key",
          .models = {.list = "data", .name = "id"},
          .models_path = "/models"};
}

}  // namespace

std::shared_ptr<Backend> make_openai_backend(const BackendOptions& options,
                                             std::shared_ptr<Network> network) {
  BackendOptions meant = whole(options);
  HttpProviderTraits its_traits = traits(meant);
  return make_openai_client(std::move(its_traits), std::move(meant), std::move(network));
}

}  // namespace mellea
