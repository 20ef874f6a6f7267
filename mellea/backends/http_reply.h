// A reply that comes over HTTP: an exchange, a decoder, and the attempts after failed ones.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string_view>
#include <vector>

#include "mellea/backends/backend.h"
#include "mellea/backends/reply_decoder.h"
#include "mellea/backends/token_source.h"
#include "mellea/net/network.h"
#include "mellea/net/retry.h"

namespace mellea {

struct HttpCall {
  HttpRequest request{};
  std::shared_ptr<const RequestNames> names{};
  std::function<std::unique_ptr<ReplyDecoder>()> make_decoder{};  // one for each attempt
  std::vector<Notice> notices{};                                  // the stream begins with them
  // How the names of headers begin, in lower case, that go into ResponseInfo::metadata. Static.
  std::vector<std::string_view> told_in_headers{};
  RetryRule retry{};
  // Where the header `authorization: Bearer` comes from; null: the request is whole.
  std::shared_ptr<TokenSource> tokens{};
};

// Sends the request. It is sent again, as `retry` says, until something of an answer was delivered;
// each time the stream tells with a Notice. A request that needs a token is sent once that is
// there; if the token is refused (401), it is sent again with the next one, once. No thread waits
// in between: whoever reads the stream brings it on. Limits::whole holds for all attempts together,
// and for the token. The stream does not keep the Network: once that is gone, it fails with
// Errc::shutdown. Throws Error where Network::start() does.
std::unique_ptr<ReplyStream> start_http_reply(const std::shared_ptr<Network>& network,
                                              HttpCall call, std::stop_token stop);

}  // namespace mellea
