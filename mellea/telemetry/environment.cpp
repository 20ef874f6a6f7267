#include "mellea/telemetry/environment.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "mellea/core/text.h"
#include "mellea/telemetry/environment_variables.h"
#include "mellea/telemetry/log_senders.h"

namespace mellea::telemetry {
namespace {

class Reader {
 public:
  Reader(const Environment& environment, const TreeText& console)
      : variables_(environment), console_(console) {}

  EnvironmentSettings read() {
    SignalVariables traces(variables_, {.signal = "TRACES", .known = {"otlp", "console"}});
    SignalVariables metrics(variables_,
                            {.signal = "METRICS", .known = {"otlp", "console", "prometheus"}});
    SignalVariables logs(variables_, {.signal = "LOGS",
                                      .known = {"otlp", "console"},
                                      .places = {{"FILE"}, {"OTLP_FILE"}, {"WEBHOOK", true}},
                                      .needs_enabled = false});
    settings_.traces = traces.is_on();
    settings_.metrics = metrics.is_on();
    settings_.logs = logs.is_on();
    // Read even if nothing here switches them on: the program may, with exporters of its own.
    read_service();
    read_vocabularies();
    read_sampler();
    read_batches(settings_.config.batch, "OTEL_BSP_", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT");
    read_metrics();
    read_logs();
    read_pricing();
    read_content();
    read_propagation();
    settings_.config.chunk_events =
        variables_.flag(variables_.get("MELLEA_GENERATION_CHUNK_EVENTS")).value_or(false);
    if (settings_.traces) read_trace_exporters(traces);
    if (settings_.metrics) read_metric_exporters(metrics);
    if (settings_.logs) read_log_exporters(logs);
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

  void read_log_exporters(SignalVariables& logs) {
    auto& exporters = settings_.config.logs.exporters;
    const bool json = variables_.flag(variables_.get("MELLEA_LOGS_JSON")).value_or(false);
    if (!logs.place("OTLP_FILE").empty()) exporters.push_back(OtlpFile{logs.place("OTLP_FILE")});
    if (logs.wants("otlp"))
      if (auto http = logs.otlp_http()) exporters.push_back(std::move(*http));
    // Where nothing but MELLEA_LOGS_ENABLED speaks of it, people see them.
    const auto console = variables_.flag(variables_.get("MELLEA_LOGS_CONSOLE"));
    if (logs.wants("console") || (logs.is_enabled() && console.value_or(true)))
      exporters.push_back(
          LogText{.json = json, .colour = console_.style.colour, .write = console_.write});
    read_log_file(logs, json);
    read_webhook(logs);
    if (exporters.empty())
      variables_.warn(logs.switched_on_by() +
                      ": log records go nowhere, unless the program sends them: set "
                      "MELLEA_LOGS_CONSOLE, MELLEA_LOGS_FILE, MELLEA_LOGS_OTLP, "
                      "MELLEA_LOGS_OTLP_FILE or MELLEA_LOGS_WEBHOOK");
  }

  void read_log_file(SignalVariables& logs, bool json) {
    const Setting bytes = variables_.get("MELLEA_LOGS_FILE_MAX_BYTES");
    const Setting count = variables_.get("MELLEA_LOGS_FILE_BACKUP_COUNT");
    if (logs.file().empty()) {
      for (const Setting& setting : {bytes, count})
        if (setting.is_set()) variables_.no_effect(setting, "MELLEA_LOGS_FILE is not set");
      return;
    }
    LogFile file{.path = logs.file(), .json = json};
    constexpr std::size_t kMostBytes = 1'000'000'000'000;
    file.max_bytes =
        variables_.number<std::size_t>(bytes, 1, kMostBytes, "a number of bytes above 0")
            .value_or(file.max_bytes);
    file.backups = variables_.number<std::size_t>(count, 0, 10'000, "a number from 0 to 10000")
                       .value_or(file.backups);
    settings_.config.logs.exporters.push_back(std::move(file));
  }

  void read_webhook(SignalVariables& logs) {
    const Setting insecure = variables_.get("MELLEA_LOGGER_INSECURE_HTTP_ALLOWED");
    const Setting misnamed = variables_.get("MELLEA_LOGS_INSECURE_HTTP_ALLOWED");
    if (misnamed.is_set()) variables_.no_effect(misnamed, "it is called " + insecure.name);
    const std::string& url = logs.place("WEBHOOK");
    if (url.empty()) {
      if (insecure.is_set()) variables_.no_effect(insecure, "MELLEA_LOGS_WEBHOOK is not set");
      return;
    }
    Webhook webhook{.url = url, .insecure_http_allowed = variables_.flag(insecure).value_or(false)};
    if (const std::string wrong = why_unfit(webhook); !wrong.empty())
      return variables_.no_effect({"MELLEA_LOGS_WEBHOOK", url, true}, wrong);
    settings_.config.logs.exporters.push_back(std::move(webhook));
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

  void read_logs() {
    LogsConfig& logs = settings_.config.logs;
    read_word(variables_.get("MELLEA_LOGS_LEVEL"),
              {{"debug", Severity::debug},
               {"info", Severity::info},
               {"warning", Severity::warn},
               {"error", Severity::error},
               {"critical", Severity::fatal},
               {"trace", Severity::trace},
               {"warn", Severity::warn},
               {"fatal", Severity::fatal}},
              logs.level);
    read_batches(logs.batch, "OTEL_BLRP_", "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT");
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

  // Either may ask for it. The contract's words are booleans, OpenTelemetry's once were.
  void read_content() {
    Config& config = settings_.config;
    const auto ask = [&](const char* name, std::vector<std::pair<std::string, ContentMode>> words) {
      for (const char* yes : {"true", "1", "yes"}) words.emplace_back(yes, ContentMode::span);
      for (const char* no : {"false", "0", "no"}) words.emplace_back(no, ContentMode::none);
      ContentMode mode = ContentMode::none;
      read_word(variables_.get(name), std::move(words), mode);
      config.content.mode = config.content.mode | mode;
    };
    ask("MELLEA_TRACES_CONTENT",
        {{"span", ContentMode::span}, {"event", ContentMode::event}, {"both", ContentMode::both}});
    ask("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
        {{"no_content", ContentMode::none},
         {"span_only", ContentMode::span},
         {"event_only", ContentMode::event},
         {"span_and_event", ContentMode::both}});
    read_word(variables_.get("MELLEA_ERROR_MESSAGES"),
              {{"none", ErrorMessages::none},
               {"safe", ErrorMessages::safe},
               {"full", ErrorMessages::full}},
              config.error_messages);
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

  // What does not go together is left out here, where the variable can be named.
  void read_vocabularies() {
    const Setting setting = variables_.get("MELLEA_SEMCONV");
    std::vector<Vocabulary> wanted;
    for (const std::string_view word : parts_of(setting.value)) {
      if (const auto known = vocabulary_named(lower(word)))
        wanted.push_back(*known);
      else
        variables_.no_effect({setting.name, std::string(word)},
                             "known are " + known_vocabularies());
    }
    const auto together = Vocabularies::together(
        wanted, [&](const std::string& text) { variables_.warn(setting.text() + ": " + text); });
    for (const Vocabulary one : wanted)
      if (together.has(one)) settings_.config.names.push_back(one);
    settings_.config.metrics.vocabulary = together.of_metrics();
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

  // `begin` with which the variables begin; `limit` which other is the limit.
  void read_batches(BatchOptions& batch, const std::string& begin, const std::string& limit) {
    if (const auto delay = variables_.positive(variables_.get(begin + "SCHEDULE_DELAY")))
      batch.delay = std::chrono::milliseconds(*delay);
    if (const Setting timeout = variables_.get(begin + "EXPORT_TIMEOUT"); timeout.is_set())
      variables_.no_effect(timeout, limit + " is the limit");
    if (const auto queue = variables_.positive(variables_.get(begin + "MAX_QUEUE_SIZE")))
      batch.queue = static_cast<std::size_t>(*queue);
    if (const auto most = variables_.positive(variables_.get(begin + "MAX_EXPORT_BATCH_SIZE")))
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
