// Spans as one exporter shows them, for tests of what they are called.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mellea/telemetry/facts.h"
#include "mellea/telemetry/span_view.h"
#include "mellea/telemetry/tracing_for_test.h"

namespace mellea::telemetry {

// All that can stand on one span.
inline std::vector<Vocabularies> all_vocabularies() {
  using enum Vocabulary;
  std::vector<Vocabularies> all;
  for (const std::vector<Vocabulary>& base : std::vector<std::vector<Vocabulary>>{
           {mellea}, {otel_1_41}, {otel_2026_10}, {openinference}, {mellea, openinference}})
    for (const bool beside_langfuse : {false, true}) {
      std::vector<Vocabulary> wanted = base;
      if (beside_langfuse) wanted.push_back(langfuse);
      all.push_back(Vocabularies::together(wanted, {}));
    }
  return all;
}

// "mellea,openinference".
inline std::string words_of(const Vocabularies& vocabularies) {
  using enum Vocabulary;
  std::string words;
  for (const Vocabulary one : {mellea, otel_1_41, otel_2026_10, openinference, langfuse})
    if (vocabularies.has(one)) words.append(words.empty() ? "" : ",").append(to_string(one));
  return words;
}

using ShownAttributes = std::vector<std::pair<std::string, Value>>;

// The values view what `carrier` and `made` hold: only names and types outlive the call.
inline ShownAttributes shown(const auto& carrier, const SpanView& view) {
  ShownAttributes all;
  view.each_attribute(
      carrier, [&](std::string_view name, const Value& value) { all.emplace_back(name, value); });
  return all;
}

// A line for each attribute.
inline std::string text_of(const auto& carrier, const SpanView& view) {
  std::string text;
  view.each_attribute(carrier, [&](std::string_view name, const Value& value) {
    text.append("  ").append(name).append(" = ").append(text_of(value)).append("\n");
  });
  return text;
}

// Of that kind, with every fact that such a span may carry.
inline std::shared_ptr<SpanRecord> full_span(Kind kind) {
  auto span = std::make_shared<SpanRecord>();
  span->traces = kind;
  for (const FactRow& row : fact_table()) {
    if ((row.on & carrier(kind)) == 0) continue;
    switch (row.type) {
      case FactType::text: span->set(row.fact, "1"); break;
      case FactType::integer: span->set(row.fact, std::int64_t{1}); break;
      case FactType::number: span->set(row.fact, 0.5); break;
      case FactType::boolean: span->set(row.fact, true); break;
      case FactType::texts: span->set(row.fact, std::vector<std::string>{"a"}); break;
    }
  }
  return span;
}

inline constexpr Kind kKinds[] = {Kind::session,    Kind::agent,      Kind::action,
                                  Kind::sampling,   Kind::generation, Kind::batch,
                                  Kind::validation, Kind::tool,       Kind::stream};

}  // namespace mellea::telemetry
