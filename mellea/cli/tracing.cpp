#include "mellea/cli/tracing.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>

#include "mellea/cli/exit_code.h"
#include "mellea/core/descriptor.h"
#include "mellea/core/text.h"
#include "mellea/telemetry/memory_exporter.h"
#include "mellea/telemetry/otlp_json.h"
#include "mellea/telemetry/resource.h"
#include "mellea/telemetry/span_view.h"

namespace mellea::cli {
namespace {

// Shows what it was given as one line of OTLP JSON, at each flush and at the end.
class JsonTrace : public telemetry::SpanExporter {
 public:
  JsonTrace(telemetry::Resource resource, const telemetry::SpanView& view, Console& console)
      : resource_(std::move(resource)), view_(view), console_(console) {}

  void export_spans(std::span<const telemetry::SpanPtr> spans) noexcept override {
    spans_.export_spans(spans);
  }
  bool flush(Instant) noexcept override {
    try {
      const auto spans = spans_.take();
      if (!spans.empty()) console_.show(telemetry::otlp_json(spans, resource_, view_) + '\n');
      return true;
    } catch (const std::bad_alloc&) {
      return false;
    }
  }
  bool shutdown(Instant until) noexcept override { return flush(until); }

 private:
  const telemetry::Resource resource_;
  const telemetry::SpanView view_;
  Console& console_;
  telemetry::MemoryExporter spans_;
};

telemetry::TreeText tree_on(Console& console) {
  return {.style = tree_style(console.error_canvas()),
          .write = [&console](std::string_view tree) { console.show(tree); }};
}

bool shows_trees(const telemetry::Config& config) {
  return std::any_of(config.exporters.begin(), config.exporters.end(), [](const auto& exporter) {
    return std::holds_alternative<telemetry::TreeText>(exporter);
  });
}

}  // namespace

void check(const TraceArguments& arguments) {
  static constexpr std::array<std::string_view, 2> kForms = {"tree", "json"};
  const std::string& form = arguments.form;
  if (!form.empty() && std::find(kForms.begin(), kForms.end(), form) == kForms.end()) {
    const std::string meant = did_you_mean(form, kForms);
    throw UsageError("--trace=" + one_line(form, 40) +
                     (meant.empty() ? ": write tree or json" : meant));
  }
  if (arguments.file.empty()) return;
  const Descriptor file(
      ::open(arguments.file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666));
  if (!file)
    throw UsageError("--trace-file " + one_line(arguments.file) + ": " +
                     std::generic_category().message(errno));
}

telemetry::TreeStyle tree_style(const Canvas& canvas) {
  return {.width = canvas.width, .utf8 = canvas.utf8, .colour = canvas.colour};
}

telemetry::Config config_from(const Environment& environment, Console& console) {
  telemetry::EnvironmentSettings settings =
      telemetry::read_environment(environment, tree_on(console));
  telemetry::Config config = std::move(settings.config);
  if (!settings.traces) config.exporters.clear();
  if (!settings.metrics) config.metrics.exporters.clear();
  if (!settings.logs) config.logs.exporters.clear();
  config.warn = [&console](std::string_view warning) {
    console.warn("mellea: " + std::string(warning));
  };
  for (const std::string& warning : settings.warnings) config.warn(warning);
  return config;
}

void add_exporters(telemetry::Config& config, const TraceArguments& arguments, Console& console) {
  if (arguments.content) config.content.mode = config.content.mode | telemetry::ContentMode::span;
  if (arguments.file.empty() && arguments.form.empty()) {
    if (arguments.content && config.exporters.empty())
      throw UsageError(
          "--content: there is no trace to put it in: add --trace or --trace-file FILE");
    return;
  }
  config.sampler = {};  // who asks for this trace wants it
  if (!arguments.file.empty()) config.exporters.emplace_back(telemetry::OtlpFile{arguments.file});
  if (arguments.form == "tree" && !shows_trees(config))
    config.exporters.emplace_back(tree_on(console));
  if (arguments.form == "json")
    config.exporters.emplace_back(std::make_shared<JsonTrace>(
        telemetry::Resource(config.service_name, config.resource),
        telemetry::SpanView(telemetry::Vocabularies::together(config.names, {}), true), console));
}

Telemetry make_telemetry(telemetry::Config config) {
  const bool off = config.exporters.empty() && config.metrics.exporters.empty() &&
                   config.logs.exporters.empty();
  return off ? Telemetry() : Telemetry(std::move(config));
}

}  // namespace mellea::cli
