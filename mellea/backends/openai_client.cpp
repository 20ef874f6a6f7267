#include "mellea/backends/openai_client.h"

#include <algorithm>
#include <utility>

#include "mellea/backends/openai_reply.h"

namespace mellea {
namespace {

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

class OpenAiClient final : public Backend {
 public:
  OpenAiClient(HttpProviderTraits traits, BackendOptions options, std::shared_ptr<Network> network,
               std::optional<OpenAiDialect> dialect)
      : provider_(traits.provider),
        http_(std::move(traits), std::move(options), std::move(network)),
        dialect_(dialect.value_or(OpenAiDialect::of_host(http_.url().host))) {}

  std::string_view provider() const override { return provider_; }
  Endpoint endpoint() const override { return http_.endpoint(); }

  std::unique_ptr<ReplyStream> start(Request request, std::stop_token stop) override {
    if (request.model.empty()) request.model = http_.options().model;
    return http_.send(request, openai_post(request, dialect_, provider_), std::move(stop));
  }

  std::vector<std::string> models(std::stop_token stop) override {
    return http_.models(std::move(stop));
  }

 private:
  const std::string_view provider_;
  const HttpProvider http_;
  const OpenAiDialect dialect_;
};

}  // namespace

HttpProvider::Post openai_post(const Request& request, OpenAiDialect dialect,
                               std::string_view provider) {
  const bool streams = request.stream && request.kind != Request::Kind::embedding;
  return {.written = write_openai_request(request, dialect, provider),
          .accept = streams ? "text/event-stream" : "application/json",
          .make_decoder = decoder_for(request)};
}

std::shared_ptr<Backend> make_openai_client(HttpProviderTraits traits, BackendOptions options,
                                            std::shared_ptr<Network> network,
                                            std::optional<OpenAiDialect> dialect) {
  return std::make_shared<OpenAiClient>(std::move(traits), std::move(options), std::move(network),
                                        dialect);
}

}  // namespace mellea
