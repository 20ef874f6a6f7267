// What the clients of providers over HTTP share: where requests go, and what goes with them.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/backends/backend.h"
#include "mellea/backends/http_reply.h"
#include "mellea/backends/models_reply.h"
#include "mellea/backends/request_checks.h"
#include "mellea/net/url.h"

namespace mellea {

// How one provider differs from the others.
struct HttpProviderTraits {
  std::string_view provider{};  // its name, static
  std::string auth_hint{};      // as in RequestNames
  std::string start_hint{};     // as in RequestNames
  ModelList models{};
  std::string_view models_path{};                   // below the base URL, static
  std::vector<std::string_view> told_in_headers{};  // as in HttpCall
  std::shared_ptr<TokenSource> tokens{};            // for requests that bring no authorization
  RetryRule retry{};
};

// Whether they say who asks.
bool have_authorization(const Headers& headers);

// May be used from several threads at once.
class HttpProvider {
 public:
  // `options.base_url` must be whole. Throws Error (Errc::invalid_request) if it is none.
  HttpProvider(HttpProviderTraits traits, BackendOptions options, std::shared_ptr<Network> network);

  std::string_view provider() const noexcept { return traits_.provider; }
  const BackendOptions& options() const noexcept { return options_; }
  const Url& url() const noexcept { return url_; }
  Endpoint endpoint() const { return {.address = url_.host, .port = url_.port}; }

  using MakeDecoder =
      std::function<std::unique_ptr<ReplyDecoder>(std::shared_ptr<const RequestNames>)>;
  struct Post {
    WrittenRequest written{};
    std::string_view accept{};   // the media type of the answer
    MakeDecoder make_decoder{};  // one for each attempt
    std::string missing_hint{};  // as in RequestNames
  };
  // Of `request` the headers and limits are used; the rest is in `post`. Throws as
  // start_http_reply() does.
  std::unique_ptr<ReplyStream> send(const Request& request, Post post, std::stop_token stop) const;

  // As Backend::models().
  std::vector<std::string> models(std::stop_token stop) const;

 private:
  HttpCall call(std::string method, std::string_view path, Headers headers,
                std::string missing_hint) const;

  const HttpProviderTraits traits_;
  const BackendOptions options_;
  const Url url_;
  const std::string shown_base_url_;
  const std::shared_ptr<Network> network_;  // never null
};

}  // namespace mellea
