// How telemetry is set up in code.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "mellea/core/request.h"
#include "mellea/telemetry/sampler.h"
#include "mellea/telemetry/span_exporter.h"
#include "mellea/telemetry/tree.h"

namespace mellea::telemetry {

// To a collector: OTLP over HTTP, in protobuf.
struct OtlpHttp {
  std::string endpoint{};  // the whole URL, as in "http://127.0.0.1:4318/v1/traces"
  Headers headers{};
  bool gzip = false;
  std::chrono::milliseconds timeout{10'000};  // for one request and its retries
  std::string ca_file{};                      // PEM; empty: the system's certificates
};

// Appended to a file: OTLP as JSON, one line a batch.
struct OtlpFile {
  std::string path{};
};

// For people, each trace when it is whole. `write` may be called by several threads at once.
struct TreeText {
  TreeStyle style{};
  std::function<void(std::string_view)> write{};
};

using Exporter = std::variant<OtlpHttp, OtlpFile, TreeText, std::shared_ptr<SpanExporter>>;

// How spans wait for a collector or a file. What the queue has no room for is dropped and counted.
struct BatchOptions {
  std::size_t queue = 2048;                // spans
  std::size_t batch = 512;                 // spans; as many are sent at once
  std::chrono::milliseconds delay{5'000};  // or as many as there are, after this time
};

using ResourceAttributes = std::vector<std::pair<std::string, std::string>>;

struct Config {
  std::string service_name = "mellea";
  ResourceAttributes resource{};  // deployment.environment.name, service.version, ...
  Sampler sampler{};
  std::vector<Exporter> exporters{};
  BatchOptions batch{};       // for each exporter that needs one
  bool chunk_events = false;  // each chunk of a streamed reply is an event on its span
  // What is wrong is told here, one sentence at a time, on any thread.
  std::function<void(std::string_view)> warn{};
};

}  // namespace mellea::telemetry
