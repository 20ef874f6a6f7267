#include "mellea/telemetry/metrics_plugins.h"

#include <string_view>
#include <utility>

#include "mellea/hooks/events.h"
#include "mellea/telemetry/generation_metrics_plugin.h"
#include "mellea/telemetry/span_ending.h"
#include "mellea/telemetry/stops.h"

namespace mellea::telemetry {
namespace {

using RecorderPtr = std::shared_ptr<const MetricRecorder>;

constexpr How how(int place) { return {.priority = kTelemetryPriority + 10 + place}; }

class SamplingMetricsPlugin : public Plugin {
 public:
  explicit SamplingMetricsPlugin(RecorderPtr recorder) : recorder_(std::move(recorder)) {}

  std::string_view name() const override { return "sampling_metrics"; }

  void subscribe(Subscriber& hooks) override {
    hooks.observe<SamplingIteration>(
        [this](const SamplingIteration& event) {
          count(Metric::sampling_attempts, event.scope, event.strategy.name(), event.scope.trace());
        },
        how(4));
    hooks.observe<SamplingLoopEnd>([this](const auto& event) { on_end(event); }, how(4));
    hooks.observe<StreamingEnd>([this](const auto& event) { on_end(event); }, how(4));
  }

 private:
  static constexpr std::string_view kStream = "stream";

  void count(Metric metric, const Scope& scope, std::string_view strategy, const TraceRef& trace) {
    recorder_->record(metric, 1, recorder_->labels(scope).with(kStrategyLabel, strategy), trace);
  }

  // One that was cancelled, blocked or broken found out nothing.
  void on_end(const SamplingLoopEnd& event) {
    if (event.ending.outcome != Outcome::ok) return;
    count(event.success ? Metric::sampling_successes : Metric::sampling_failures,
          event.opening->scope, event.opening->strategy.name(), event.opening->trace);
  }

  // A stream is a sampling of one attempt. It failed if a requirement ended it, and not if its
  // reader left or its provider failed.
  void on_end(const StreamingEnd& event) {
    const bool unmet = event.failures && !event.failures->empty();
    if (event.success || unmet)
      count(event.success ? Metric::sampling_successes : Metric::sampling_failures,
            event.opening->scope, kStream, event.opening->trace);
  }

  const RecorderPtr recorder_;
};

class RequirementMetricsPlugin : public Plugin {
 public:
  explicit RequirementMetricsPlugin(RecorderPtr recorder) : recorder_(std::move(recorder)) {}

  std::string_view name() const override { return "requirement_metrics"; }

  void subscribe(Subscriber& hooks) override {
    hooks.observe<ValidationPostCheck>(
        [this](const ValidationPostCheck& event) {
          if (event.ending.outcome == Outcome::ok)
            count(event.checks, event.opening->scope, event.opening->trace);
        },
        how(5));
    // What was checked when a stream was whole comes as a validation.
    hooks.observe<StreamingEvent>(
        [this](const StreamingEvent& event) {
          if (const auto* check = std::get_if<QuickCheck>(event.what.get()))
            count(check->checks, event.scope, event.scope.trace());
        },
        how(5));
  }

 private:
  static std::string_view name_of_requirement(const Requirement& requirement) {
    if (!requirement.name().empty()) return requirement.name();
    return requirement.kind().empty() ? "unknown" : requirement.kind();
  }

  // A reason in words may be a model's: it is no label.
  static std::string_view reason_of(const Checked& checked) {
    if (checked.requirement.judged()) return "LLM judgment";
    return is_code(checked.result.code) ? std::string_view(checked.result.code) : "check failed";
  }

  void count(const std::vector<Checked>& checks, const Scope& scope, const TraceRef& trace) {
    for (const Checked& checked : checks) {
      const LabelList labels = recorder_->labels(scope).with(
          kRequirementLabel, name_of_requirement(checked.requirement));
      recorder_->record(Metric::requirement_checks, 1, labels, trace);
      if (!checked.result.passed)
        recorder_->record(Metric::requirement_failures, 1,
                          labels.with(kReasonLabel, reason_of(checked)), trace);
    }
  }

  const RecorderPtr recorder_;
};

class ToolMetricsPlugin : public Plugin {
 public:
  explicit ToolMetricsPlugin(RecorderPtr recorder) : recorder_(std::move(recorder)) {}

  std::string_view name() const override { return "tool_metrics"; }

  void subscribe(Subscriber& hooks) override {
    hooks.observe<ToolPostInvoke>([this](const ToolPostInvoke& event) { on_end(event); }, how(6));
  }

 private:
  // A name that the model made up is no label.
  void on_end(const ToolPostInvoke& event) {
    const ToolPreInvoke& opening = *event.opening;
    const Outcome outcome = event.ending.outcome;
    std::string_view status = "failure";
    if (outcome == Outcome::cancelled) status = "cancelled";
    if (outcome == Outcome::ok && !event.stopped) status = "success";
    LabelList labels = recorder_->labels(opening.scope);
    labels.add(Fact::tool_name,
               opening.tool ? std::string_view(opening.tool->name) : std::string_view("unknown"));
    labels.add(kStatusLabel, status);
    recorder_->record(Metric::tool_calls, 1, labels, opening.trace);
  }

  const RecorderPtr recorder_;
};

class BlockMetricsPlugin : public Plugin {
 public:
  explicit BlockMetricsPlugin(RecorderPtr recorder) : recorder_(std::move(recorder)) {}

  std::string_view name() const override { return "block_metrics"; }

  void subscribe(Subscriber& hooks) override {
    observe_stops(hooks, how(7), [this](const Stop& stop) {
      LabelList labels = recorder_->labels(stop.scope);
      labels.add(Fact::block_plugin, stop.plugin);
      labels.add(Fact::block_event, stop.event);
      if (is_code(stop.code)) labels.add(Fact::block_code, stop.code);
      recorder_->record(Metric::plugin_blocks, 1, labels, stop.trace);
    });
  }

 private:
  const RecorderPtr recorder_;
};

}  // namespace

Plugins make_metrics_plugins(const RecorderPtr& recorder, std::shared_ptr<const Pricing> pricing,
                             bool chunk_events) {
  return {make_generation_metrics_plugin(recorder, std::move(pricing), chunk_events),
          std::make_shared<SamplingMetricsPlugin>(recorder),
          std::make_shared<RequirementMetricsPlugin>(recorder),
          std::make_shared<ToolMetricsPlugin>(recorder),
          std::make_shared<BlockMetricsPlugin>(recorder)};
}

}  // namespace mellea::telemetry
