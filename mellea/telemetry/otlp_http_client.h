// How any signal gets to a collector, as OTLP requests over HTTP; and JSON to a webhook.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/core/error.h"
#include "mellea/core/instant.h"
#include "mellea/telemetry/batch_sent.h"
#include "mellea/telemetry/config.h"

namespace mellea {
class HttpExchange;
class Network;
}  // namespace mellea

namespace mellea::telemetry {

// On a network loop of its own, so that it shares neither thread nor connections with model calls.
// 429, 502, 503, 504 and lost connections are tried again within the timeout. Used by one thread at
// a time, interrupt() by any.
class OtlpHttpClient {
 public:
  static constexpr std::size_t kMostBytes = 4U << 20U;  // in one request, before compression

  // `what` it sends, for messages: "spans".
  OtlpHttpClient(OtlpHttp settings, std::string_view what);
  // For a webhook: what is posted is JSON, and messages show its host alone.
  explicit OtlpHttpClient(Webhook settings);
  ~OtlpHttpClient();

  const std::string& name() const noexcept { return name_; }  // for messages
  std::string host() const;  // with its port; what else is in a URL may be a secret

  struct Posted {
    std::string failure{};      // why not all was delivered; empty: all was
    bool taken = false;         // the receiver took it, if not all of what is in it
    std::int64_t rejected = 0;  // of what is in it, if it was taken
  };
  // Blocks until `request`, an Export...ServiceRequest in protobuf or what the webhook is to have,
  // is delivered or given up.
  Posted post(std::string request);
  // The same for several that have so many items in them together.
  BatchSent post_all(std::vector<std::string> requests, std::size_t items);
  // Any thread: the post() under way and all that follow give up at once.
  void interrupt() noexcept;
  // No post() follows.
  void close() noexcept;

 private:
  struct Attempt;
  class Current;
  Attempt post_once(const std::shared_ptr<const std::string>& body, std::chrono::milliseconds delay,
                    Instant until);
  void set_current(HttpExchange* exchange);
  std::string failure_of(const Error& error) const;

  const OtlpHttp settings_;
  const std::string what_;  // empty: for a webhook
  const std::string name_;
  std::unique_ptr<Network> network_;  // made by the first post()
  std::atomic<bool> interrupted_{false};
  std::mutex mutex_;
  HttpExchange* current_ = nullptr;  // guarded by mutex_; null: none is under way
};

// How many spans, points or records a receiver says it did not take, in its answer: the field has
// the same place in all of them.
std::int64_t rejected_items(std::string_view answer) noexcept;

}  // namespace mellea::telemetry
