#include "mellea/otel/bridge.h"

#include <opentelemetry/sdk/version/version.h>
#include <opentelemetry/trace/noop.h>

#include <memory>
#include <string>
#include <utility>

#include "mellea/otel/host.h"
#include "mellea/otel/host_context_plugin.h"
#include "mellea/otel/host_exporter.h"
#include "mellea/otel/host_logs.h"
#include "mellea/otel/host_metrics.h"
#include "mellea/otel/host_sampler.h"
#include "mellea/otel/versions.h"
#include "mellea/telemetry/choosing_exporter.h"

namespace mellea::otel {
namespace {

// Of the library that runs, of our headers and of the caller's.
void require_versions(std::string_view headers) {
  require_same_version(
      {.library = opentelemetry::sdk::version::short_version, .headers = OPENTELEMETRY_VERSION});
  require_same_version({.library = opentelemetry::sdk::version::short_version, .headers = headers});
}

}  // namespace

telemetry::Config through(opentelemetry::trace::TracerProvider& host, telemetry::Config config,
                          const telemetry::SpanStyle& style, std::string_view headers) {
  require_versions(headers);

  config.plugins.push_back(make_host_context_plugin());
  if (dynamic_cast<opentelemetry::trace::NoopTracerProvider*>(&host)) {
    if (config.exporters.empty()) config.sampler = {.ratio = 0, .follow_parent = false};
    return config;
  }
  const auto inside = std::make_shared<const Host>(host);
  const auto warn = [&](const std::string& text) {
    if (config.warn) config.warn(text);
  };
  const telemetry::SpanView view(
      telemetry::Vocabularies::together(style.names.empty() ? config.names : style.names, warn),
      style.content);
  config.sampler = {.decide = HostSampler(inside, view)};
  std::shared_ptr<telemetry::SpanExporter> exporter = std::make_shared<HostExporter>(inside, view);
  if (style.when)
    exporter = std::make_shared<telemetry::ChoosingExporter>(std::move(exporter), style.when);
  config.exporters.emplace_back(std::move(exporter));
  return config;
}

telemetry::Config metrics_through(opentelemetry::metrics::MeterProvider& host,
                                  telemetry::Config config, std::string_view headers) {
  require_versions(headers);
  config.metrics.mirror = make_host_metrics(host);
  return config;
}

telemetry::Config logs_through(opentelemetry::logs::LoggerProvider& host, telemetry::Config config,
                               std::string_view headers) {
  require_versions(headers);
  config.logs.exporters.emplace_back(std::make_shared<HostLogs>(host));
  return config;
}

}  // namespace mellea::otel
