#include "mellea/telemetry/telemetry.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <exception>
#include <mutex>
#include <utility>

#include "mellea/core/fork.h"
#include "mellea/telemetry/batch_processor.h"
#include "mellea/telemetry/metric_reader.h"
#include "mellea/telemetry/metrics_plugins.h"
#include "mellea/telemetry/otlp_file_exporter.h"
#include "mellea/telemetry/otlp_http_exporter.h"
#include "mellea/telemetry/otlp_metric_exporters.h"
#include "mellea/telemetry/pricing.h"
#include "mellea/telemetry/prometheus_server.h"
#include "mellea/telemetry/propagation_plugin.h"
#include "mellea/telemetry/resource.h"
#include "mellea/telemetry/tracer.h"
#include "mellea/telemetry/tracing_plugins.h"
#include "mellea/telemetry/tree_exporter.h"
#include "mellea/telemetry/warnings.h"

namespace mellea::telemetry {
namespace {

constexpr Telemetry::Duration kLastShutdown{5'000};

constexpr Telemetry::Duration kLongestLimit = std::chrono::hours(24);

// What a clock can be set forward by.
Telemetry::Duration possible(Telemetry::Duration limit) noexcept {
  return std::clamp(limit, Telemetry::Duration{}, kLongestLimit);
}

bool are_on(const MetricsConfig& metrics) { return metrics.enabled || !metrics.exporters.empty(); }

constexpr auto kForMetrics = std::chrono::milliseconds(500);  // of a shutdown, at most

// Makes an exporter of its description.
struct Maker {
  const Config& config;
  const std::shared_ptr<const Resource>& resource;
  const std::shared_ptr<Warnings>& warnings;
  std::vector<std::shared_ptr<BatchProcessor>>& processors;

  std::shared_ptr<SpanExporter> operator()(const OtlpHttp& http) const {
    return batched(std::make_unique<OtlpHttpExporter>(http, resource));
  }
  std::shared_ptr<SpanExporter> operator()(const OtlpFile& file) const {
    return batched(std::make_unique<OtlpFileExporter>(file.path, resource));
  }
  std::shared_ptr<SpanExporter> operator()(const TreeText& tree) const {
    return std::make_shared<TreeExporter>(tree.style, tree.write);
  }
  std::shared_ptr<SpanExporter> operator()(const std::shared_ptr<SpanExporter>& own) const {
    return own;
  }

  std::shared_ptr<SpanExporter> batched(std::unique_ptr<BatchSender> sender) const {
    processors.push_back(
        std::make_shared<BatchProcessor>(std::move(sender), config.batch, warnings));
    return processors.back();
  }
};

// Metrics as Prometheus would read them, for people.
class MetricsTextExporter : public MetricExporter {
 public:
  MetricsTextExporter(MetricsText text, std::shared_ptr<const Resource> resource)
      : text_(std::move(text)), resource_(std::move(resource)) {}

  std::string name() const override { return "metrics as text"; }
  MetricsSent send(const MetricBatch& batch) override {
    text_.write(prometheus_text(batch, *resource_, PrometheusFormat::text));
    return {};
  }
  void interrupt() noexcept override {}
  void close() noexcept override {}

 private:
  const MetricsText text_;
  const std::shared_ptr<const Resource> resource_;
};

// How span exporters fare, as metrics.
void observe_health(const MetricRecorder& recorder,
                    const std::vector<std::shared_ptr<BatchProcessor>>& processors) {
  std::vector<std::pair<std::string, std::shared_ptr<BatchProcessor>>> named;
  for (const auto& processor : processors) {
    const std::string name = processor->label();
    std::string own = name;
    const auto taken = [&](const auto& one) { return one.first == own; };
    for (int at = 2; std::any_of(named.begin(), named.end(), taken); ++at)
      own = name + " " + std::to_string(at);
    named.emplace_back(own, processor);
  }
  const auto each = [&](Metric metric, std::int64_t BatchHealth::*count) {
    recorder.observe(metric, [named, count] {
      std::vector<MetricStore::Measured> all;
      for (const auto& [name, processor] : named)
        all.push_back({.value = static_cast<double>(processor->health().*count),
                       .labels = {{Fact::exporter, std::string_view(name)}}});
      return all;
    });
  };
  each(Metric::spans_exported, &BatchHealth::delivered);
  each(Metric::spans_lost, &BatchHealth::lost);
  each(Metric::spans_waiting, &BatchHealth::waiting);
}

}  // namespace

struct Telemetry::State {
  std::shared_ptr<Warnings> warnings{};
  std::shared_ptr<const Resource> resource{};
  std::shared_ptr<const Pricing> pricing{};  // null: off
  std::vector<std::shared_ptr<BatchProcessor>> processors{};
  std::shared_ptr<Tracer> tracer{};      // null: traces are off
  std::shared_ptr<MetricStore> store{};  // null: metrics are off
  std::vector<std::unique_ptr<MetricReader>> readers{};
  std::unique_ptr<PrometheusServer> server{};
  std::atomic<int> port{0};  // where it listens; 0: nowhere
  Plugins plugins{};
  const ForkMark fork{};

