#include "mellea/backends/ollama_backend.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "mellea/backends/http_batch.h"
#include "mellea/backends/http_provider.h"
#include "mellea/backends/json_writer.h"
#include "mellea/backends/ollama_pull.h"
#include "mellea/backends/ollama_reply.h"
#include "mellea/backends/ollama_request.h"
#include "mellea/core/scope.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

constexpr std::string_view kDefaultPort = ":11434";

// "host", "host:port", ":port", "::1", "[::1]:port", each perhaps after "user:password@", with both
// host and port.
std::string whole_authority(std::string_view authority) {
  const auto at = authority.rfind('@');
  const std::size_t begin = at == authority.npos ? 0 : at + 1;
  std::string host(authority.substr(begin));
  const bool is_ipv6 = !host.starts_with('[') && std::count(host.begin(), host.end(), ':') > 1;
  if (is_ipv6) host = '[' + host + ']';
  if (host.empty() || host.front() == ':') host.insert(0, "127.0.0.1");
  const auto colon = host.rfind(':');
  const bool has_port = colon != host.npos && host.find(']', colon) == host.npos;
  if (!has_port) host += kDefaultPort;
  return std::string(authority.substr(0, begin)) + host;
}

// With this machine in place of all of its addresses.
void name_this_machine(std::string& url) {
  const std::size_t scheme = url.find("://") + 3;
  const std::size_t at = url.substr(0, url.find_first_of("/?#", scheme)).rfind('@');
  const std::size_t host = at == url.npos ? scheme : at + 1;
  for (const auto& [everywhere, here] :
       {std::pair<std::string_view, std::string_view>{"0.0.0.0", "127.0.0.1"}, {"[::]", "[::1]"}}) {
    const std::size_t end = host + everywhere.size();
    const bool is_host = url.compare(host, everywhere.size(), everywhere) == 0 &&
                         (end == url.size() || url.find_first_of(":/?#", end) == end);
    if (is_host) url.replace(host, everywhere.size(), here);
  }
}

// For ids of calls: short, since OpenAI takes no more than 40 characters, should the conversation
// go on there.
std::string random_stem() { return "call_" + Id::random().text().substr(24) + '_'; }

// What will be said to each of the requests.
HttpProvider::MakeDecoder decoder_for(const Request& request) {
  if (request.kind == Request::Kind::embedding)
    return [prompts = request.prompts.size()](auto names) {
      return make_ollama_embeddings_decoder(std::move(names), prompts);
    };
  return [](auto names) { return make_ollama_decoder(std::move(names), random_stem()); };
}

BackendOptions whole(BackendOptions options) {
  options.base_url = ollama_url(options.base_url);
  return options;
}

HttpProvider http_provider(const BackendOptions& options, std::shared_ptr<Network> network) {
  return HttpProvider({.provider = "ollama",
                       .auth_hint = "check OLLAMA_API_KEY",
                       .start_hint = "ollama serve",
                       .models = {.list = "models", .name = "name"},
                       .models_path = "/api/tags"},
                      whole(options), std::move(network));
}

// A model without a tag is the latest.
std::string with_tag(std::string_view model) {
  const bool has_tag = model.substr(model.rfind('/') + 1).find(':') != model.npos;
  return std::string(model) + (has_tag ? "" : ":latest");
}

PullProgress progress_of(const nlohmann::json& told) {
  const auto text = [&told](const char* name) {
    const auto found = told.find(name);
    return found != told.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const auto bytes = [&told](const char* name) -> std::optional<std::int64_t> {
    const auto found = told.find(name);
    if (found == told.end() || !found->is_number_integer()) return {};
    return found->get<std::int64_t>();
  };
  return {.status = text("status"),
          .digest = text("digest"),
          .completed = bytes("completed"),
          .total = bytes("total")};
}

class OllamaBackend final : public Backend {
 public:
  OllamaBackend(const BackendOptions& options, std::shared_ptr<Network> network)
      : http_(std::make_shared<const HttpProvider>(http_provider(options, std::move(network)))) {}

  std::string_view provider() const override { return "ollama"; }
  Endpoint endpoint() const override { return http_->endpoint(); }

  std::unique_ptr<ReplyStream> start(Request request, std::stop_token stop) override {
    if (request.model.empty()) request.model = http_->options().model;
    const bool streams = request.stream && request.kind != Request::Kind::embedding;
    return send_batch(
        http_, request,
        {.written = write_ollama_request(request),
         .accept = streams ? "application/x-ndjson" : "application/json",
         .decoder_of = [decoder = decoder_for(request)](std::size_t) { return decoder; },
         .missing_hint = "ollama pull " + one_line(request.model, 100)},
        std::move(stop));
  }

  std::vector<std::string> models(std::stop_token stop) override {
    return http_->models(std::move(stop));
  }

 private:
  const std::shared_ptr<const HttpProvider> http_;  // never null
};

}  // namespace

std::string ollama_url(std::string_view setting) {
  setting = trimmed(setting);
  std::string url(setting);
  if (setting.find("://") == setting.npos) {
    const auto path = std::min(setting.find_first_of("/?#"), setting.size());
    url = "http://" + whole_authority(setting.substr(0, path));
    url += setting.substr(path);
  }
  name_this_machine(url);
  return url;
}

std::shared_ptr<Backend> make_ollama_backend(const BackendOptions& options,
                                             std::shared_ptr<Network> network) {
  return std::make_shared<OllamaBackend>(options, std::move(network));
}

void pull_ollama_model(const BackendOptions& options, std::shared_ptr<Network> network,
                       const std::function<void(const PullProgress&)>& progress,
                       std::stop_token stop) {
  if (options.model.empty()) throw Error(Errc::invalid_request, "ollama: no model given to pull");
  const HttpProvider http = http_provider(options, std::move(network));
  const std::string model = with_tag(options.model);
  const std::vector<std::string> known = http.models(stop);
  if (std::find(known.begin(), known.end(), model) != known.end()) return;
  JsonWriter body;
  body.begin_object().key("model").text(RequestChecks("ollama").text(model, {"the model's name"}));
  const auto stream =
      http.send({},
                {.written = {"/api/pull", std::move(body.end_object()).take()},
                 .accept = "application/x-ndjson",
                 .make_decoder = [](auto names) { return make_ollama_pull_decoder(names); }},
                std::move(stop));
  Chunk chunk;
  for (Next next{}; (next = stream->try_next(chunk)) != Next::end;) {
    if (next == Next::pending)
      stream->wait(Instant::max());
    else if (const auto* told = std::get_if<ResponseInfo>(&chunk.what); told && progress)
      progress(progress_of(*told->metadata));
  }
}

}  // namespace mellea
