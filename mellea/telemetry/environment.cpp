#include "mellea/telemetry/environment.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "mellea/core/text.h"
#include "mellea/telemetry/environment_variables.h"

namespace mellea::telemetry {
namespace {

class Reader {
 public:
  Reader(const Environment& environment, const TreeText& console)
      : variables_(environment), console_(console) {}

  EnvironmentSettings read() {
    SignalVariables traces(variables_, "TRACES", {"otlp", "console"});
    SignalVariables metrics(variables_, "METRICS", {"otlp", "console", "prometheus"});
    settings_.traces = traces.is_on();
    settings_.metrics = metrics.is_on();
    // Read even if nothing here switches them on: the program may, with exporters of its own.
    read_service();
    read_sampler();
    read_batches();
    read_metrics();
    read_pricing();
    read_propagation();
    settings_.config.chunk_events =
        variables_.flag(variables_.get("MELLEA_GENERATION_CHUNK_EVENTS")).value_or(false);
    if (settings_.traces) read_trace_exporters(traces);
    if (settings_.metrics) read_metric_exporters(metrics);
    settings_.warnings = variables_.take_warnings();
    return std::move(settings_);
  }

 private:
  void read_trace_exporters(SignalVariables& traces) {
    auto& exporters = settings_.config.exporters;
    if (!traces.file().empty()) exporters.push_back(OtlpFile{traces.file()});
    if (traces.wants("otlp"))
      if (auto http = traces.otlp_http()) exporters.push_back(std::move(*http));
    if (traces.wants("console")) exporters.push_back(console_);
    if (exporters.empty())
      variables_.warn(traces.switched_on_by() +
                      ": spans go nowhere: set MELLEA_TRACES_OTLP, MELLEA_TRACES_CONSOLE or "
                      "MELLEA_TRACES_FILE");
    for (const char* name :
         {"MELLEA_TRACES_CONTENT", "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"})
      if (const Setting content = variables_.get(name); variables_.flag(content).value_or(false))
        variables_.no_effect(content, "this version never records prompts and answers");
  }

  void read_metric_exporters(SignalVariables& metrics) {
    auto& exporters = settings_.config.metrics.exporters;
    if (!metrics.file().empty()) exporters.push_back(OtlpFile{metrics.file()});
    if (metrics.wants("otlp"))
      if (auto http = metrics.otlp_http()) exporters.push_back(std::move(*http));
    if (metrics.wants("console")) exporters.push_back(MetricsText{console_.write});
    if (metrics.wants("prometheus")) exporters.push_back(prometheus());
    if (!exporters.empty()) return;
    variables_.warn(metrics.switched_on_by() +
                    ": metrics go nowhere, unless the program shows them: set MELLEA_METRICS_OTLP, "
                    "MELLEA_METRICS_CONSOLE, MELLEA_METRICS_PROMETHEUS or MELLEA_METRICS_FILE");
  }