  std::mutex mutex{};  // guards all that follows
  std::condition_variable over{};
  bool ending = false;  // a shutdown() has begun
  bool ended = false;
  bool complete = false;  // nothing was lost; known once it has ended

  void start_traces(const Config& config);
  void start_metrics(const Config& config);
  void add(const MetricOutput& output, const MetricsConfig& config);
  bool shutdown_all(Instant until, Duration limit) noexcept;
  bool shutdown_metrics(Instant until) noexcept;
};

void Telemetry::State::start_traces(const Config& config) {
  std::vector<std::shared_ptr<SpanExporter>> exporters;
  for (const Exporter& exporter : config.exporters)
    exporters.push_back(std::visit(Maker{config, resource, warnings, processors}, exporter));
  tracer = std::make_shared<Tracer>(config.sampler, std::move(exporters));
  plugins = make_tracing_plugins(tracer, config.chunk_events, pricing);
}

void Telemetry::State::start_metrics(const Config& config) {
  store = std::make_shared<MetricStore>(config.metrics.exemplars);
  const auto recorder = std::make_shared<const MetricRecorder>(
      store, config.metrics.vocabulary, possible_labels(config.metrics.labels, *warnings));
  observe_health(*recorder, processors);
  for (auto& plugin : make_metrics_plugins(recorder, pricing, config.chunk_events))
    plugins.push_back(std::move(plugin));
  for (const MetricOutput& output : config.metrics.exporters) add(output, config.metrics);
}

void Telemetry::State::add(const MetricOutput& output, const MetricsConfig& config) {
  const auto read_by = [&](std::shared_ptr<MetricExporter> exporter, Temporality temporality) {
    readers.push_back(std::make_unique<MetricReader>(store, std::move(exporter), config.interval,
                                                     temporality, warnings));
  };
  if (const auto* http = std::get_if<OtlpHttp>(&output)) {
    read_by(std::make_shared<OtlpHttpMetricExporter>(*http, resource), config.temporality);
  } else if (const auto* file = std::get_if<OtlpFile>(&output)) {
    read_by(std::make_shared<OtlpFileMetricExporter>(file->path, resource), config.temporality);
  } else if (const auto* text = std::get_if<MetricsText>(&output)) {
    read_by(std::make_shared<MetricsTextExporter>(*text, resource), Temporality::cumulative);
  } else if (const auto* endpoint = std::get_if<PrometheusEndpoint>(&output)) {
    if (server) return warnings->add("metrics are served at one place: the second is left out");
    try {
      server = std::make_unique<PrometheusServer>(
          *endpoint, [store = store, resource = resource](PrometheusFormat format) {
            return prometheus_text(store->collect(), *resource, format);
          });
      port = server->port();
    } catch (const std::exception& error) {
      warnings->add(error.what());
    }
  } else {
    read_by(std::get<std::shared_ptr<MetricExporter>>(output), config.temporality);
  }
}

bool Telemetry::State::shutdown_all(Instant until, Duration limit) noexcept {
  // The last look tells how the spans fared, if their exporters leave it the time.
  const Instant::duration for_metrics =
      readers.empty() ? Instant::duration{} : std::min<Instant::duration>(kForMetrics, limit / 4);
  const bool traced = !tracer || tracer->shutdown(until - for_metrics);
  const bool measured = shutdown_metrics(until);
  warnings->close(until);
  return traced && measured;
}

bool Telemetry::State::shutdown_metrics(Instant until) noexcept {
  for (const auto& reader : readers) reader->thread().stop();
  bool all = true;
  for (const auto& reader : readers) all = reader->thread().shutdown(until) && all;
  port = 0;
  if (server) server->stop(until);
  if (store) store->close(until);
  return all;
}

Telemetry::Telemetry(Config config)
    : Telemetry(EnvironmentSettings{.traces = !config.exporters.empty() || !are_on(config.metrics),
                                    .metrics = are_on(config.metrics),
                                    .config = std::move(config)}) {}

Telemetry::Telemetry(EnvironmentSettings settings) : state_(std::make_unique<State>()) {
  const Config& config = settings.config;
  state_->warnings = std::make_shared<Warnings>(config.warn);
  for (std::string& warning : settings.warnings) state_->warnings->add(std::move(warning));
  if (!settings.traces && !settings.metrics) return;

  state_->resource = std::make_shared<const Resource>(config.service_name, config.resource);
  if (config.pricing.enabled)
    state_->pricing = std::make_shared<const Pricing>(
        config.pricing, settings.metrics || !config.pricing.file.empty(), state_->warnings);
  if (settings.traces) state_->start_traces(config);
  if (settings.metrics) state_->start_metrics(config);
  if (auto plugin = make_propagation_plugin(state_->tracer, config.propagation, *state_->warnings))
    state_->plugins.push_back(std::move(plugin));
  state_->plugins.insert(state_->plugins.end(), config.plugins.begin(), config.plugins.end());
}

Telemetry::Telemetry() noexcept = default;

Telemetry::Telemetry(Telemetry&&) noexcept = default;

Telemetry& Telemetry::operator=(Telemetry&& other) noexcept {
  if (this != &other) {
    const Telemetry gone = std::move(*this);
    state_ = std::move(other.state_);
  }
  return *this;
}

Telemetry::~Telemetry() {
  shutdown(kLastShutdown);
  if (!state_ || !state_->fork.inherited()) return;
  // Threads that are not in this child of fork() may be using it for good: it stays as it is.
  state_->server = nullptr;
  static_cast<void>(state_.release());
}

Telemetry Telemetry::from_env(const Environment& environment,
                              std::function<void(std::string_view)> warn) {
  const TreeText console{
      .style = style_of_standard_error(environment),
      .write = [](std::string_view tree) { std::fwrite(tree.data(), 1, tree.size(), stderr); }};
  EnvironmentSettings settings = read_environment(environment, console);
  settings.config.warn = std::move(warn);
  return Telemetry(std::move(settings));
}

void Telemetry::to_standard_error(std::string_view warning) {
  std::string line = "mellea: ";
  line.append(warning).append("\n");
  std::fwrite(line.data(), 1, line.size(), stderr);
}

Plugins Telemetry::plugins() const { return state_ ? state_->plugins : Plugins(); }

Meter Telemetry::meter(std::string scope) const {
  return state_ ? Meter(state_->store, state_->warnings, std::move(scope)) : Meter();
}

std::string Telemetry::metrics_text(PrometheusFormat format) const {
  if (!state_ || !state_->store) return {};
  return prometheus_text(state_->store->collect(), *state_->resource, format);
}

int Telemetry::prometheus_port() const noexcept { return state_ ? state_->port.load() : 0; }

bool Telemetry::flush(Duration limit) noexcept {
  if (!state_) return true;
  const Instant until = Instant::clock::now() + possible(limit);
  std::vector<ExportThread::Asked> asked;
  for (const auto& reader : state_->readers) asked.push_back(reader->thread().ask());
  bool all = !state_->tracer || state_->tracer->flush(until);
  for (std::size_t at = 0; at < asked.size(); ++at)
    all = state_->readers[at]->thread().wait_for(asked[at], until) && all;
  return all;
}

bool Telemetry::shutdown(Duration limit) noexcept {
  if (!state_ || state_->fork.inherited()) return true;
  limit = possible(limit);
  const Instant until = Instant::clock::now() + limit;
  std::unique_lock lock(state_->mutex);
  if (std::exchange(state_->ending, true)) {  // another thread sees to it, or did
    return state_->over.wait_until(lock, until, [&] { return state_->ended; }) && state_->complete;
  }
  lock.unlock();
  const bool all = state_->shutdown_all(until, limit);
  lock.lock();
  state_->complete = all;
  state_->ended = true;
  state_->over.notify_all();
  return all;
}

std::vector<std::string> Telemetry::warnings() const {
  return state_ ? state_->warnings->all() : std::vector<std::string>();
}

}  // namespace mellea::telemetry
