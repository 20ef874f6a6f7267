// How telemetry is set up in code.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "mellea/core/request.h"
#include "mellea/hooks/hook.h"
#include "mellea/telemetry/metric_exporter.h"
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

// Which measurements may become exemplars: values with the span in which they were measured.
enum class ExemplarFilter : std::uint8_t {
  off,
  sampled,  // those in a span that is recorded
  all,
};

// What the sums that are sent to a collector are since.
enum class Temporality : std::uint8_t {
  cumulative,  // since the program began
  delta,       // since the look before
  low_memory,  // as delta, but for what is measured at the look
};

using ResourceAttributes = std::vector<std::pair<std::string, std::string>>;

// The names that metrics and their labels go by.
enum class MetricVocabulary : std::uint8_t {
  mellea,        // the contract of Python Mellea
  otel_1_41,     // the same names, and all labels of the GenAI conventions 1.41.1
  otel_2026_10,  // the GenAI conventions of October 2026
};

// Metrics as text, of all that was counted so far, each time: for people.
struct MetricsText {
  std::function<void(std::string_view)> write{};
};

// Serves metrics to whoever asks by HTTP for /metrics, as Prometheus does.
struct PrometheusEndpoint {
  std::string host = "127.0.0.1";  // where it listens: an address of this machine, or localhost
  int port = 9464;                 // 0: any that is free
};

using MetricOutput = std::variant<OtlpHttp, OtlpFile, MetricsText, PrometheusEndpoint,
                                  std::shared_ptr<MetricExporter>>;

struct MetricsConfig {
  bool enabled = false;                   // counted without an exporter, too: for metrics_text()
  std::vector<MetricOutput> exporters{};  // any: metrics are on
  std::chrono::milliseconds interval{60'000};  // from look to look; not above 0: this default
  Temporality temporality = Temporality::cumulative;  // of all but what Prometheus and people see
  ExemplarFilter exemplars = ExemplarFilter::sampled;
  MetricVocabulary vocabulary = MetricVocabulary::mellea;
  std::vector<std::string>
      labels{};  // keys of the program's labels that ours have, too: at most 12
};

// What tokens cost, for the metric and for spans.
struct PricingOptions {
  bool enabled = true;
  std::string file{};  // prices in LiteLLM's schema, which win over ours; empty: none
};

// Who hears more of a trace than `traceparent`, which every provider hears, and what callers tell.
struct PropagationOptions {
  // Providers that also hear `tracestate` and some of `baggage`: "llm.internal", "*.example.com"
  // for all that is below that, either also with a port. No other host ever does.
  std::vector<std::string> hosts{};
  std::vector<std::string> baggage{};  // keys of what they hear; else nothing of it
  std::vector<std::string> labels{};   // keys of baggage that are labels of what a call does
};

struct Config {
  std::string service_name = "mellea";
  ResourceAttributes resource{};  // deployment.environment.name, service.version, ...
  Sampler sampler{};
  std::vector<Exporter> exporters{};
  BatchOptions batch{};       // for each exporter that needs one
  bool chunk_events = false;  // each chunk of a streamed reply is an event on its span, and counted
  MetricsConfig metrics{};
  PricingOptions pricing{};
  PropagationOptions propagation{};
  Plugins plugins{};  // beside those of telemetry
  // What is wrong is told here, one sentence at a time, on any thread.
  std::function<void(std::string_view)> warn{};
};

}  // namespace mellea::telemetry
