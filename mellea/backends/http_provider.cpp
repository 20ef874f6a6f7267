#include "mellea/backends/http_provider.h"

#include <utility>

namespace mellea {
namespace {

// As it may be shown: some services take keys in the query.
std::string without_query(const Url& url) { return url.shown.substr(0, url.shown.find('?')); }

}  // namespace

bool have_authorization(const Headers& headers) {
  Headers others = headers;
  replace(others, {{"authorization", ""}});  // stands in place of one, or is one more
  return others.size() <= headers.size();
}

HttpProvider::HttpProvider(HttpProviderTraits traits, BackendOptions options,
                           std::shared_ptr<Network> network)
    : traits_(std::move(traits)),
      options_(std::move(options)),
      url_(parse_url(options_.base_url)),
      shown_base_url_(without_query(url_)),
      network_(std::move(network)) {
  if (!network_)
    throw Error(Errc::invalid_request, std::string(traits_.provider) + ": no network given");
}

std::unique_ptr<ReplyStream> HttpProvider::send(const Request& request, Post post,
                                                std::stop_token stop) const {
  HttpCall call =
      this->call("POST", post.written.path,
                 {{"content-type", "application/json"}, {"accept", std::string(post.accept)}},
                 std::move(post.missing_hint));
  replace(call.request.headers, request.headers);
  if (call.tokens && have_authorization(call.request.headers)) call.tokens = nullptr;
  call.request.body = std::make_shared<const std::string>(std::move(post.written.body));
  call.request.limits = request.limits;
  call.make_decoder = [make = std::move(post.make_decoder), names = call.names] {
    return make(names);
  };
  call.notices = std::move(post.written.notices);
  return start_http_reply(network_, std::move(call), std::move(stop));
}

std::vector<std::string> HttpProvider::models(std::stop_token stop) const {
  HttpCall call = this->call("GET", traits_.models_path, {{"accept", "application/json"}}, {});
  call.make_decoder = [form = traits_.models, names = call.names] {
    return make_models_decoder(names, form);
  };
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

HttpCall HttpProvider::call(std::string method, std::string_view path, Headers headers,
                            std::string missing_hint) const {
  HttpCall call;
  call.request.url = join_url(options_.base_url, path);
  call.names = std::make_shared<const RequestNames>(
      RequestNames{.provider = std::string(traits_.provider),
                   .request = method + ' ' + join_url(shown_base_url_, path),
                   .auth_hint = traits_.auth_hint,
                   .missing_hint = std::move(missing_hint),
                   .start_hint = traits_.start_hint});
  call.told_in_headers = traits_.told_in_headers;
  call.retry = traits_.retry;
  call.request.method = std::move(method);
  call.request.headers = std::move(headers);
  if (!options_.api_key.empty())
    call.request.headers.emplace_back("authorization", "Bearer " + options_.api_key);
  replace(call.request.headers, options_.headers);
  call.tokens = traits_.tokens;
  call.request.ca_file = options_.ca_file;
  call.request.certificate_file = options_.certificate_file;
  call.request.key_file = options_.key_file;
  call.request.proxy = options_.proxy;
  call.request.http2 = options_.http2;
  return call;
}

}  // namespace mellea
