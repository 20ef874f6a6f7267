// A small HTTP server that shows one page: /metrics.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "mellea/telemetry/config.h"
#include "mellea/telemetry/prometheus_text.h"

namespace mellea::telemetry {

// One thread, at most 16 connections, heads of at most 8 KiB, 10 s for each: nobody who asks for
// metrics needs more. In a child of fork() it does nothing.
class PrometheusServer {
 public:
  using Render = std::function<std::string(PrometheusFormat)>;

  // Listens when this returns. `render` is called on the server's thread. Throws Error
  // (invalid_request) if it can't listen there.
  PrometheusServer(const PrometheusEndpoint& endpoint, Render render);
  ~PrometheusServer();
  PrometheusServer(const PrometheusServer&) = delete;
  PrometheusServer& operator=(const PrometheusServer&) = delete;

  int port() const noexcept;

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace mellea::telemetry
