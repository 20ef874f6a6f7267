// Telemetry as a whole: traces, metrics and log records that plugins write and exporters deliver.
//
//   auto telemetry = mellea::Telemetry::from_env();   // MELLEA_TRACES_FILE=x.jsonl writes a trace
//   mellea::Runtime runtime({.plugins = telemetry.plugins()});
//
// Or set up in code:
//
//   mellea::Telemetry telemetry({.exporters = {mellea::telemetry::OtlpFile{"x.jsonl"}},
//                                .metrics = {.exporters =
//                                {mellea::telemetry::PrometheusEndpoint{}}}});
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/hooks/hook.h"
#include "mellea/telemetry/config.h"
#include "mellea/telemetry/environment.h"
#include "mellea/telemetry/logger.h"
#include "mellea/telemetry/logging_plugins.h"
#include "mellea/telemetry/meter.h"
#include "mellea/telemetry/prometheus_text.h"

namespace mellea::telemetry {

// Owns the exporters and what runs for them. Its plugins may outlive it, and then do nothing.
// Nothing here throws because of a setting or an exporter: that is a warning. Any thread may call
// anything. In a child of fork() all is off; destroying it there lets go of the Prometheus port.
class Telemetry {
 public:
  using Duration = std::chrono::milliseconds;

  Telemetry() noexcept;               // off: no plugins, no threads, no cost
  explicit Telemetry(Config config);  // traces are on unless only metrics or logs have exporters
  Telemetry(Telemetry&&) noexcept;
  Telemetry& operator=(Telemetry&&) noexcept;
  ~Telemetry();  // shuts down within 5 s

  // As docs/telemetry.md says; off if no variable switches it on. Each warning goes to `warn`, by
  // default as one line to standard error, where the tree of MELLEA_TRACES_CONSOLE goes too, and
  // log records for people.
  static Telemetry from_env(const Environment& environment = process_environment,
                            std::function<void(std::string_view)> warn = to_standard_error);
  static void to_standard_error(std::string_view warning);

  // For Runtime; empty if all is off.
  Plugins plugins() const;

  // For a program's own metrics. `scope` names who measures: "shop". Off if metrics are.
  Meter meter(std::string scope) const;
  // All metrics as Prometheus reads them, for a program that serves them itself; empty if metrics
  // are off: MetricsConfig::enabled switches them on without an exporter.
  std::string metrics_text(PrometheusFormat format = PrometheusFormat::text) const;
  // Where the first PrometheusEndpoint listens; 0: nowhere.
  int prometheus_port() const noexcept;

  // A line of the program's own, where log records go. One that a tool, a check or a callback logs
  // on its thread belongs to the operation that it runs in. Attributes that are called as one of
  // ours are left out. Nothing happens if logs are off.
  void log(Severity severity, std::string text, Labels attributes = {}) const noexcept;
  // What somebody found of an answer, later or elsewhere: `answer` is Result::trace_ref(), or was
  // kept as its traceparent. A log record `gen_ai.evaluation.result`; nothing if logs are off.
  void record_evaluation(const TraceRef& answer, const Evaluation& evaluation) const noexcept;
  // For SpdlogSink, and loggers of other kinds; may outlive Telemetry. Null: logs are off.
  std::shared_ptr<Logger> logger() const noexcept;

  // Waits until all that has ended is delivered, and what is counted by now; false if that took
  // longer than `limit`.
  bool flush(Duration limit = Duration(5'000)) noexcept;
  // Ends what is open, marked as unfinished, and delivers what there is; false if anything was lost
  // for good, or `limit` was too short. Then all is off for good. The first call does it; the
  // others wait for it, and return the same.
  bool shutdown(Duration limit = Duration(5'000)) noexcept;

  std::vector<std::string> warnings() const;  // the first 100

 private:
  struct State;
  explicit Telemetry(EnvironmentSettings settings);

  std::unique_ptr<State> state_;  // null: off
};

}  // namespace mellea::telemetry

namespace mellea {
using telemetry::Telemetry;
}  // namespace mellea
