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
#include "mellea/telemetry/choosing_exporter.h"
#include "mellea/telemetry/content.h"
#include "mellea/telemetry/content_logging_plugin.h"
#include "mellea/telemetry/error_text.h"
#include "mellea/telemetry/log_exporters.h"
#include "mellea/telemetry/log_file_sender.h"
#include "mellea/telemetry/log_senders.h"
#include "mellea/telemetry/logging_plugins.h"
#include "mellea/telemetry/metric_reader.h"
#include "mellea/telemetry/metrics_plugins.h"
#include "mellea/telemetry/otlp_file_exporter.h"
#include "mellea/telemetry/otlp_http_exporter.h"
#include "mellea/telemetry/otlp_metric_exporters.h"
#include "mellea/telemetry/pricing.h"
#include "mellea/telemetry/prometheus_server.h"
#include "mellea/telemetry/propagation_plugin.h"
#include "mellea/telemetry/resource.h"
#include "mellea/telemetry/span_view.h"
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

bool are_on(const MetricsConfig& metrics) {
  return metrics.enabled || !metrics.exporters.empty() || metrics.mirror;
}
bool are_on(const LogsConfig& logs) { return !logs.exporters.empty(); }

// Of a shutdown, at most: for what tells how those before fared.
constexpr auto kForMetrics = std::chrono::milliseconds(500);
constexpr auto kForLogs = std::chrono::milliseconds(500);

// Makes an exporter of its description.
struct Maker {
  const Config& config;
  const std::shared_ptr<const Resource>& resource;
  const std::shared_ptr<Warnings>& warnings;
  std::vector<std::shared_ptr<BatchProcessor>>& processors;

  std::shared_ptr<SpanExporter> operator()(const OtlpHttp& http) const {
    return chosen(http.style,
                  std::make_unique<OtlpHttpExporter>(http, resource, view_of(http.style)));
  }
  std::shared_ptr<SpanExporter> operator()(const OtlpFile& file) const {
    return chosen(file.style,
                  std::make_unique<OtlpFileExporter>(file.path, resource, view_of(file.style)));
  }
  std::shared_ptr<SpanExporter> operator()(const TreeText& tree) const {
    return std::make_shared<TreeExporter>(tree.style, tree.write);
  }
  std::shared_ptr<SpanExporter> operator()(const std::shared_ptr<SpanExporter>& own) const {
    return own;
  }

  SpanView view_of(const SpanStyle& style) const {
    const auto warn = [&](std::string text) { warnings->add(std::move(text)); };
    const auto& names = style.names.empty() ? config.names : style.names;
    return {Vocabularies::together(names, warn), style.content};
  }
  std::shared_ptr<SpanExporter> chosen(const SpanStyle& style,
                                       std::unique_ptr<BatchSender> sender) const {
    processors.push_back(
        std::make_shared<BatchProcessor>(std::move(sender), config.batch, warnings));
    if (!style.when) return processors.back();
    return std::make_shared<ChoosingExporter>(processors.back(), style.when);
  }
};

// Keeps what was said from an exporter.
class WithoutDetails : public LogExporter {
 public:
  explicit WithoutDetails(std::shared_ptr<LogExporter> exporter) : exporter_(std::move(exporter)) {}

  void export_logs(std::span<const LogPtr> logs) noexcept override {
    for (const LogPtr& log : logs)
      if (log->event != kOperationDetails) exporter_->export_logs({&log, 1});
  }
  bool flush(Instant until) noexcept override { return exporter_->flush(until); }
  bool shutdown(Instant until) noexcept override { return exporter_->shutdown(until); }
  std::int64_t lost() const noexcept override { return exporter_->lost(); }

 private:
  const std::shared_ptr<LogExporter> exporter_;
};

// The same for log records. Throws Error where the description makes none.
struct LogMaker {
  const LogsConfig& config;
  const std::shared_ptr<const Resource>& resource;
  const std::shared_ptr<Warnings>& warnings;
  std::vector<std::shared_ptr<LogBatchProcessor>>& processors;

  std::shared_ptr<LogExporter> operator()(const OtlpHttp& http) const {
    return shown(http.style, std::make_unique<OtlpHttpLogSender>(http, resource));
  }
  std::shared_ptr<LogExporter> operator()(const OtlpFile& file) const {
    return shown(file.style, std::make_unique<OtlpFileLogSender>(file.path, resource));
  }
  std::shared_ptr<LogExporter> operator()(const LogText& text) const {
    return std::make_shared<LogTextExporter>(text, config.level, config.fields);
  }
  std::shared_ptr<LogExporter> operator()(const LogFile& file) const {
    return for_lines(batched(std::make_unique<LogFileSender>(file, config.fields)));
  }
  std::shared_ptr<LogExporter> operator()(const Webhook& webhook) const {
    return for_lines(batched(std::make_unique<WebhookSender>(webhook, config.fields)));
  }
  std::shared_ptr<LogExporter> operator()(const std::shared_ptr<LogExporter>& own) const {
    return own;
  }

