#include "mellea/backends/http_batch.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "mellea/backends/batch_reply.h"
#include "mellea/core/error.h"
#include "mellea/core/instant.h"

namespace mellea {
namespace {

// Sends each request when its turn comes, which may be long after start().
struct Sender {
  std::weak_ptr<const HttpProvider> http{};
  std::string_view name{};  // of the provider
  Request request{};  // its headers and limits
  Instant until{};    // the end of all of them; zero: none
  HttpBatch batch{};
  std::stop_token stop{};

  std::unique_ptr<ReplyStream> send(std::size_t number) {
    const auto provider = http.lock();
    if (!provider) throw Error(Errc::shutdown, std::string(name) + ": the backend is gone");
    if (until != Instant{}) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Instant::clock::now());
      request.limits.whole = std::max(left, std::chrono::milliseconds(1));
    }
    return provider->send(request,
                          {.written = {.path = batch.written.path,
                                       .body = std::move(batch.written.bodies[number]),
                                       .notices = std::exchange(batch.written.notices, {})},
                           .accept = batch.accept,
                           .make_decoder = batch.decoder_of(number),
                           .missing_hint = batch.missing_hint},
                          stop);
  }
};

}  // namespace

std::unique_ptr<ReplyStream> send_batch(const std::shared_ptr<const HttpProvider>& http,
                                        const Request& request, HttpBatch batch,
                                        std::stop_token stop) {
  const std::size_t requests = batch.written.bodies.size();
  const int stride = batch.stride;
  const auto whole = request.limits.whole;
  const auto sender = std::make_shared<Sender>(
      Sender{.http = http,
             .name = http->provider(),
             .request = {.limits = request.limits, .headers = request.headers},
             .until = whole.count() > 0 ? later(Instant::clock::now(), whole) : Instant{},
             .batch = std::move(batch),
             .stop = std::move(stop)});
  return start_batch({.requests = requests,
                      .stride = stride,
                      .start = [sender](std::size_t number) { return sender->send(number); }});
}

}  // namespace mellea
