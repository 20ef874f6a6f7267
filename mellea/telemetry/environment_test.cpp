#include "mellea/telemetry/environment.h"

#include <gtest/gtest.h>

#include <map>

namespace mellea::telemetry {
namespace {

using Variables = std::map<std::string, std::string>;

Environment of(const Variables& variables) {
  return [variables](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}
EnvironmentSettings read(const Variables& variables) {
  return read_environment(of(variables), TreeText{});
}

// The exporters, as a short word each.
std::string exporters(const EnvironmentSettings& settings) {
  std::string words = settings.traces ? "on" : "off";
  for (const Exporter& exporter : settings.config.exporters) {
    if (const auto* http = std::get_if<OtlpHttp>(&exporter)) words += " " + http->endpoint;
    if (const auto* file = std::get_if<OtlpFile>(&exporter)) words += " file:" + file->path;
    if (std::holds_alternative<TreeText>(exporter)) words += " tree";
  }
  return words;
}

std::string metric_exporters(const EnvironmentSettings& settings) {
  std::string words = settings.metrics ? "on" : "off";
  for (const MetricOutput& output : settings.config.metrics.exporters) {
    if (const auto* http = std::get_if<OtlpHttp>(&output)) words += " " + http->endpoint;
    if (const auto* file = std::get_if<OtlpFile>(&output)) words += " file:" + file->path;
    if (std::holds_alternative<MetricsText>(output)) words += " text";
    if (const auto* place = std::get_if<PrometheusEndpoint>(&output))
      words += " " + place->host + ":" + std::to_string(place->port);
  }
  return words;
}

std::string log_exporters(const EnvironmentSettings& settings) {
  std::string words = settings.logs ? "on" : "off";
  for (const LogOutput& output : settings.config.logs.exporters) {
    if (const auto* http = std::get_if<OtlpHttp>(&output)) words += " " + http->endpoint;
    if (const auto* file = std::get_if<OtlpFile>(&output)) words += " otlp-file:" + file->path;
    if (const auto* text = std::get_if<LogText>(&output)) words += text->json ? " json" : " text";
    if (const auto* file = std::get_if<LogFile>(&output))
      words += " file:" + file->path + (file->json ? ":json:" : ":text:") +
               std::to_string(file->max_bytes) + ":" + std::to_string(file->backups);
    if (const auto* hook = std::get_if<Webhook>(&output)) words += " hook:" + hook->url;
  }
  return words;
}

Variables otlp_and(Variables more) {
  more["MELLEA_TRACES_ENABLED"] = "true";
  more["MELLEA_TRACES_OTLP"] = "true";
  more.emplace("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
  return more;
}
OtlpHttp http_of(const Variables& variables) {
  const EnvironmentSettings settings = read(variables);
  EXPECT_EQ(settings.config.exporters.size(), 1U);
  return std::get<OtlpHttp>(settings.config.exporters.at(0));
}

// The names by which spans go, and the warnings.
std::string names_by(const std::string& semconv) {
  const EnvironmentSettings settings =
      read({{"MELLEA_TRACES_FILE", "x"}, {"MELLEA_SEMCONV", semconv}});
  std::string words;
  for (const Vocabulary one : settings.config.names)
    words.append(words.empty() ? "" : ",").append(to_string(one));
  for (const std::string& warning : settings.warnings) words.append(" | ").append(warning);
  return words;
}

TEST(EnvironmentTest, ReadsByWhichNamesSpansAndMetricsGo) {
  EXPECT_EQ(names_by(""), "");
  EXPECT_EQ(names_by("OTEL-1.41"), "otel-1.41");
  EXPECT_EQ(names_by("otel-latest, langfuse"), "otel-2026-10,langfuse");
  EXPECT_EQ(names_by("mellea,openinference"), "mellea,openinference");
  EXPECT_EQ(names_by("otel-1.41,openinference"),
            "otel-1.41 | MELLEA_SEMCONV=otel-1.41,openinference: otel-1.41 and openinference can't "
            "stand on one span, for tokens would count twice: otel-1.41 is used");
  EXPECT_EQ(names_by("genai,mellea"),
            "mellea | MELLEA_SEMCONV=genai has no effect: known are mellea, otel-1.41, "
            "otel-2026-10, otel-latest, openinference, langfuse");
  const EnvironmentSettings settings =
      read(otlp_and({{"MELLEA_SEMCONV", "otel-2026-10,langfuse"}}));
  EXPECT_EQ(settings.config.names,
            (std::vector<Vocabulary>{Vocabulary::otel_2026_10, Vocabulary::langfuse}));
  EXPECT_EQ(settings.config.metrics.vocabulary, Vocabulary::otel_2026_10);
  EXPECT_EQ(read({{"MELLEA_SEMCONV", "openinference"}}).config.metrics.vocabulary,
            Vocabulary::mellea);
}

TEST(EnvironmentTest, SaysWhoHearsWhatOfCallersAndWhatBecomesLabels) {
  const EnvironmentSettings settings =
      read({{"MELLEA_PROPAGATION_HOSTS", "llm.internal, *.example.com:8443"},
            {"MELLEA_PROPAGATION_BAGGAGE", "tenant"},
            {"MELLEA_BAGGAGE_ATTRIBUTES", "tenant,plan"}});
  using Texts = std::vector<std::string>;
  const PropagationOptions& propagation = settings.config.propagation;
  EXPECT_EQ(propagation.hosts, (Texts{"llm.internal", "*.example.com:8443"}));
  EXPECT_EQ(propagation.baggage, (Texts{"tenant"}));
  EXPECT_EQ(propagation.labels, (Texts{"tenant", "plan"}));
  EXPECT_TRUE(settings.warnings.empty());
  EXPECT_EQ(
      read({{"MELLEA_PROPAGATION_BAGGAGE", "tenant"}}).warnings,
      (Texts{"MELLEA_PROPAGATION_BAGGAGE=tenant has no effect: MELLEA_PROPAGATION_HOSTS names "
             "no host"}));
}

TEST(EnvironmentTest, SwitchesExportersOnAndOff) {
  struct Row {
    Variables variables;
    std::string expected;
  };
  const std::vector<Row> rows = {
      {{}, "off"},
      {{{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"}}, "off"},
      {{{"MELLEA_TRACES_FILE", "x.jsonl"}}, "on file:x.jsonl"},
      {otlp_and({}), "on http://collector:4318/v1/traces"},
      {otlp_and({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/base/"}}),
       "on http://c:4318/base/v1/traces"},
      {otlp_and({{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t:1/x"}}), "on http://t:1/x"},
      {{{"MELLEA_TRACES_ENABLED", "YES "}, {"MELLEA_TRACES_CONSOLE", "1"}}, "on tree"},
      {{{"OTEL_TRACES_EXPORTER", "otlp"}}, "on http://localhost:4318/v1/traces"},
      {{{"OTEL_TRACES_EXPORTER", "otlp, console"}}, "on http://localhost:4318/v1/traces tree"},
      {{{"OTEL_TRACES_EXPORTER", "none"}}, "off"},
      {{{"OTEL_TRACES_EXPORTER", "otlp"}, {"OTEL_SDK_DISABLED", "true"}}, "off"},
      {{{"OTEL_TRACES_EXPORTER", "otlp"}, {"MELLEA_TRACES_ENABLED", "false"}}, "off"},
  };
  for (const Row& row : rows) EXPECT_EQ(exporters(read(row.variables)), row.expected);
}

TEST(EnvironmentTest, WhatIsWrongOrWithoutEffectIsAWarning) {
  struct Row {
    Variables variables;
    std::string expected;
  };
  const std::vector<Row> rows = {
      {{{"MELLEA_TRACES_OTLP", "true"}},
       "MELLEA_TRACES_OTLP=true has no effect: MELLEA_TRACES_ENABLED is not set"},
      {{{"MELLEA_TRACES_CONSOLE", "1"}},
       "MELLEA_TRACES_CONSOLE=1 has no effect: MELLEA_TRACES_ENABLED is not set"},
      {{{"MELLEA_TRACES_ENABLED", "true"}},
       "MELLEA_TRACES_ENABLED=true: spans go nowhere: set MELLEA_TRACES_OTLP, "
       "MELLEA_TRACES_CONSOLE or MELLEA_TRACES_FILE"},
      {{{"MELLEA_TRACES_ENABLED", "on"}},
       "MELLEA_TRACES_ENABLED=on has no effect: it is neither true nor false"},
      {{{"MELLEA_TRACES_ENABLED", "true"}, {"OTEL_TRACES_EXPORTER", "none"}},
       "MELLEA_TRACES_ENABLED=true has no effect: OTEL_TRACES_EXPORTER=none"},
      {{{"MELLEA_TRACES_FILE", "x"}, {"OTEL_SDK_DISABLED", "true"}},
       "MELLEA_TRACES_FILE=x has no effect: OTEL_SDK_DISABLED=true"},
      {{{"OTEL_TRACES_EXPORTER", "zipkin"}},
       "OTEL_TRACES_EXPORTER=zipkin has no effect: known are otlp, console and none"},
      {otlp_and({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4317"}}),
       "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317: 4317 is the gRPC port; this build "
       "speaks HTTP: use 4318"},
      {otlp_and({{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}}),
       "OTEL_EXPORTER_OTLP_PROTOCOL=grpc has no effect: this build speaks http/protobuf"},
      {otlp_and({{"OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"}}),
       "OTEL_EXPORTER_OTLP_COMPRESSION=zstd has no effect: known are gzip and none"},
      {otlp_and({{"OTEL_EXPORTER_OTLP_TIMEOUT", "10s"}}),
       "OTEL_EXPORTER_OTLP_TIMEOUT=10s has no effect: it is not a number above 0"},
      {otlp_and({{"OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such.pem"}}),
       "OTEL_EXPORTER_OTLP_CERTIFICATE=/no/such.pem: cannot be read"},
      {otlp_and({{"OTEL_EXPORTER_OTLP_HEADERS", "secret"}}),
       "OTEL_EXPORTER_OTLP_HEADERS: a header is left out: it is not name=value"},
      {otlp_and({{"OTEL_EXPORTER_OTLP_CLIENT_KEY", "key.pem"}}),
       "OTEL_EXPORTER_OTLP_CLIENT_KEY=key.pem has no effect: this version shows collectors no "
       "certificate of its own"},
      {otlp_and({{"OTEL_BSP_EXPORT_TIMEOUT", "100"}}),
       "OTEL_BSP_EXPORT_TIMEOUT=100 has no effect: OTEL_EXPORTER_OTLP_TRACES_TIMEOUT is the limit"},
      {otlp_and({{"OTEL_RESOURCE_ATTRIBUTES", "prod"}}),
       "OTEL_RESOURCE_ATTRIBUTES=prod has no effect: it is not key=value"},
      {otlp_and({{"OTEL_TRACES_SAMPLER", "jaeger"}}),
       "OTEL_TRACES_SAMPLER=jaeger has no effect: known are always_on, always_off and "
       "traceidratio, each also with parentbased_"},
      {otlp_and({{"OTEL_TRACES_SAMPLER_ARG", "0.5"}}),
       "OTEL_TRACES_SAMPLER_ARG=0.5 has no effect: OTEL_TRACES_SAMPLER is not traceidratio or "
       "parentbased_traceidratio"},
      {otlp_and({{"OTEL_TRACES_SAMPLER", "traceidratio"}, {"OTEL_TRACES_SAMPLER_ARG", "2"}}),
       "OTEL_TRACES_SAMPLER_ARG=2 has no effect: it is not a number from 0 to 1"},
      {otlp_and({{"OTEL_BSP_MAX_QUEUE_SIZE", "0"}}),
       "OTEL_BSP_MAX_QUEUE_SIZE=0 has no effect: it is not a number above 0"},
      {otlp_and({{"MELLEA_TRACES_CONTENT", "on"}}),
       "MELLEA_TRACES_CONTENT=on has no effect: known are span, event, both, true, 1, yes, false, "
       "0, no"},
      {otlp_and({{"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "both"}}),
       "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=both has no effect: known are "
       "no_content, span_only, event_only, span_and_event, true, 1, yes, false, 0, no"},
      {otlp_and({{"MELLEA_ERROR_MESSAGES", "true"}}),
       "MELLEA_ERROR_MESSAGES=true has no effect: known are none, safe, full"},
  };
  for (const Row& row : rows)
    EXPECT_EQ(read(row.variables).warnings, std::vector<std::string>{row.expected});
}

TEST(EnvironmentTest, WhatGoesNowhereIsToldByTheVariableThatSwitchedItOn) {
  for (const std::string signal : {"TRACES", "METRICS", "LOGS"}) {
    const auto settings = read(
        {{"OTEL_" + signal + "_EXPORTER", "otlp"}, {"OTEL_EXPORTER_OTLP_ENDPOINT", "nowhere"}});
    ASSERT_EQ(settings.warnings.size(), 2U);
    EXPECT_TRUE(settings.warnings[1].starts_with("OTEL_" + signal + "_EXPORTER=otlp: "))
        << settings.warnings[1];
  }
}

TEST(EnvironmentTest, OtlpWithoutAnEndpointIsAWarningAndNoExporter) {
  const auto settings = read({{"MELLEA_TRACES_ENABLED", "true"},
                              {"MELLEA_TRACES_OTLP", "true"},
                              {"MELLEA_TRACES_FILE", "x"}});
  EXPECT_EQ(exporters(settings), "on file:x");
  ASSERT_EQ(settings.warnings.size(), 1U);
  EXPECT_TRUE(settings.warnings[0].starts_with(
      "MELLEA_TRACES_OTLP=true has no effect: neither OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"));
}

TEST(EnvironmentTest, AnEndpointThatIsNoUrlIsAWarningThatShowsNoPassword) {
  const auto settings = read(
      otlp_and({{"OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"}, {"MELLEA_TRACES_FILE", "x"}}));
  EXPECT_EQ(exporters(settings), "on file:x");
  ASSERT_EQ(settings.warnings.size(), 1U);
  EXPECT_TRUE(settings.warnings[0].starts_with("OTEL_EXPORTER_OTLP_ENDPOINT"));
  const auto hidden =
      read(otlp_and({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:SECRET@localhost:4317"}}));
  ASSERT_EQ(hidden.warnings.size(), 1U);
  EXPECT_EQ(hidden.warnings[0].find("SECRET"), std::string::npos) << hidden.warnings[0];
}

TEST(EnvironmentTest, ReadsWhatOtlpIsToldBeside) {
  const OtlpHttp http = http_of(otlp_and({{"OTEL_EXPORTER_OTLP_HEADERS", "a=1, b = x%20y"},
                                          {"OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"},
                                          {"OTEL_EXPORTER_OTLP_TIMEOUT", "2000"},
                                          {"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "3000"}}));
  EXPECT_EQ(http.headers, (Headers{{"a", "1"}, {"b", "x y"}}));
  EXPECT_TRUE(http.gzip);
  EXPECT_EQ(http.timeout, std::chrono::milliseconds(3000));
}

TEST(EnvironmentTest, ReadsServiceSamplerAndBatches) {
  const Config config =
      read(
          otlp_and({{"OTEL_RESOURCE_ATTRIBUTES", "service.name=a,deployment.environment.name=prod"},
                    {"OTEL_TRACES_SAMPLER", "parentbased_traceidratio"},
                    {"OTEL_TRACES_SAMPLER_ARG", "0.25"},
                    {"OTEL_BSP_SCHEDULE_DELAY", "100"},
                    {"OTEL_BSP_MAX_QUEUE_SIZE", "10"},
                    {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5"},
                    {"MELLEA_GENERATION_CHUNK_EVENTS", "yes"}}))
          .config;
  EXPECT_EQ(config.service_name, "a");
  EXPECT_EQ(config.resource, (ResourceAttributes{{"deployment.environment.name", "prod"}}));
  EXPECT_EQ(config.sampler.ratio, 0.25);
  EXPECT_TRUE(config.sampler.follow_parent);
  EXPECT_EQ(config.batch.delay, std::chrono::milliseconds(100));
  EXPECT_EQ(config.batch.queue, 10U);
  EXPECT_EQ(config.batch.batch, 5U);
  EXPECT_TRUE(config.chunk_events);
  EXPECT_EQ(
      read(otlp_and({{"OTEL_SERVICE_NAME", "b"}, {"OTEL_RESOURCE_ATTRIBUTES", "service.name=a"}}))
          .config.service_name,
      "b");
  EXPECT_FALSE(read(otlp_and({{"OTEL_TRACES_SAMPLER", "always_on"}})).config.sampler.follow_parent);
  EXPECT_EQ(read(otlp_and({{"OTEL_TRACES_SAMPLER", "always_off"}})).config.sampler.ratio, 0);
}

TEST(EnvironmentTest, MetricsAreSwitchedOnInSeveralWays) {
  struct Row {
    Variables variables;
    std::string expected;
  };
  const std::vector<Row> rows = {
      {{}, "off"},
      {{{"MELLEA_METRICS_FILE", "x.jsonl"}}, "on file:x.jsonl"},
      {{{"MELLEA_METRICS_ENABLED", "true"},
        {"MELLEA_METRICS_OTLP", "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"}},
       "on http://c:4318/v1/metrics"},
      {{{"MELLEA_METRICS_ENABLED", "1"},
        {"MELLEA_METRICS_OTLP", "1"},
        {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://m:1/x"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"}},
       "on http://m:1/x"},
      {{{"MELLEA_METRICS_ENABLED", "1"}, {"MELLEA_METRICS_CONSOLE", "1"}}, "on text"},
      {{{"MELLEA_METRICS_ENABLED", "1"}, {"MELLEA_METRICS_PROMETHEUS", "1"}}, "on 127.0.0.1:9464"},
      {{{"OTEL_METRICS_EXPORTER", "prometheus"},
        {"OTEL_EXPORTER_PROMETHEUS_HOST", "0.0.0.0"},
        {"OTEL_EXPORTER_PROMETHEUS_PORT", "9000"}},
       "on 0.0.0.0:9000"},
      {{{"OTEL_METRICS_EXPORTER", "otlp, console"}}, "on http://localhost:4318/v1/metrics text"},
      {{{"OTEL_METRICS_EXPORTER", "otlp"}, {"OTEL_SDK_DISABLED", "true"}}, "off"},
      {{{"OTEL_METRICS_EXPORTER", "none"}}, "off"},
      // For a program that shows them itself.
      {{{"MELLEA_METRICS_ENABLED", "true"}}, "on"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(metric_exporters(read(row.variables)), row.expected);
    EXPECT_EQ(exporters(read(row.variables)), "off");
  }
}

TEST(EnvironmentTest, WhatIsWrongWithMetricsIsAWarning) {
  const auto file_and = [](Variables more) {
    more["MELLEA_METRICS_FILE"] = "x";
    return more;
  };
  struct Row {
    Variables variables;
    std::string expected;
  };
  const std::vector<Row> rows = {
      {{{"MELLEA_METRICS_PROMETHEUS", "true"}},
       "MELLEA_METRICS_PROMETHEUS=true has no effect: MELLEA_METRICS_ENABLED is not set"},
      {{{"MELLEA_METRICS_ENABLED", "true"}},
       "MELLEA_METRICS_ENABLED=true: metrics go nowhere, unless the program shows them: set "
       "MELLEA_METRICS_OTLP, MELLEA_METRICS_CONSOLE, MELLEA_METRICS_PROMETHEUS or "
       "MELLEA_METRICS_FILE"},
      {file_and({{"OTEL_METRIC_EXPORT_TIMEOUT", "100"}}),
       "OTEL_METRIC_EXPORT_TIMEOUT=100 has no effect: OTEL_EXPORTER_OTLP_METRICS_TIMEOUT is the "
       "limit"},
      {file_and({{"MELLEA_METRICS_ENABLED", "1"}, {"MELLEA_METRICS_OTLP", "true"}}),
       "MELLEA_METRICS_OTLP=true has no effect: neither OTEL_EXPORTER_OTLP_METRICS_ENDPOINT nor "
       "OTEL_EXPORTER_OTLP_ENDPOINT is set"},
      {{{"OTEL_METRICS_EXPORTER", "statsd"}},
       "OTEL_METRICS_EXPORTER=statsd has no effect: known are otlp, console, prometheus and none"},
      {file_and({{"OTEL_METRIC_EXPORT_INTERVAL", "0"}}),
       "OTEL_METRIC_EXPORT_INTERVAL=0 has no effect: it is not a number above 0"},
      {file_and({{"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "new"}}),
       "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=new has no effect: known are "
       "cumulative, delta, lowmemory"},
      {file_and({{"OTEL_METRICS_EXEMPLAR_FILTER", "some"}}),
       "OTEL_METRICS_EXEMPLAR_FILTER=some has no effect: known are always_off, trace_based, "
       "always_on"},
      {file_and({{"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
                  "base2_exponential_bucket_histogram"}}),
       "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION="
       "base2_exponential_bucket_histogram has no effect: known is explicit_bucket_histogram"},
      {{{"OTEL_METRICS_EXPORTER", "prometheus"}, {"OTEL_EXPORTER_PROMETHEUS_PORT", "x"}},
       "OTEL_EXPORTER_PROMETHEUS_PORT=x has no effect: it is not a port"},
      {{{"MELLEA_PRICING_ENABLED", "0"}, {"MELLEA_PRICING_FILE", "p.json"}},
       "MELLEA_PRICING_FILE=p.json has no effect: MELLEA_PRICING_ENABLED=0"},
      {{{"MELLEA_PRICING_ENABLED", "auto"}},
       "MELLEA_PRICING_ENABLED=auto has no effect: it is neither true nor false"},
  };
  for (const Row& row : rows)
    EXPECT_EQ(read(row.variables).warnings, std::vector<std::string>{row.expected});
}

TEST(EnvironmentTest, WhatIsWrongWithBothSignalsIsToldOnce) {
  const auto settings = read({{"OTEL_TRACES_EXPORTER", "otlp"},
                              {"OTEL_METRICS_EXPORTER", "otlp"},
                              {"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}});
  EXPECT_EQ(settings.warnings.size(), 1U);
}

TEST(EnvironmentTest, ReadsHowMetricsAreReadAndWhatThingsCost) {
  const Config config = read({{"MELLEA_METRICS_FILE", "x"},
                              {"OTEL_METRIC_EXPORT_INTERVAL", "100"},
                              {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "Delta"},
                              {"OTEL_METRICS_EXEMPLAR_FILTER", "always_off"},
                              {"MELLEA_METRICS_LABELS", "tenant.id, feature.name"},
                              {"MELLEA_PRICING_FILE", "p.json"}})
                            .config;
  EXPECT_EQ(config.metrics.interval, std::chrono::milliseconds(100));
  EXPECT_EQ(config.metrics.temporality, Temporality::delta);
  EXPECT_EQ(config.metrics.exemplars, ExemplarFilter::off);
  EXPECT_EQ(config.metrics.labels, (std::vector<std::string>{"tenant.id", "feature.name"}));
  EXPECT_TRUE(config.pricing.enabled);
  EXPECT_EQ(config.pricing.file, "p.json");
  EXPECT_FALSE(read({{"MELLEA_PRICING_ENABLED", "no"}}).config.pricing.enabled);
}

TEST(EnvironmentTest, ContentIsAskedForInTheWordsOfTheContractAndOfOpenTelemetry) {
  const auto mode = [](const std::string& ours, const std::string& standard) {
    return read({{"MELLEA_TRACES_CONTENT", ours},
                 {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", standard}})
        .config.content.mode;
  };
  EXPECT_EQ(mode("", ""), ContentMode::none);
  EXPECT_EQ(mode("Yes", ""), ContentMode::span);
  EXPECT_EQ(mode("span", ""), ContentMode::span);
  EXPECT_EQ(mode("event", ""), ContentMode::event);
  EXPECT_EQ(mode("both", "NO_CONTENT"), ContentMode::both);
  EXPECT_EQ(mode("", "true"), ContentMode::span);
  EXPECT_EQ(mode("", "SPAN_ONLY"), ContentMode::span);
  EXPECT_EQ(mode("", "event_only"), ContentMode::event);
  EXPECT_EQ(mode("no", "Span_And_Event"), ContentMode::both);
  EXPECT_EQ(mode("span", "EVENT_ONLY"), ContentMode::both);  // either may ask for it
}

TEST(EnvironmentTest, ReadsWhatIsShownOfErrors) {
  EXPECT_EQ(read({}).config.error_messages, ErrorMessages::none);
  EXPECT_EQ(read({{"MELLEA_ERROR_MESSAGES", "Safe"}}).config.error_messages, ErrorMessages::safe);
  EXPECT_EQ(read({{"MELLEA_ERROR_MESSAGES", "full"}}).config.error_messages, ErrorMessages::full);
}

TEST(EnvironmentTest, LogsAreSwitchedOnInSeveralWays) {
  struct Row {
    Variables variables;
    std::string expected;
  };
  const std::vector<Row> rows = {
      {{}, "off"},
      {{{"MELLEA_LOGS_LEVEL", "DEBUG"}, {"MELLEA_LOGS_JSON", "true"}}, "off"},
      {{{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"}}, "off"},
      {{{"MELLEA_LOGS_ENABLED", "true"}}, "on text"},
      {{{"MELLEA_LOGS_ENABLED", "true"}, {"MELLEA_LOGS_JSON", "1"}}, "on json"},
      {{{"MELLEA_LOGS_CONSOLE", "true"}}, "on text"},
      {{{"MELLEA_LOGS_CONSOLE", "false"}}, "off"},
      {{{"MELLEA_LOGS_FILE", "x.log"}}, "on file:x.log:text:10485760:5"},
      {{{"MELLEA_LOGS_FILE", "x.log"},
        {"MELLEA_LOGS_JSON", "true"},
        {"MELLEA_LOGS_FILE_MAX_BYTES", "1000"},
        {"MELLEA_LOGS_FILE_BACKUP_COUNT", "0"}},
       "on file:x.log:json:1000:0"},
      {{{"MELLEA_LOGS_ENABLED", "true"},
        {"MELLEA_LOGS_CONSOLE", "false"},
        {"MELLEA_LOGS_FILE", "x.log"}},
       "on file:x.log:text:10485760:5"},
      {{{"MELLEA_LOGS_OTLP_FILE", "x.jsonl"}}, "on otlp-file:x.jsonl"},
      {{{"MELLEA_LOGS_OTLP", "true"}, {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"}},
       "on http://c:4318/v1/logs"},
      {{{"MELLEA_LOGS_OTLP", "true"},
        {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://l:1/x"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"}},
       "on http://l:1/x"},
      {{{"OTEL_LOGS_EXPORTER", "otlp,console"}}, "on http://localhost:4318/v1/logs text"},
      {{{"MELLEA_LOGS_WEBHOOK", "https://h/k"}}, "on hook:https://h/k"},
      {{{"MELLEA_LOGS_WEBHOOK", "http://h/k"}, {"MELLEA_LOGGER_INSECURE_HTTP_ALLOWED", "1"}},
       "on hook:http://h/k"},
      {{{"OTEL_LOGS_EXPORTER", "none"}}, "off"},
      {{{"MELLEA_LOGS_FILE", "x.log"}, {"MELLEA_LOGS_ENABLED", "false"}}, "off"},
      {{{"MELLEA_LOGS_WEBHOOK", "https://h/k"}, {"OTEL_SDK_DISABLED", "true"}}, "off"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(log_exporters(read(row.variables)), row.expected);
    EXPECT_EQ(exporters(read(row.variables)), "off");
    EXPECT_EQ(metric_exporters(read(row.variables)), "off");
  }
}

TEST(EnvironmentTest, WhatIsWrongWithLogsIsAWarning) {
  const auto file_and = [](Variables more) {
    more["MELLEA_LOGS_FILE"] = "x";
    return more;
  };
  struct Row {
    Variables variables;
    std::string expected;
  };
  const std::vector<Row> rows = {
      {{{"MELLEA_LOGS_ENABLED", "true"}, {"MELLEA_LOGS_CONSOLE", "false"}},
       "MELLEA_LOGS_ENABLED=true: log records go nowhere, unless the program sends them: set "
       "MELLEA_LOGS_CONSOLE, MELLEA_LOGS_FILE, MELLEA_LOGS_OTLP, MELLEA_LOGS_OTLP_FILE or "
       "MELLEA_LOGS_WEBHOOK"},
      {file_and({{"MELLEA_LOGS_OTLP", "true"}}),
       "MELLEA_LOGS_OTLP=true has no effect: neither OTEL_EXPORTER_OTLP_LOGS_ENDPOINT nor "
       "OTEL_EXPORTER_OTLP_ENDPOINT is set"},
      {file_and({{"MELLEA_LOGS_LEVEL", "LOUD"}}),
       "MELLEA_LOGS_LEVEL=LOUD has no effect: known are debug, info, warning, error, critical, "
       "trace, warn, fatal"},
      {file_and({{"MELLEA_LOGS_FILE_MAX_BYTES", "10M"}}),
       "MELLEA_LOGS_FILE_MAX_BYTES=10M has no effect: it is not a number of bytes above 0"},
      {file_and({{"MELLEA_LOGS_FILE_BACKUP_COUNT", "-1"}}),
       "MELLEA_LOGS_FILE_BACKUP_COUNT=-1 has no effect: it is not a number from 0 to 10000"},
      {{{"MELLEA_LOGS_CONSOLE", "1"}, {"MELLEA_LOGS_FILE_MAX_BYTES", "1"}},
       "MELLEA_LOGS_FILE_MAX_BYTES=1 has no effect: MELLEA_LOGS_FILE is not set"},
      {file_and({{"MELLEA_LOGS_WEBHOOK", "http://h/SECRET"}}),
       "MELLEA_LOGS_WEBHOOK has no effect: its URL is not https, and "
       "MELLEA_LOGGER_INSECURE_HTTP_ALLOWED (in code: insecure_http_allowed) is not true"},
      {file_and({{"MELLEA_LOGS_WEBHOOK", "https:///SECRET"}}),
       "MELLEA_LOGS_WEBHOOK has no effect: it is no http or https URL"},
      {{{"MELLEA_LOGS_WEBHOOK", "https://h/SECRET"}, {"OTEL_SDK_DISABLED", "true"}},
       "MELLEA_LOGS_WEBHOOK has no effect: OTEL_SDK_DISABLED=true"},
      {file_and({{"MELLEA_LOGGER_INSECURE_HTTP_ALLOWED", "true"}}),
       "MELLEA_LOGGER_INSECURE_HTTP_ALLOWED=true has no effect: MELLEA_LOGS_WEBHOOK is not set"},
      {file_and({{"MELLEA_LOGS_INSECURE_HTTP_ALLOWED", "true"}}),
       "MELLEA_LOGS_INSECURE_HTTP_ALLOWED=true has no effect: it is called "
       "MELLEA_LOGGER_INSECURE_HTTP_ALLOWED"},
      {file_and({{"OTEL_BLRP_EXPORT_TIMEOUT", "100"}}),
       "OTEL_BLRP_EXPORT_TIMEOUT=100 has no effect: OTEL_EXPORTER_OTLP_LOGS_TIMEOUT is the limit"},
      {{{"OTEL_LOGS_EXPORTER", "syslog"}},
       "OTEL_LOGS_EXPORTER=syslog has no effect: known are otlp, console and none"},
  };
  for (const Row& row : rows)
    EXPECT_EQ(read(row.variables).warnings, std::vector<std::string>{row.expected});
}

TEST(EnvironmentTest, ReadsTheLevelOfLogsAndTheirBatches) {
  const LogsConfig logs = read({{"MELLEA_LOGS_FILE", "x"},
                                {"MELLEA_LOGS_LEVEL", "WARNING"},
                                {"OTEL_BLRP_SCHEDULE_DELAY", "100"},
                                {"OTEL_BLRP_MAX_QUEUE_SIZE", "10"},
                                {"OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "5"}})
                              .config.logs;
  EXPECT_EQ(logs.level, Severity::warn);
  EXPECT_EQ(logs.batch.delay, std::chrono::milliseconds(100));
  EXPECT_EQ(logs.batch.queue, 10U);
  EXPECT_EQ(logs.batch.batch, 5U);
  EXPECT_EQ(read({}).config.logs.batch.delay, std::chrono::milliseconds(1000));
}

TEST(EnvironmentTest, TheTreeIsUtf8WhereTheLocaleIs) {
  EXPECT_TRUE(style_of_standard_error(of({{"LANG", "de_DE.UTF-8"}})).utf8);
  EXPECT_TRUE(style_of_standard_error(of({{"LC_ALL", "C.utf8"}, {"LANG", "C"}})).utf8);
  EXPECT_FALSE(style_of_standard_error(of({{"LC_ALL", "C"}, {"LANG", "C.UTF-8"}})).utf8);
  EXPECT_FALSE(style_of_standard_error(of({})).utf8);
}

}  // namespace
}  // namespace mellea::telemetry