  // Which tenant a record is of is not asked of records: who asks for some gets what was said of
  // none.
  std::shared_ptr<LogExporter> shown(const SpanStyle& style,
                                     std::unique_ptr<LogSender> sender) const {
    if (!style.names.empty() || style.when)
      warnings->add(
          "the names and the choice of an exporter's style are for spans: log records "
          "have none");
    auto exporter = batched(std::move(sender));
    if (style.content && !style.when) return exporter;
    return std::make_shared<WithoutDetails>(std::move(exporter));
  }
  // What was said is of DEBUG, and only where structure is known it goes beyond the level.
  std::shared_ptr<LogExporter> for_lines(std::shared_ptr<LogExporter> exporter) const {
    if (config.level <= Severity::debug) return exporter;
    return std::make_shared<WithoutDetails>(std::move(exporter));
  }

  std::shared_ptr<LogExporter> batched(std::unique_ptr<LogSender> sender) const {
    processors.push_back(
        std::make_shared<LogBatchProcessor>(std::move(sender), config.batch, warnings));
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

Vocabulary metric_vocabulary(Vocabulary wanted, Warnings& warnings) {
  const Vocabulary used = Vocabularies(wanted).of_metrics();
  if (used != wanted)
    warnings.add("there are no metrics in " + std::string(to_string(wanted)) +
                 ": they are called as in " + std::string(to_string(used)));
  return used;
}

struct HealthMetrics {
  Metric exported{};
  Metric lost{};
  Metric waiting{};
};

// How exporters of spans or log records fare, as metrics.
template <class Processor>
void observe_health(const MetricRecorder& recorder, const HealthMetrics& metrics,
                    const std::vector<std::shared_ptr<Processor>>& processors) {
  std::vector<std::pair<std::string, std::shared_ptr<Processor>>> named;
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
  each(metrics.exported, &BatchHealth::delivered);
  each(metrics.lost, &BatchHealth::lost);
  each(metrics.waiting, &BatchHealth::waiting);
}

void append(Plugins& all, Plugins more) {
  for (auto& plugin : more) all.push_back(std::move(plugin));
}

}  // namespace

struct Telemetry::State {
  std::shared_ptr<Warnings> warnings{};
  std::shared_ptr<const Resource> resource{};
  std::shared_ptr<const Pricing> pricing{};  // null: off
  std::shared_ptr<const Content> content{};
  std::vector<std::shared_ptr<LogBatchProcessor>> log_processors{};
  std::shared_ptr<Logger> logger{};  // null: logs are off
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

