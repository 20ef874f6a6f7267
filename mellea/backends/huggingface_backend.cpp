#include "mellea/backends/huggingface_backend.h"

#include <algorithm>
#include <array>
#include <utility>

#include "mellea/backends/http_batch.h"
#include "mellea/backends/openai_client.h"
#include "mellea/backends/tei_reply.h"
#include "mellea/backends/tei_request.h"
#include "mellea/backends/tgi_reply.h"
#include "mellea/backends/tgi_request.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

constexpr std::string_view kRouter = "https://router.huggingface.co";
constexpr std::string_view kRouterHost = "router.huggingface.co";
constexpr RequestChecks kChecks("huggingface");

enum class Server { router, texts, openai };  // texts: TGI or TEI

Server server_at(const Url& url) {
  std::string_view path = url.path;
  while (path.ends_with('/')) path.remove_suffix(1);
  if (url.host == kRouterHost && (path.empty() || path == "/v1")) return Server::router;
  return path.ends_with("/v1") ? Server::openai : Server::texts;
}

HttpProviderTraits traits(const BackendOptions& options, Server server) {
  const bool demands_token = parse_url(options.base_url).host == kRouterHost;
  if (demands_token && options.api_key.empty() && !have_authorization(options.headers))
    throw Error(Errc::auth, "huggingface: no token: set HF_TOKEN");
  HttpProviderTraits traits{
      .provider = "huggingface",
      .auth_hint = demands_token
                       ? "check HF_TOKEN: it needs the permission to call inference providers, and "
                         "access to the model"
                       : "check the token (--api-key-env HF_TOKEN sends it there)",
      .models = {.list = "data", .name = "id"},
      .models_path = "/models",
      .told_in_headers = {"x-compute-", "x-inference-", "x-queue-time", "x-total-time"}};
  if (server == Server::texts) {
    traits.start_hint = "text-generation-launcher or text-embeddings-router, --model-id MODEL";
    traits.models = {.list = nullptr, .name = "model_id"};
    traits.models_path = "/info";
  }
  return traits;
}

// The model of an embedding, without the provider that is to serve it, as it may stand in a path.
std::string_view model_of_embedding(std::string_view model) {
  static constexpr std::array<std::string_view, 5> kAnybody = {"auto", "fastest", "cheapest",
                                                               "preferred", "hf-inference"};
  const std::string_view name = model.substr(0, model.find(':'));
  const std::string_view provider = name == model ? "auto" : model.substr(name.size() + 1);
  if (std::find(kAnybody.begin(), kAnybody.end(), provider) == kAnybody.end()) {
    const std::string shown = one_line(provider, 60);
    kChecks.refuse("embeddings by " + shown + " need the base URL https://router.huggingface.co/" +
                   shown + "/v1 and its own name of the model");
  }
  const bool is_name = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '/';
  });
  if (name.empty()) kChecks.refuse("no model given");
  if (!is_name || name.find("..") != name.npos || name.front() == '/' || name.back() == '/')
    kChecks.refuse("\"" + one_line(name, 60) + "\" is no name of a model");
  return name;
}

// Chats go to `openai_`; what has protocols of its own is sent from here.
class HuggingFaceBackend final : public Backend {
 public:
  // `options.base_url` is the server's, less any /v1.
  HuggingFaceBackend(Server server, const BackendOptions& options,
                     const std::shared_ptr<Network>& network)
      : is_router_(server == Server::router),
        http_(std::make_shared<const HttpProvider>(traits(options, server), options, network)),
        openai_(openai_client(server, options, network)) {}

  std::string_view provider() const override { return "huggingface"; }
  Endpoint endpoint() const override { return http_->endpoint(); }

  std::unique_ptr<ReplyStream> start(Request request, std::stop_token stop) override {
    if (request.model.empty()) request.model = http_->options().model;
    if (request.kind == Request::Kind::embedding) return embed(request, std::move(stop));
    if (request.kind == Request::Kind::completion && !is_router_)
      return complete(request, std::move(stop));
    if (request.model.empty() && !is_router_) request.model = "tgi";  // which any TGI is
    return openai_->start(std::move(request), std::move(stop));
  }

  std::vector<std::string> models(std::stop_token stop) override {
    return is_router_ ? openai_->models(std::move(stop)) : http_->models(std::move(stop));
  }

 private:
  static std::shared_ptr<Backend> openai_client(Server server, BackendOptions options,
                                                std::shared_ptr<Network> network) {
    options.base_url = join_url(options.base_url, "/v1");
    HttpProviderTraits its = traits(options, server);
    return make_openai_client(std::move(its), std::move(options), std::move(network),
                              server == Server::texts ? OpenAiDialect::of_tgi() : OpenAiDialect());
  }

  std::unique_ptr<ReplyStream> complete(const Request& request, std::stop_token stop) const {
    TgiRequest tgi = write_tgi_request(request);
    const auto stride = static_cast<int>(tgi.asked.answers);
    return send_batch(http_, request,
                      {.written = std::move(tgi.written),
                       .accept = request.stream ? "text/event-stream" : "application/json",
                       .stride = stride,
                       .decoder_of =
                           [asked = std::move(tgi.asked)](std::size_t) {
                             return HttpProvider::MakeDecoder([asked](auto names) {
                               return make_tgi_decoder(std::move(names), asked);
                             });
                           }},
                      std::move(stop));
  }

  std::unique_ptr<ReplyStream> embed(const Request& request, std::stop_token stop) const {
    WrittenBatch written = write_tei_request(request);
    written.path = is_router_
                       ? "/hf-inference/models/" + std::string(model_of_embedding(request.model)) +
                             "/pipeline/feature-extraction"
                       : "/embed";
    return send_batch(http_, request,
                      {.written = std::move(written),
                       .accept = "application/json",
                       .stride = static_cast<int>(kTeiTexts),
                       .decoder_of =
                           [prompts = request.prompts.size()](std::size_t part) {
                             const std::size_t texts =
                                 std::min(kTeiTexts, prompts - part * kTeiTexts);
                             return HttpProvider::MakeDecoder([texts](auto names) {
                               return make_tei_decoder(std::move(names), texts);
                             });
                           }},
                      std::move(stop));
  }

  const bool is_router_;
  const std::shared_ptr<const HttpProvider> http_;  // never null
  const std::shared_ptr<Backend> openai_;           // never null
};

}  // namespace

std::shared_ptr<Backend> make_huggingface_backend(const BackendOptions& options,
                                                  std::shared_ptr<Network> network) {
  BackendOptions whole = options;
  if (whole.base_url.empty()) whole.base_url = kRouter;
  const Url url = parse_url(whole.base_url);
  const Server server = server_at(url);
  if (server == Server::router) whole.base_url = url.scheme + "://" + url.authority();
  if (server != Server::openai) return std::make_shared<HuggingFaceBackend>(server, whole, network);
  HttpProviderTraits its = traits(whole, server);
  return make_openai_client(std::move(its), std::move(whole), std::move(network));
}

bool is_run_by_huggingface(std::string_view base_url) {
  try {
    const Url url = parse_url(base_url);
    return url.scheme == "https" &&
           (url.host == "huggingface.co" || url.host.ends_with(".huggingface.co") ||
            url.host.ends_with(".endpoints.huggingface.cloud"));
  } catch (const Error&) {
    return false;
  }
}

}  // namespace mellea
