#include "mellea/telemetry/sampling_tracing_plugin.h"

#include <array>
#include <string>
#include <utility>

#include "mellea/hooks/events.h"
#include "mellea/telemetry/operation_facts.h"
#include "mellea/telemetry/span_events.h"
#include "mellea/telemetry/span_opening.h"

namespace mellea::telemetry {
namespace {

constexpr How kHow{.priority = kTelemetryPriority + 4};

void describe(SpanRecord& record, const SamplingLoopStart& event) {
  record.name = "sampling";
  record.set(Fact::strategy_type, event.strategy.name());
  record.set(Fact::loop_budget, std::int64_t{event.budget});
  if (const int candidates = event.strategy.parts().candidates; candidates > 1)
    record.set(Fact::candidate_count, std::int64_t{candidates});
  record.set(Fact::sampled_requirements, number(event.requirements.size()));
}

void complete(SpanRecord& record, const SamplingLoopEnd& event) {
  const Attempts& attempts = *event.attempts;
  record.set(Fact::iterations_used, number(attempts.size()));
  if (event.ending.outcome != Outcome::ok) return;
  record.set(Fact::sampling_success, event.success);
  if (event.chosen)
    record.set(Fact::chosen_iteration, std::int64_t{attempts[*event.chosen].iteration});
  if (!event.success)
    record.set(Fact::failure_reason, "none of " + std::to_string(attempts.size()) + " passed");
}

class SamplingTracingPlugin : public Plugin {
 public:
  explicit SamplingTracingPlugin(std::shared_ptr<Tracer> tracer) : tracer_(std::move(tracer)) {}

  std::string_view name() const override { return "sampling_tracing"; }

  void subscribe(Subscriber& hooks) override {
    open_spans<SamplingLoopStart>(hooks, tracer_, kHow, describe);
    close_spans<SamplingLoopEnd>(hooks, tracer_, kHow, complete);
    hooks.observe<SamplingIteration>([this](const auto& event) { on_iteration(event); }, kHow);
    hooks.observe<SamplingRepair>([this](const auto& event) { on_repair(event); }, kHow);
  }

 private:
  void on_iteration(const SamplingIteration& event) {
    const Attempt& attempt = *event.attempt;
    std::array<Attribute, 6> attributes{{
        {Fact::sampling_iteration, std::int64_t{attempt.iteration}},
        {Fact::all_passed, attempt.ok()},
        {Fact::valid_count, passed_count(attempt.checks)},
        {Fact::requirement_count, number(attempt.checks.size())},
    }};
    const std::string generation = attempt.scope.id().text();
    std::size_t count = 4;
    if (attempt.scope) attributes[count++] = {Fact::generation_id, std::string_view(generation)};
    if (attempt.unfit) attributes[count++] = {Fact::error_type, to_string(attempt.unfit->code())};
    add_event(event.scope, span_event::kIteration, std::span(attributes).first(count));
  }

  void on_repair(const SamplingRepair& event) {
    const Attempt& failed = *event.failed;
    const Attribute attributes[] = {
        {Fact::repair_iteration, std::int64_t{failed.iteration}},
        {Fact::repair_type, event.repair_type},
        {Fact::failed_count, number(failed.checks.size()) - passed_count(failed.checks)},
    };
    add_event(event.scope, span_event::kRepair, attributes);
  }

  void add_event(const Scope& scope, std::string_view name, std::span<const Attribute> attributes) {
    const Instant now = Instant::clock::now();
    tracer_->update(scope.id(),
                    [&](SpanRecord& record) { record.add_event(name, now, attributes); });
  }

  const std::shared_ptr<Tracer> tracer_;
};

}  // namespace

std::shared_ptr<Plugin> make_sampling_tracing_plugin(std::shared_ptr<Tracer> tracer) {
  return std::make_shared<SamplingTracingPlugin>(std::move(tracer));
}

}  // namespace mellea::telemetry
