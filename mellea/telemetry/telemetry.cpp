#include "mellea/telemetry/telemetry.h"

#include <cstdio>
#include <utility>

#include "mellea/telemetry/batch_processor.h"
#include "mellea/telemetry/otlp_file_exporter.h"
#include "mellea/telemetry/otlp_http_exporter.h"
#include "mellea/telemetry/resource.h"
#include "mellea/telemetry/tracer.h"
#include "mellea/telemetry/tracing_plugins.h"
#include "mellea/telemetry/tree_exporter.h"
#include "mellea/telemetry/warnings.h"

namespace mellea::telemetry {
namespace {

constexpr Telemetry::Duration kLastShutdown{5'000};

// Makes an exporter of its description.
struct Maker {
  const Config& config;
  const std::shared_ptr<const Resource>& resource;
  const std::shared_ptr<Warnings>& warnings;

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
    return std::make_shared<BatchProcessor>(std::move(sender), config.batch, warnings);
  }
};

}  // namespace

struct Telemetry::State {
  std::shared_ptr<Warnings> warnings{};
  std::shared_ptr<Tracer> tracer{};  // null: traces are off
  Plugins plugins{};
};

Telemetry::Telemetry(Config config)
    : Telemetry(EnvironmentSettings{.traces = true, .config = std::move(config)}) {}

Telemetry::Telemetry(EnvironmentSettings settings) : state_(std::make_unique<State>()) {
  const Config& config = settings.config;
  state_->warnings = std::make_shared<Warnings>(config.warn);
  for (std::string& warning : settings.warnings) state_->warnings->add(std::move(warning));
  if (!settings.traces) return;

  const auto resource = std::make_shared<const Resource>(config.service_name, config.resource);
  std::vector<std::shared_ptr<SpanExporter>> exporters;
  for (const Exporter& exporter : config.exporters)
    exporters.push_back(std::visit(Maker{config, resource, state_->warnings}, exporter));

  auto tracer = std::make_shared<Tracer>(config.sampler, std::move(exporters));
  state_->plugins = make_tracing_plugins(tracer, config.chunk_events);
  state_->tracer = std::move(tracer);
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

bool Telemetry::flush(Duration limit) noexcept {
  return !state_ || !state_->tracer || state_->tracer->flush(Instant::clock::now() + limit);
}

bool Telemetry::shutdown(Duration limit) noexcept {
  return !state_ || !state_->tracer || state_->tracer->shutdown(Instant::clock::now() + limit);
}

std::vector<std::string> Telemetry::warnings() const {
  return state_ ? state_->warnings->all() : std::vector<std::string>();
}

}  // namespace mellea::telemetry
