#include "mellea/backends/openai_backend.h"

#include <utility>

#include "mellea/backends/http_reply.h"
#include "mellea/backends/openai_reply.h"
#include "mellea/backends/openai_request.h"
#include "mellea/core/text.h"
#include "mellea/net/url.h"

namespace mellea {
namespace {

constexpr std::string_view kOwnHost = "api.openai.com";
constexpr std::string_view kOwnUrl = "https://api.openai.com/v1";

// As parse_url() shows it, without the query: some services take keys there.
std::string shown(std::string_view url) {
  const std::string masked = parse_url(url).shown;
  return masked.substr(0, masked.find('?'));
}

class OpenAiBackend final : public Backend {
 public:
  OpenAiBackend(const BackendOptions& options, std::shared_ptr<Network> network)
      : network_(std::move(network)),
        options_(options),
        base_url_(options.base_url.empty() ? kOwnUrl : options.base_url),
        url_(parse_url(base_url_)),
        dialect_(OpenAiDialect::of_host(url_.host)) {
    if (!network_) throw Error(Errc::invalid_request, "openai: no network given");
    if (url_.host == kOwnHost && options_.api_key.empty())
      throw Error(Errc::auth, "openai: no API key: set OPENAI_API_KEY");
  }

  std::string_view provider() const override { return "openai"; }
  Endpoint endpoint() const override { return {.address = url_.host, .port = url_.port}; }

  std::unique_ptr<ReplyStream> start(Request request, std::stop_token stop) override {
    if (request.model.empty()) request.model = options_.model;
    OpenAiRequest written = write_openai_request(request, dialect_);
    HttpCall call =
        this->call("POST", written.path,
                   {{"content-type", "application/json"},
                    {"accept", request.stream ? "text/event-stream" : "application/json"}});
    replace(call.request.headers, request.headers);
    call.request.body = std::make_shared<const std::string>(std::move(written.body));
    call.request.limits = request.limits;
    call.make_decoder = [names = call.names] { return make_openai_decoder(names); };
    call.notices = std::move(written.notices);
    return start_http_reply(network_, std::move(call), std::move(stop));
  }

  std::vector<std::string> models(std::stop_token stop) override {
    HttpCall call = this->call("GET", "/models", {{"accept", "application/json"}});
    call.make_decoder = [names = call.names] { return make_openai_models_decoder(names); };
    const auto stream = start_http_reply(network_, std::move(call), std::move(stop));
    std::vector<std::string> names;
    Chunk chunk;
    for (Next next{}; (next = stream->try_next(chunk)) != Next::end;) {
      if (next == Next::pending)
        stream->wait(Instant::max());
      else if (auto* name = std::get_if<std::string>(&chunk.what))
        names.push_back(std::move(*name));
    }
    return names;
  }

 private:
  HttpCall call(std::string method, std::string_view path, Headers headers) const {
    HttpCall call;
    call.request.url = join_url(base_url_, path);
    call.names = std::make_shared<const RequestNames>(RequestNames{
        .provider = "openai",
        .request = method + ' ' + shown(call.request.url),
        .auth_hint = url_.host == kOwnHost ? "check OPENAI_API_KEY" : "check the API key"});
    call.request.method = std::move(method);
    call.request.headers = std::move(headers);
    if (!options_.api_key.empty())
      call.request.headers.emplace_back("authorization", "Bearer " + options_.api_key);
    replace(call.request.headers, options_.headers);
    call.request.ca_file = options_.ca_file;
    return call;
  }

  const std::shared_ptr<Network> network_;
  const BackendOptions options_;
  const std::string base_url_;
  const Url url_;
  const OpenAiDialect dialect_;
};

}  // namespace

std::shared_ptr<Backend> make_openai_backend(const BackendOptions& options,
                                             std::shared_ptr<Network> network) {
  return std::make_shared<OpenAiBackend>(options, std::move(network));
}

}  // namespace mellea
