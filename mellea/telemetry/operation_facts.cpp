#include "mellea/telemetry/operation_facts.h"

#include <algorithm>
#include <array>

#include "mellea/telemetry/span_ending.h"
#include "mellea/telemetry/span_events.h"

namespace mellea::telemetry {

void set_text(SpanRecord& record, Fact fact, std::string_view text) {
  if (!text.empty()) record.set(fact, text);
}

void set_conversation(SpanRecord& record, const std::shared_ptr<const std::string>& id) {
  if (id) set_text(record, Fact::conversation_id, *id);
}

void set_iteration(SpanRecord& record, const Scope& scope) {
  if (scope.iteration() != 0) record.set(Fact::sampling_iteration, std::int64_t{scope.iteration()});
}

void set_generation(SpanRecord& record, const Scope& generation) {
  if (!generation) return;
  record.set(Fact::generation_id, generation.id().text());
  if (const TraceRef span = generation.trace()) record.add_link(span);
}

void set_prompt(SpanRecord& record, const Prompt& prompt) {
  set_text(record, Fact::prompt_name, prompt.name);
  set_text(record, Fact::prompt_version, prompt.version);
}

void add_evaluation(SpanRecord& record, const Checked& checked, Instant at, const Content& content,
                    const Evaluated& evaluated) {
  const Requirement& requirement = checked.requirement;
  const ValidationResult& result = checked.result;
  std::array<Attribute, 7> attributes{{
      {Fact::evaluation_name,
       requirement.name().empty() ? requirement.kind() : std::string_view(requirement.name())},
      {Fact::evaluation_label, result.passed ? "pass" : "fail"},
  }};
  std::size_t count = 2;
  const auto add = [&](Fact fact, const Value& value) { attributes[count++] = {fact, value}; };
  if (result.score) add(Fact::evaluation_score, *result.score);
  if (is_code(result.code)) add(Fact::validation_code, std::string_view(result.code));
  const std::string generation = evaluated.generation.id().text();
  if (evaluated.generation) add(Fact::generation_id, std::string_view(generation));
  if (!evaluated.response_id.empty()) add(Fact::response_id, evaluated.response_id);
  const std::string reason = content.in_spans() ? content.text(result.reason) : std::string();
  if (!reason.empty()) add(Fact::evaluation_explanation, std::string_view(reason));
  record.add_last_event(span_event::kEvaluation, at, std::span(attributes).first(count));
}

std::int64_t passed_count(const std::vector<Checked>& checks) {
  return std::count_if(checks.begin(), checks.end(),
                       [](const Checked& checked) { return checked.result.passed; });
}

}  // namespace mellea::telemetry
