#include "mellea/backends/watsonx_backend.h"

#include <algorithm>
#include <array>
#include <utility>

#include "mellea/backends/http_batch.h"
#include "mellea/backends/http_provider.h"
#include "mellea/backends/iam_tokens.h"
#include "mellea/backends/watsonx_reply.h"
#include "mellea/backends/watsonx_request.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

constexpr std::string_view kApiVersion = "2024-05-31";
constexpr auto kRegions =
    std::to_array<std::string_view>({"au-syd", "ca-tor", "eu-de", "eu-gb", "jp-tok", "us-south"});

[[noreturn]] void refuse(const std::string& what) {
  throw Error(Errc::invalid_request, "watsonx: " + what);
}

std::string known_regions() {
  std::string list;
  for (const std::string_view region : kRegions)
    list.append(list.empty() ? "" : ", ").append(region);
  return list;
}

void check_date(std::string_view text) {
  constexpr std::string_view kForm = "0000-00-00";
  const bool is_date =
      std::equal(text.begin(), text.end(), kForm.begin(), kForm.end(),
                 [](char c, char form) { return form == '-' ? c == '-' : c >= '0' && c <= '9'; });
  if (!is_date)
    refuse("the API version is no date: \"" + one_line(text, 40) + "\": write 2024-05-31");
}

// The base URL with the version that every path must have.
std::string with_version(std::string url, std::string_view version) {
  const auto query = url.find('?');
  if (query != url.npos && url.find("version=", query) != url.npos && version.empty()) return url;
  if (version.empty()) version = kApiVersion;
  check_date(version);
  url += query == url.npos ? '?' : '&';
  return url.append("version=").append(version);
}

// With the base URL that is meant, and, of a Cloud Pak, the key where that wants it.
BackendOptions whole(BackendOptions options) {
  options.base_url = with_version(watsonx_url(options.base_url), options.watsonx.api_version);
  if (options.watsonx.user.empty() || options.api_key.empty()) return options;
  Headers headers = {
      {"authorization", "ZenApiKey " + base64(options.watsonx.user + ':' + options.api_key)}};
  options.api_key.clear();
  replace(headers, options.headers);
  options.headers = std::move(headers);
  return options;
}

std::shared_ptr<TokenSource> tokens_for(BackendOptions& options,
                                        const std::shared_ptr<Network>& network) {
  if (have_authorization(options.headers)) return nullptr;
  if (options.api_key.empty()) throw Error(Errc::auth, "watsonx: no API key: set WATSONX_API_KEY");
  auto tokens = std::make_shared<IamTokens>(options, network);
  options.api_key.clear();  // it goes nowhere else
  return tokens;
}

// watsonx takes one prompt at a time: several are taken out of `request`.
WrittenBatch written_each(Request& request, const WatsonxOptions& options) {
  WrittenBatch batch;
  const auto add = [&] {
    WrittenRequest written = write_watsonx_request(request, options);
    batch.bodies.push_back(std::move(written.body));
    batch.path = std::move(written.path);
    batch.notices = std::move(written.notices);  // all have the same
  };
  if (request.kind != Request::Kind::completion || request.prompts.size() <= 1) {
    add();
    return batch;
  }
  for (std::string& prompt : std::exchange(request.prompts, {})) {
    request.prompts = {std::move(prompt)};
    add();
  }
  return batch;
}

class WatsonxBackend final : public Backend {
 public:
  WatsonxBackend(BackendOptions options, std::shared_ptr<TokenSource> tokens,
                 std::shared_ptr<Network> network)
      : http_(std::make_shared<const HttpProvider>(
            HttpProviderTraits{
                .provider = "watsonx",
                .auth_hint = tokens
                                 ? "check WATSONX_API_KEY, and that its owner may use the project"
                                 : "check the key or the token",
                .models = {.list = "resources", .name = "model_id"},
                .models_path = "/ml/v1/foundation_model_specs?limit=200",  // the most there may be
                .tokens = tokens},
            std::move(options), std::move(network))) {}

  std::string_view provider() const override { return "watsonx"; }
  Endpoint endpoint() const override { return http_->endpoint(); }

  std::unique_ptr<ReplyStream> start(Request request, std::stop_token stop) override {
    if (request.model.empty()) request.model = http_->options().model;
    const bool streams = request.stream && request.kind != Request::Kind::embedding;
    const HttpProvider::MakeDecoder decoder = decoder_for(request);
    return send_batch(http_, request,
                      {.written = written_each(request, http_->options().watsonx),
                       .accept = streams ? "text/event-stream" : "application/json",
                       .decoder_of = [decoder](std::size_t) { return decoder; }},
                      std::move(stop));
  }

  std::vector<std::string> models(std::stop_token stop) override {
    return http_->models(std::move(stop));
  }

 private:
  static HttpProvider::MakeDecoder decoder_for(const Request& request) {
    switch (request.kind) {
      case Request::Kind::chat: return make_watsonx_chat_decoder;
      case Request::Kind::completion: return make_watsonx_generation_decoder;
      case Request::Kind::embedding: break;
    }
    return [prompts = request.prompts.size()](auto names) {
      return make_watsonx_embeddings_decoder(std::move(names), prompts);
    };
  }

  const std::shared_ptr<const HttpProvider> http_;  // never null
};

}  // namespace

std::string watsonx_url(std::string_view setting) {
  if (setting.empty())
    refuse("no URL: set WATSONX_URL to that of your region, or to its name: " + known_regions());
  if (setting.find_first_of(":/.") != setting.npos) return std::string(setting);
  if (std::find(kRegions.begin(), kRegions.end(), setting) == kRegions.end()) {
    const std::string meant = did_you_mean(setting, kRegions);
    refuse("unknown region \"" + one_line(setting, 60) + '"' +
           (meant.empty() ? ": known are " + known_regions() : meant));
  }
  return "https://" + std::string(setting) + ".ml.cloud.ibm.com";
}

std::shared_ptr<Backend> make_watsonx_backend(const BackendOptions& options,
                                              std::shared_ptr<Network> network) {
  BackendOptions meant = whole(options);
  std::shared_ptr<TokenSource> tokens = tokens_for(meant, network);
  return std::make_shared<WatsonxBackend>(std::move(meant), std::move(tokens), std::move(network));
}

}  // namespace mellea