  void start_logs(const Config& config);
  void start_traces(const Config& config);
  void start_metrics(const Config& config);
  void add(const MetricOutput& output, const MetricsConfig& config);
  bool shutdown_all(Instant until, Duration limit) noexcept;
  bool shutdown_metrics(Instant until) noexcept;
};

void Telemetry::State::start_logs(const Config& config) {
  std::vector<std::shared_ptr<LogExporter>> exporters;
  const LogMaker maker{config.logs, resource, warnings, log_processors};
  for (const LogOutput& output : config.logs.exporters) {
    try {
      exporters.push_back(std::visit(maker, output));
    } catch (const Error& error) {
      warnings->add(error.what());
    }
  }
  const bool details = includes(config.content.mode, ContentMode::event);
  logger = std::make_shared<Logger>(config.logs.level, std::move(exporters), details);
  warnings->log_to(logger);
  append(plugins, make_logging_plugins(logger));
  if (details) plugins.push_back(make_content_logging_plugin(logger, content, pricing));
}

void Telemetry::State::start_traces(const Config& config) {
  std::vector<std::shared_ptr<SpanExporter>> exporters;
  for (const Exporter& exporter : config.exporters)
    exporters.push_back(std::visit(Maker{config, resource, warnings, processors}, exporter));
  tracer = std::make_shared<Tracer>(config.sampler, std::move(exporters),
                                    ErrorText(config.error_messages, content));
  append(plugins, make_tracing_plugins(tracer, config.chunk_events, pricing, content));
}

void Telemetry::State::start_metrics(const Config& config) {
  store = std::make_shared<MetricStore>(config.metrics.exemplars, nullptr, config.metrics.mirror);
  const auto recorder = std::make_shared<const MetricRecorder>(
      store, metric_vocabulary(config.metrics.vocabulary, *warnings),
      possible_labels(config.metrics.labels, *warnings));
  observe_health(*recorder, {Metric::spans_exported, Metric::spans_lost, Metric::spans_waiting},
                 processors);
  observe_health(*recorder, {Metric::logs_exported, Metric::logs_lost, Metric::logs_waiting},
                 log_processors);
  append(plugins, make_metrics_plugins(recorder, pricing, config.chunk_events));
  for (const MetricOutput& output : config.metrics.exporters) add(output, config.metrics);
}

void Telemetry::State::add(const MetricOutput& output, const MetricsConfig& config) {
  const auto read_by = [&](std::shared_ptr<MetricExporter> exporter, Temporality temporality) {
    readers.push_back(std::make_unique<MetricReader>(store, std::move(exporter), config.interval,
                                                     temporality, warnings));
  };
  const auto expect_default = [&](const SpanStyle& style) {
    if (!style.is_default())
      warnings->add("the style of an exporter is for spans: metrics have none");
  };
  if (const auto* http = std::get_if<OtlpHttp>(&output)) {
    expect_default(http->style);
    read_by(std::make_shared<OtlpHttpMetricExporter>(*http, resource), config.temporality);
  } else if (const auto* file = std::get_if<OtlpFile>(&output)) {
    expect_default(file->style);
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
  // The last look tells how the spans fared, and the last records, if the exporters before them
  // leave them the time.
  const auto share = [&](bool wanted, Instant::duration most) {
    return wanted ? std::min<Instant::duration>(most, limit / 4) : Instant::duration{};
  };
  const Instant before_logs = until - share(logger != nullptr, kForLogs);
  const Instant before_metrics = before_logs - share(!readers.empty(), kForMetrics);
  if (logger) logger->flush(Instant::clock::now());  // begins
  const bool traced = !tracer || tracer->shutdown(before_metrics);
  const bool measured = shutdown_metrics(before_logs);
  const bool logged = !logger || logger->shutdown(until);
  warnings->close(until);
  return traced && measured && logged;
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
    : Telemetry(EnvironmentSettings{
          .traces = !config.exporters.empty() || (!are_on(config.metrics) && !are_on(config.logs)),
          .metrics = are_on(config.metrics),
          .logs = are_on(config.logs),
          .config = std::move(config)}) {}

Telemetry::Telemetry(EnvironmentSettings settings) : state_(std::make_unique<State>()) {
  const Config& config = settings.config;
  state_->warnings = std::make_shared<Warnings>(config.warn);
  for (std::string& warning : settings.warnings) state_->warnings->add(std::move(warning));
  if (!settings.traces && !settings.metrics && !settings.logs) return;
  if (includes(config.content.mode, ContentMode::event) && !settings.logs)
    state_->warnings->add("content in events goes nowhere: there are no log records");

  state_->resource = std::make_shared<const Resource>(config.service_name, config.resource);
  state_->content = std::make_shared<const Content>(config.content, state_->warnings);
  if (config.pricing.enabled)
    state_->pricing = std::make_shared<const Pricing>(
        config.pricing, settings.metrics || settings.logs || !config.pricing.file.empty(),
        state_->warnings);
  if (settings.logs) state_->start_logs(config);
  if (settings.traces) state_->start_traces(config);
  if (settings.metrics) state_->start_metrics(config);
  if (auto plugin = make_propagation_plugin(state_->tracer, config.propagation, *state_->warnings))
    state_->plugins.push_back(std::move(plugin));
  append(state_->plugins, config.plugins);
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
  const auto write = [](std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stderr);
  };
  const TreeText console{.style = style_of_standard_error(environment), .write = write};
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

std::shared_ptr<Logger> Telemetry::logger() const noexcept {
  return state_ ? state_->logger : nullptr;
}

void Telemetry::log(Severity severity, std::string text, Labels attributes) const noexcept {
  if (!state_ || !state_->logger || !state_->logger->wants(severity)) return;
  try {
    LogRecord record{.severity = severity, .body = std::move(text), .logger = "program"};
    set_labels(record, attributes);
    state_->logger->log_line(std::move(record));
  } catch (const std::exception&) {  // no memory
  }
}

void Telemetry::record_evaluation(const TraceRef& answer,
                                  const Evaluation& evaluation) const noexcept {
  if (!state_ || !state_->logger || !state_->logger->wants(Severity::info)) return;
  try {
    state_->logger->log(record_of(evaluation, answer));
  } catch (const std::exception&) {  // no memory
  }
}

bool Telemetry::flush(Duration limit) noexcept {
  if (!state_) return true;
  const Instant until = Instant::clock::now() + possible(limit);
  Logger* const logger = state_->logger.get();
  const std::int64_t records_lost = logger ? logger->lost() : 0;
  if (logger) logger->flush(Instant::clock::now());  // begins
  std::vector<ExportThread::Asked> asked;
  for (const auto& reader : state_->readers) asked.push_back(reader->thread().ask());
  bool all = !state_->tracer || state_->tracer->flush(until);
  for (std::size_t at = 0; at < asked.size(); ++at)
    all = state_->readers[at]->thread().wait_for(asked[at], until) && all;
  if (logger) all = logger->flush(until) && logger->lost() == records_lost && all;
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