  PrometheusEndpoint prometheus() {
    PrometheusEndpoint endpoint;
    if (const Setting host = variables_.get("OTEL_EXPORTER_PROMETHEUS_HOST"); host.is_set())
      endpoint.host = host.value;
    const Setting port = variables_.get("OTEL_EXPORTER_PROMETHEUS_PORT");
    if (const auto number = variables_.number<int>(port, 0, 65'535, "a port"))
      endpoint.port = *number;
    return endpoint;
  }

  void read_metrics() {
    MetricsConfig& metrics = settings_.config.metrics;
    if (const auto interval = variables_.positive(variables_.get("OTEL_METRIC_EXPORT_INTERVAL")))
      metrics.interval = std::chrono::milliseconds(*interval);
    if (const Setting timeout = variables_.get("OTEL_METRIC_EXPORT_TIMEOUT"); timeout.is_set())
      variables_.no_effect(timeout, "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT is the limit");
    read_word(variables_.get("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"),
              {{"cumulative", Temporality::cumulative},
               {"delta", Temporality::delta},
               {"lowmemory", Temporality::low_memory}},
              metrics.temporality);
    read_word(variables_.get("OTEL_METRICS_EXEMPLAR_FILTER"),
              {{"always_off", ExemplarFilter::off},
               {"trace_based", ExemplarFilter::sampled},
               {"always_on", ExemplarFilter::all}},
              metrics.exemplars);
    const Setting histograms =
        variables_.get("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION");
    if (histograms.is_set() && lower(histograms.value) != "explicit_bucket_histogram")
      variables_.no_effect(histograms, "known is explicit_bucket_histogram");
    const Setting labels = variables_.get("MELLEA_METRICS_LABELS");
    for (const std::string_view key : parts_of(labels.value)) metrics.labels.emplace_back(key);
  }

  // One of several words, in any case; the value stays where it is none of them.
  template <class Word>
  void read_word(const Setting& setting, std::vector<std::pair<std::string, Word>> words,
                 Word& value) {
    if (!setting.is_set()) return;
    std::string known;
    for (const auto& [word, meant] : words) {
      if (lower(setting.value) == word) {
        value = meant;
        return;
      }
      known.append(known.empty() ? "" : ", ").append(word);
    }
    variables_.no_effect(setting, "known are " + known);
  }

  void read_pricing() {
    PricingOptions& pricing = settings_.config.pricing;
    const Setting enabled = variables_.get("MELLEA_PRICING_ENABLED");
    const Setting file = variables_.get("MELLEA_PRICING_FILE");
    pricing.enabled = variables_.flag(enabled).value_or(true);
    pricing.file = file.value;
    if (file.is_set() && !pricing.enabled) variables_.no_effect(file, enabled.text());
  }

  void read_propagation() {
    PropagationOptions& propagation = settings_.config.propagation;
    const Setting hosts = variables_.get("MELLEA_PROPAGATION_HOSTS");
    const Setting baggage = variables_.get("MELLEA_PROPAGATION_BAGGAGE");
    const Setting labels = variables_.get("MELLEA_BAGGAGE_ATTRIBUTES");
    for (const std::string_view host : parts_of(hosts.value)) propagation.hosts.emplace_back(host);
    for (const std::string_view key : parts_of(baggage.value))
      propagation.baggage.emplace_back(key);
    for (const std::string_view key : parts_of(labels.value)) propagation.labels.emplace_back(key);
    if (baggage.is_set() && propagation.hosts.empty())
      variables_.no_effect(baggage, "MELLEA_PROPAGATION_HOSTS names no host");
  }

  void read_service() {
    Config& config = settings_.config;
    const Setting attributes = variables_.get("OTEL_RESOURCE_ATTRIBUTES");
    for (const std::string_view part : parts_of(attributes.value)) {
      const std::size_t equals = part.find('=');
      if (equals == std::string_view::npos || equals == 0) {
        variables_.no_effect({attributes.name, std::string(part)}, "it is not key=value");
        continue;
      }
      const std::string_view key = trimmed(part.substr(0, equals));
      std::string value = percent_decoded(trimmed(part.substr(equals + 1)));
      if (key == "service.name")
        config.service_name = std::move(value);
      else
        config.resource.emplace_back(key, std::move(value));
    }
    if (const Setting name = variables_.get("OTEL_SERVICE_NAME"); name.is_set())
      config.service_name = name.value;
  }

  void read_sampler() {
    const Setting setting = variables_.get("OTEL_TRACES_SAMPLER");
    const Setting argument = variables_.get("OTEL_TRACES_SAMPLER_ARG");
    Sampler& sampler = settings_.config.sampler;
    std::string_view name = setting.value;
    const bool follow = name.empty() || name.starts_with("parentbased_");
    if (name.starts_with("parentbased_")) name.remove_prefix(12);
    if (name == "traceidratio")
      sampler.ratio =
          variables_.number<double>(argument, 0, 1, "a number from 0 to 1").value_or(1.0);
    else if (argument.is_set())
      variables_.no_effect(argument,
                           "OTEL_TRACES_SAMPLER is not traceidratio or parentbased_traceidratio");
    if (name == "always_off") sampler.ratio = 0;
    if (name.empty() || name == "always_on" || name == "always_off" || name == "traceidratio")
      sampler.follow_parent = follow;
    else
      variables_.no_effect(
          setting, "known are always_on, always_off and traceidratio, each also with parentbased_");
  }

  void read_batches() {
    BatchOptions& batch = settings_.config.batch;
    if (const auto delay = variables_.positive(variables_.get("OTEL_BSP_SCHEDULE_DELAY")))
      batch.delay = std::chrono::milliseconds(*delay);
    if (const Setting timeout = variables_.get("OTEL_BSP_EXPORT_TIMEOUT"); timeout.is_set())
      variables_.no_effect(timeout, "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT is the limit");
    if (const auto queue = variables_.positive(variables_.get("OTEL_BSP_MAX_QUEUE_SIZE")))
      batch.queue = static_cast<std::size_t>(*queue);
    if (const auto most = variables_.positive(variables_.get("OTEL_BSP_MAX_EXPORT_BATCH_SIZE")))
      batch.batch = static_cast<std::size_t>(*most);
  }

  Variables variables_;
  const TreeText& console_;
  EnvironmentSettings settings_;
};

}  // namespace

std::optional<std::string> process_environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? std::optional<std::string>(value) : std::nullopt;
}

EnvironmentSettings read_environment(const Environment& environment, const TreeText& console) {
  return Reader(environment, console).read();
}

TreeStyle style_of_standard_error(const Environment& environment) {
  const auto value = [&](const char* name) { return environment(name).value_or(""); };
  std::string locale;
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"})
    if (locale.empty()) locale = lower(value(name));
  const bool utf8 =
      locale.find("utf-8") != std::string::npos || locale.find("utf8") != std::string::npos;
  TreeStyle style{.utf8 = utf8};
  if (::isatty(STDERR_FILENO) == 0) return style;
  style.colour = value("NO_COLOR").empty();
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col != 0)
    style.width = std::min<int>(size.ws_col, 160);
  return style;
}

}  // namespace mellea::telemetry
