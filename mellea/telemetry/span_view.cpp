#include "mellea/telemetry/span_view.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "mellea/core/error.h"
#include "mellea/core/json.h"
#include "mellea/telemetry/langfuse.h"
#include "mellea/telemetry/openinference.h"

namespace mellea::telemetry {
namespace {

constexpr std::string_view kVariable = "gen_ai.prompt.variable.";

// The August release of Langfuse counts what it does not know as tokens of their own, and does not
// know the newest name of these. Later ones know both.
std::string_view base_name(const FactRow& row, const Vocabularies& vocabularies) {
  const bool unknown = row.fact == Fact::cache_write_tokens &&
                       vocabularies.has(Vocabulary::langfuse) &&
                       vocabularies.base() == Vocabulary::otel_2026_10;
  return unknown ? row.name : name_of(row.fact, vocabularies.base());
}

// Beside `mellea`, what OpenInference has no name of its own for is not said twice.
std::string_view other_name(const FactRow& row) {
  const std::string_view name = name_of(row.fact, Vocabulary::openinference);
  return name == row.name || name.starts_with("mellea.") ? kNone : name;
}

bool begins(std::string_view text, std::span<const std::string_view> names) noexcept {
  return std::any_of(names.begin(), names.end(), [&](std::string_view name) {
    return text == name || (name.ends_with('.') && text.starts_with(name));
  });
}

}  // namespace

SpanView::SpanView(const Vocabularies& vocabularies, bool content)
    : vocabularies_(vocabularies),
      content_(content),
      makes_more_(vocabularies.has(Vocabulary::openinference) ||
                  vocabularies.has(Vocabulary::langfuse) ||
                  vocabularies.base() == Vocabulary::otel_2026_10) {
  const bool two =
      vocabularies.base() == Vocabulary::mellea && vocabularies.has(Vocabulary::openinference);
  for (const FactRow& row : fact_table()) {
    if (row.gate == Gate::content && !content) continue;
    const bool number = row.names.number_in_1_41 && vocabularies.base() == Vocabulary::otel_1_41;
    shown_[static_cast<std::size_t>(row.fact)] = {
        .name = base_name(row, vocabularies),
        .another = two ? other_name(row) : kNone,
        .as_number = number,
    };
  }
}

Value SpanView::as_number(const Value& value) {
  const auto* whole = std::get_if<std::int64_t>(&value);
  return whole ? Value(static_cast<double>(*whole)) : value;
}

// A label of the program's that is called like one of ours would stand there twice. Where only
// `mellea` is spoken, none is recorded.
bool SpanView::is_taken(std::string_view label) const noexcept {
  if (vocabularies_ == Vocabularies()) return false;
  return std::any_of(
             shown_.begin(), shown_.end(),
             [&](const Shown& shown) { return shown.name == label || shown.another == label; }) ||
         (vocabularies_.has(Vocabulary::openinference) && begins(label, openinference_names()));
}

MadeAttributes SpanView::made_of(const SpanRecord& span) const {
  MadeAttributes made;
  if (vocabularies_.base() == Vocabulary::otel_2026_10 && content_) add_variables(span, made);
  if (vocabularies_.has(Vocabulary::openinference)) add_openinference(span, content_, made);
  if (vocabularies_.has(Vocabulary::langfuse)) add_langfuse(span, made);
  return made;
}

// Each variable of a prompt under its own name.
void SpanView::add_variables(const SpanRecord& span, MadeAttributes& made) const {
  const std::string_view variables = span.text(Fact::prompt_variables);
  if (variables.empty()) return;
  try {
    const Json read = Json::parse(variables);
    if (!read->is_object()) return;
    for (const auto& [name, value] : read->items())
      made.push_back({std::string(kVariable) + name,
                      value.is_string() ? value.get<std::string>() : Json(value).text()});
  } catch (const Error&) {  // no JSON: there are no names
  }
}

}  // namespace mellea::telemetry
