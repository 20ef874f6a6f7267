// A program that makes calls, and what its receivers of telemetry got of it.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <protozero/pbf_reader.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mellea/backends/scripted_backend.h"
#include "mellea/mellea.h"
#include "mellea/net/testing/loopback_server.h"
#include "mellea/telemetry.h"

namespace mellea {

using namespace std::chrono_literals;

// How many spans a session with so many chats has: itself, and an action and a chat for each.
constexpr int spans_of(int chats) { return 1 + 2 * chats; }

// Makes so many calls, each of which is to be answered as if there were no telemetry.
inline void make_calls(const Telemetry& telemetry, int count) {
  const auto backend = std::make_shared<ScriptedBackend>(ScriptedOptions{.echo = true});
  Runtime runtime({.plugins = telemetry.plugins()});
  Session session = runtime.start_session(backend, "demo");
  for (int at = 0; at < count; ++at) {
    const std::string text = "call " + std::to_string(at);
    EXPECT_EQ(session.chat(text).text(), text);
  }
}

// How many spans there are in an ExportTraceServiceRequest.
inline int spans_in(const std::string& request) {
  int count = 0;
  for (protozero::pbf_reader all(request); all.next(1);)
    for (protozero::pbf_reader of_resource = all.get_message(); of_resource.next(2);)
      for (protozero::pbf_reader of_scope = of_resource.get_message(); of_scope.next(2);
           of_scope.skip())
        ++count;
  return count;
}

// A collector that does as the script says that it is given for each request, counted from 0.
class Receiver {
 public:
  using Answer = std::function<Script(int request)>;

  explicit Receiver(Answer answer) : answer_(std::move(answer)) {}

  LoopbackServer& server() { return server_; }
  telemetry::OtlpHttp traces() const { return {.endpoint = server_.url("/v1/traces")}; }
  telemetry::OtlpHttp metrics() const { return {.endpoint = server_.url("/v1/metrics")}; }
  int batches() const { return static_cast<int>(trace_requests().size()); }
  // How many spans are in the requests from that one on.
  int spans_from(int request) const {
    int count = 0;
    const auto requests = trace_requests();
    for (std::size_t at = static_cast<std::size_t>(request); at < requests.size(); ++at)
      count += spans_in(requests[at]);
    return count;
  }

 private:
  std::vector<std::string> trace_requests() const {
    std::vector<std::string> bodies;
    for (const ReceivedRequest& request : server_.requests())
      if (request.path == "/v1/traces") bodies.push_back(request.body);
    return bodies;
  }

  const Answer answer_;
  std::atomic<int> traces_{0};
  std::atomic<int> metrics_{0};
  LoopbackServer server_{[this](const ReceivedRequest& request) {
    return answer_(request.path == "/v1/traces" ? traces_++ : metrics_++);
  }};
};

// What telemetry has warned of.
class Warned {
 public:
  std::function<void(std::string_view)> teller() {
    return [this](std::string_view warning) {
      const std::lock_guard lock(mutex_);
      all_.emplace_back(warning);
    };
  }
  std::vector<std::string> all() const {
    const std::lock_guard lock(mutex_);
    return all_;
  }
  // The sum of all "N spans lost".
  int spans_lost() const {
    int sum = 0;
    for (const std::string& warning : all()) {
      const std::size_t end = warning.find(" spans lost: ");
      if (end == std::string::npos) continue;
      const std::size_t begin = warning.rfind(' ', end - 1) + 1;
      int lost = 0;
      std::from_chars(warning.data() + begin, warning.data() + end, lost);
      sum += lost;
    }
    return sum;
  }
  // How many warnings say that.
  int count(std::string_view what) const {
    int count = 0;
    for (const std::string& warning : all()) count += warning.find(what) != warning.npos ? 1 : 0;
    return count;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> all_;  // guarded by mutex_
};

}  // namespace mellea
