#include "mellea/backends/openai_backend.h"

#include <algorithm>
#include <utility>

#include "mellea/backends/http_provider.h"
#include "mellea/backends/openai_reply.h"
#include "mellea/backends/openai_request.h"

namespace mellea {
namespace {

constexpr std::string_view kOwnHost = "api.openai.com";

// With the base URL that is meant, and with the key where Azure wants it.
BackendOptions whole(BackendOptions options) {
  if (options.base_url.empty()) options.base_url = "https://api.openai.com/v1";
  if (parse_url(options.base_url).host.ends_with(".openai.azure.com") && !options.api_key.empty()) {
    Headers headers = {{"api-key", std::exchange(options.api_key, {})}};
    replace(headers, options.headers);
    options.headers = std::move(headers);
  }
  return options;
}

// What will be said to the request.
HttpProvider::MakeDecoder decoder_for(const Request& request) {
  const std::size_t prompts = request.prompts.size();
  switch (request.kind) {
    case Request::Kind::chat: break;
    case Request::Kind::completion: {
      const auto choices = request.options.choices ? *request.options.choices : 1;
      return [answers =
                  prompts * static_cast<std::size_t>(std::clamp<std::int64_t>(choices, 1, 1024))](
                 auto names) { return make_openai_decoder(std::move(names), answers); };
    }
    case Request::Kind::embedding:
      return [prompts](auto names) {
        return make_openai_embeddings_decoder(std::move(names), prompts);
      };
  }
  return [](auto names) { return make_openai_decoder(std::move(names)); };
}

HttpProviderTraits traits(const BackendOptions& options) {
  const bool own = parse_url(options.base_url).host == kOwnHost;
  if (own && options.api_key.empty())
    throw Error(Errc::auth, "openai: no API key: set OPENAI_API_KEY");
  return {.provider = "openai",
          .auth_hint = own ? "check OPENAI_API_KEY" : "check the API key",
          .models = {.list = "data", .name = "id"},
          .models_path = "/models"};
}

class OpenAiBackend final : public Backend {
 public:
  OpenAiBackend(const BackendOptions& options, std::shared_ptr<Network> network)
      : http_(traits(options), options, std::move(network)),
        dialect_(OpenAiDialect::of_host(http_.url().host)) {}

  std::string_view provider() const override { return "openai"; }
  Endpoint endpoint() const override { return http_.endpoint(); }

  std::unique_ptr<ReplyStream> start(Request request, std::stop_token stop) override {
    if (request.model.empty()) request.model = http_.options().model;
    return http_.send(
        request,
        {.written = write_openai_request(request, dialect_),
         .accept = request.stream && request.kind != Request::Kind::embedding ? "text/event-stream"
                                                                              : "application/json",
         .make_decoder = decoder_for(request)},
        std::move(stop));
  }

  std::vector<std::string> models(std::stop_token stop) override {
    return http_.models(std::move(stop));
  }

 private:
  const HttpProvider http_;
  const OpenAiDialect dialect_;
};

}  // namespace

std::shared_ptr<Backend> make_openai_backend(const BackendOptions& options,
                                             std::shared_ptr<Network> network) {
  return std::make_shared<OpenAiBackend>(whole(options), std::move(network));
}

}  // namespace mellea
