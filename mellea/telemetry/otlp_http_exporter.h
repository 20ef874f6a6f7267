// Sends spans to a collector: OTLP in protobuf over HTTP.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "mellea/telemetry/batch_processor.h"
#include "mellea/telemetry/resource.h"

namespace mellea {
class HttpExchange;
class Network;
}  // namespace mellea

namespace mellea::telemetry {

// On a network loop of its own, so that it shares neither thread nor connections with model calls.
// 429, 502, 503, 504 and lost connections are tried again within the timeout.
class OtlpHttpExporter : public BatchSender {
 public:
  static constexpr std::size_t kMostBytes = 4U << 20U;  // in one request, before compression

  OtlpHttpExporter(OtlpHttp settings, std::shared_ptr<const Resource> resource);
  ~OtlpHttpExporter() override;

  std::string name() const override { return name_; }
  std::string send(std::span<const SpanPtr> spans) override;
  void interrupt() noexcept override;
  void close() noexcept override;

 private:
  struct Attempt;
  std::string post(const std::shared_ptr<const std::string>& body);
  Attempt post_once(const std::shared_ptr<const std::string>& body, std::chrono::milliseconds delay,
                    Instant until);
  void set_current(HttpExchange* exchange);

  const OtlpHttp settings_;
  const std::shared_ptr<const Resource> resource_;
  const std::string name_;
  std::unique_ptr<Network> network_;  // made by the first send()
  std::atomic<bool> interrupted_{false};
  std::mutex mutex_;
  HttpExchange* current_ = nullptr;  // guarded by mutex_; null: none is under way
};

}  // namespace mellea::telemetry
