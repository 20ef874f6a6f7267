#include "mellea/telemetry/telemetry.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <utility>

#include "mellea/core/error.h"
#include "mellea/telemetry/batch_processor.h"
#include "mellea/telemetry/metric_reader.h"
#include "mellea/telemetry/metrics_plugins.h"
#include "mellea/telemetry/otlp_file_exporter.h"
#include "mellea/telemetry/otlp_http_exporter.h"
#include "mellea/telemetry/otlp_metric_exporters.h"
#include "mellea/telemetry/pricing.h"
#include "mellea/telemetry/prometheus_server.h"
#include "mellea/telemetry/resource.h"
#include "mellea/telemetry/tracer.h"
#include "mellea/telemetry/tracing_plugins.h"
#include "mellea/telemetry/tree_exporter.h"
#include "mellea/telemetry/warnings.h"

namespace mellea::telemetry {
namespace {

constexpr Telemetry::Duration kLastShutdown{5'000};

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
  std::string send(const MetricBatch& batch) override {
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
  for (const auto& processor : processors) named.emplace_back(processor->name(), processor);
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
  Plugins plugins{};

  void start_traces(const Config& config);
  void start_metrics(const Config& config);
  void add(const MetricOutput& output, const MetricsConfig& config);
  std::string metrics_text(PrometheusFormat format) const;
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
  const auto recorder = std::make_shared<const MetricRecorder>(store, config.metrics.vocabulary,
                                                               config.metrics.labels);
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
          *endpoint, [this](PrometheusFormat format) { return metrics_text(format); });
    } catch (const Error& error) {
      warnings->add(error.what());
    }
  } else {
    read_by(std::get<std::shared_ptr<MetricExporter>>(output), config.temporality);
  }
}

std::string Telemetry::State::metrics_text(PrometheusFormat format) const {
  return prometheus_text(store->collect(), *resource, format);
}

bool Telemetry::State::shutdown_metrics(Instant until) noexcept {
  for (const auto& reader : readers) reader->thread().stop();
  bool all = true;
  for (const auto& reader : readers) all = reader->thread().shutdown(until) && all;
  server = nullptr;
  if (store) store->stop_observing();
  return all;
}

Telemetry::Telemetry(Config config)
    : Telemetry(EnvironmentSettings{
          .traces = !config.exporters.empty() || config.metrics.exporters.empty(),
          .metrics = !config.metrics.exporters.empty(),
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
  state_->plugins.insert(state_->plugins.end(), config.plugins.begin(), config.plugins.end());
}

Telemetry::Telemetry() noexcept = default;

Telemetry::Telemetry(Telemetry&&) noexcept = default;

Telemetry& Telemetry::operator=(Telemetry&& other) noexcept {
  if (this != &other) {
    shutdown(kLastShutdown);
    state_ = std::move(other.state_);
  }
  return *this;
}

Telemetry::~Telemetry() { shutdown(kLastShutdown); }

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
  return state_ && state_->store ? state_->metrics_text(format) : std::string();
}

int Telemetry::prometheus_port() const noexcept {
  return state_ && state_->server ? state_->server->port() : 0;
}

bool Telemetry::flush(Duration limit) noexcept {
  if (!state_) return true;
  const Instant until = Instant::clock::now() + limit;
  std::vector<ExportThread::Asked> asked;
  for (const auto& reader : state_->readers) asked.push_back(reader->thread().ask());
  bool all = !state_->tracer || state_->tracer->flush(until);
  for (std::size_t at = 0; at < asked.size(); ++at)
    all = state_->readers[at]->thread().wait_for(asked[at], until) && all;
  return all;
}

bool Telemetry::shutdown(Duration limit) noexcept {
  if (!state_) return true;
  const Instant now = Instant::clock::now();
  const Instant until = now + limit;
  // The last look tells how the spans fared, if their exporters leave it the time.
  const Instant::duration for_metrics = state_->readers.empty()
                                            ? Instant::duration{}
                                            : std::min<Instant::duration>(kForMetrics, limit / 4);
  const bool traced = !state_->tracer || state_->tracer->shutdown(until - for_metrics);
  return state_->shutdown_metrics(until) && traced;
}

std::vector<std::string> Telemetry::warnings() const {
  return state_ ? state_->warnings->all() : std::vector<std::string>();
}

}  // namespace mellea::telemetry
