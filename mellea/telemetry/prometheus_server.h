// A small HTTP server that shows one page: /metrics.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "mellea/core/instant.h"
#include "mellea/telemetry/config.h"
#include "mellea/telemetry/prometheus_text.h"

namespace mellea::telemetry {

// One thread, at most 16 connections, heads of at most 8 KiB, 10 s for each: nobody who asks for
// metrics needs more. Who comes when all are taken takes the place of who asked for nothing so far.
// In a child of fork() it does nothing, and its destructor lets go of the child's share of the
// port.
class PrometheusServer {
 public:
  using Render = std::function<std::string(PrometheusFormat)>;

  // Listens when this returns. `render` is called on the server's thread. Throws Error
  // (invalid_request) if it can't listen there.
  PrometheusServer(const PrometheusEndpoint& endpoint, Render render);
  ~PrometheusServer();  // as stop(), within 1 s
  PrometheusServer(const PrometheusServer&) = delete;
  PrometheusServer& operator=(const PrometheusServer&) = delete;

  int port() const noexcept;
  // Returns by `until`. A `render` that takes longer is left behind with the thread it runs on, and
  // with the port.
  void stop(Instant until) noexcept;

 private:
  class Loop;
  const std::shared_ptr<Loop> loop_;  // the thread's, too
  std::thread thread_;                // none once it was stopped
};

}  // namespace mellea::telemetry
