// What operations of several kinds say on their spans.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "mellea/core/prompt.h"
#include "mellea/core/requirement.h"
#include "mellea/core/scope.h"
#include "mellea/telemetry/content.h"
#include "mellea/telemetry/span.h"

namespace mellea::telemetry {

// Fact::span_class of what has a model and asks none itself.
inline constexpr std::string_view kNoGeneration = "CHAIN";

inline std::int64_t number(std::size_t count) { return static_cast<std::int64_t>(count); }

void set_text(SpanRecord& record, Fact fact, std::string_view text);  // unless it is empty
void set_conversation(SpanRecord& record, const std::shared_ptr<const std::string>& id);
// Which attempt of a sampling it belongs to; nothing outside of one.
void set_iteration(SpanRecord& record, const Scope& scope);
// The generation that it came from, with a link to its span.
void set_generation(SpanRecord& record, const Scope& generation);
// Name and version of the template; what was put in is not shown.
void set_prompt(SpanRecord& record, const Prompt& prompt);

// The answer that was checked, as far as it is known.
struct Evaluated {
  Scope generation{};
  std::string_view response_id{};
};
// What was found of a requirement, as an event. The requirement goes by its name or its kind: its
// text is the program's, and the reason, which may be a model's, is there only with `content`.
void add_evaluation(SpanRecord& record, const Checked& checked, Instant at, const Content& content,
                    const Evaluated& evaluated = {});
std::int64_t passed_count(const std::vector<Checked>& checks);

}  // namespace mellea::telemetry
