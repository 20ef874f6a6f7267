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
  const bool is_number = host.find_first_not_of("0123456789.") == host.npos;
  return host == "localhost" || (is_number && host.starts_with("127.")) || host == "::1";
}

}  // namespace mellea::cli
