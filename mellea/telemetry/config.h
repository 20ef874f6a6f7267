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
#include "mellea/telemetry/log_record.h"
#include "mellea/telemetry/metric_exporter.h"
#include "mellea/telemetry/sampler.h"
#include "mellea/telemetry/span_exporter.h"
#include "mellea/telemetry/tree.h"
#include "mellea/telemetry/vocabulary.h"

namespace mellea::telemetry {

class MetricMirror;

// How an exporter shows spans. Of log records only `content` says something: whether those of what
// was said go there. All else on an exporter of metrics or of records has no effect, which is a
// warning.
struct SpanStyle {
  std::vector<Vocabulary> names{};  // none: those of the Config. What can't be is a warning
  bool content = true;              // false: without what was said, even where that is recorded
  // Which spans go there, by their labels; null: all. Asked on the thread that ends a span. What it
  // throws loses the span.
  std::function<bool(const SpanRecord&)> when{};

  bool is_default() const noexcept { return names.empty() && content && !when; }
};

// To a collector: OTLP over HTTP, in protobuf.
struct OtlpHttp {
  std::string endpoint{};  // the whole URL, as in "http://127.0.0.1:4318/v1/traces"
  Headers headers{};
  bool gzip = false;
  std::chrono::milliseconds timeout{10'000};  // for one request and its retries
  std::string ca_file{};                      // PEM; empty: the system's certificates
  SpanStyle style{};
};

// Appended to a file: OTLP as JSON, one line a batch.
struct OtlpFile {
  std::string path{};
  SpanStyle style{};
};

// For people, each trace when it is whole. `write` may be called by several threads at once.
struct TreeText {
  TreeStyle style{};
  std::function<void(std::string_view)> write{};
};

using Exporter = std::variant<OtlpHttp, OtlpFile, TreeText, std::shared_ptr<SpanExporter>>;

// How spans or log records wait for a collector or a file. What the queue has no room for is
// dropped and counted.
struct BatchOptions {
  std::size_t queue = 2048;
  std::size_t batch = 512;                 // as many are sent at once
  std::chrono::milliseconds delay{5'000};  // or as many as there are, after this time
  std::size_t bytes = 64U << 20U;          // that spans take, those under way included
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
  Vocabulary vocabulary = Vocabulary::mellea;  // those of spans alone are mellea, and a warning
  std::vector<std::string>
      labels{};  // keys of the program's labels that ours have, too: at most 12
  std::shared_ptr<MetricMirror> mirror{};  // hears of all that is measured; any: metrics are on
};

// Where what was said to a model, and by it, is shown.
enum class ContentMode : std::uint8_t {
  none = 0,
  span = 1,   // on the spans
  event = 2,  // in a log record for each request, whether its span is sampled or not
  both = 3,
};

constexpr ContentMode operator|(ContentMode a, ContentMode b) noexcept {
  return static_cast<ContentMode>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}

constexpr bool includes(ContentMode mode, ContentMode one) noexcept { return (mode | one) == mode; }

struct ContentOptions {
  ContentMode mode = ContentMode::none;
  // Makes of each text what may be shown; given all of it, once for each place where it is shown,
  // by several threads at once. If it throws, the text is withheld, and that is a warning. What is
  // shown of error messages goes through it too.
  std::function<std::string(std::string_view)> redact{};
  std::size_t text = 8'192;        // code points of one text; what is longer ends in "..."
  std::size_t attribute = 65'536;  // bytes of one attribute that is JSON
};

// What is shown of the messages of failures.
enum class ErrorMessages : std::uint8_t {
  none,
  // What a provider said in its JSON: 256 code points, without keys, and not where the request was
  // at fault (400, 422), or 16 code points in a row are of it.
  safe,
  full,  // all that the exception says, without keys
};

// Log records for people, or for what reads standard error: each as text in two lines, or as one
// line of JSON. `write` gets a whole record at a time, on the thread that logs; several may come at
// once.
struct LogText {
  bool json = false;
  bool colour = false;
  std::function<void(std::string_view)> write{};
};

// Appended to a file, a line each. When it would become larger than `max_bytes` it is renamed to
// NAME.1.EXT, what was that to NAME.2.EXT, and so on, and the oldest of them goes. Of one process.
struct LogFile {
  std::string path{};
  bool json = false;
  std::size_t max_bytes = 10'485'760;
  std::size_t backups = 5;
};

// Posted as JSON to a URL: arrays of records.
struct Webhook {
  std::string url{};  // its path is never shown: it may be a key
  Headers headers{};
  bool insecure_http_allowed = false;         // else the URL must be https
  std::chrono::milliseconds timeout{10'000};  // for one request and its retries
  std::string ca_file{};                      // PEM; empty: the system's certificates
};

using LogOutput =
    std::variant<OtlpHttp, OtlpFile, LogText, LogFile, Webhook, std::shared_ptr<LogExporter>>;

struct LogsConfig {
  std::vector<LogOutput> exporters{};                             // any: logs are on
  Severity level = Severity::info;                                // what is less is left out
  BatchOptions batch{.delay = std::chrono::milliseconds(1'000)};  // of all but LogText
  ResourceAttributes fields{};  // on each record that is written as JSON
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
  std::vector<Vocabulary> names{};  // of spans, where an exporter has none of its own; none: mellea
  BatchOptions batch{};             // for each exporter that needs one
  bool chunk_events = false;  // each chunk of a streamed reply is an event on its span, and counted
  MetricsConfig metrics{};
  LogsConfig logs{};
  PricingOptions pricing{};
  PropagationOptions propagation{};
  Plugins plugins{};  // beside those of telemetry
  // What is wrong is told here, one sentence at a time, on any thread.
  std::function<void(std::string_view)> warn{};
  ContentOptions content{};
  ErrorMessages error_messages = ErrorMessages::none;
};

}  // namespace mellea::telemetry
