#include "mellea/cli/probe.h"

#include <memory>
#include <utility>

namespace mellea::cli {

Probe probe(Network& network, HttpRequest request, std::chrono::milliseconds limit) {
  request.limits.connect = request.limits.whole = limit;
  const Instant began = Instant::clock::now();
  const std::unique_ptr<HttpExchange> exchange = network.start(std::move(request));
  while (exchange->try_next() == HttpNext::pending) exchange->wait(Instant::max());
  return {.status = exchange->head().status, .took = Instant::clock::now() - began};
}

bool is_this_machine(const std::string& host) {
  return host == "localhost" || host.starts_with("127.") || host == "::1";
}

}  // namespace mellea::cli
