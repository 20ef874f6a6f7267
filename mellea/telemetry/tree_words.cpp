#include "mellea/telemetry/tree_words.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "mellea/telemetry/span_events.h"

namespace mellea::telemetry {
namespace {

const Value* find(const SpanEvent& event, Fact fact) {
  for (const Attribute& attribute : event.attributes)
    if (attribute.key == Key(fact)) return &attribute.value;
  return nullptr;
}

// Of a span or an event: the number, or `otherwise` where there is none.
std::int64_t number_in(const auto& carrier, Fact fact, std::int64_t otherwise = 0) {
  const Value* value = [&] {
    if constexpr (requires { carrier.find(fact); })
      return carrier.find(fact);
    else
      return find(carrier, fact);
  }();
  const auto* count = value ? std::get_if<std::int64_t>(value) : nullptr;
  return count ? *count : otherwise;
}

std::string number_text(const Value* value) {
  const auto* count = value ? std::get_if<std::int64_t>(value) : nullptr;
  return count ? std::to_string(*count) : std::string();
}

bool is_true(const SpanRecord& span, Fact fact) {
  const Value* value = span.find(fact);
  const bool* truth = value ? std::get_if<bool>(value) : nullptr;
  return truth && *truth;
}

bool cancelled(const SpanRecord& span) { return span.text(Fact::outcome) == "cancelled"; }

std::string with(std::string word, std::string_view link, std::string_view more) {
  return more.empty() ? word : word.append(link).append(more);
}

std::string counted(std::int64_t count, std::string_view one) {
  std::string text = std::to_string(count).append(" ").append(one);
  return count == 1 ? text : text + "s";
}

std::string of(std::int64_t count, std::int64_t all) {
  return std::to_string(count) + " of " + std::to_string(all);
}

std::string chat_facts(const SpanRecord& span) {
  if (!span.find(Fact::request_stream)) return {};
  if (const Value* chunks = span.find(Fact::chunk_count); chunks && cancelled(span))
    return counted(std::get<std::int64_t>(*chunks), "chunk");
  const Value* first = span.find(Fact::time_to_first_chunk);
  const double* seconds = first ? std::get_if<double>(first) : nullptr;
  return seconds ? "stream, first chunk " + duration_text(*seconds) : "stream";
}

// Where it was sure to pass at the first attempt there is nothing to say.
std::string action_facts(const SpanRecord& span) {
  const std::int64_t attempt = number_in(span, Fact::chosen_iteration);
  if (attempt == 0 || (attempt == 1 && !is_true(span, Fact::has_requirements))) return {};
  const bool passed = is_true(span, Fact::sampling_success);
  return std::string(passed ? "passed" : "not passed") + ", attempt " + std::to_string(attempt);
}

// Ours by short names, others by their own.
std::string_view strategy_word(std::string_view strategy) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kWords{{
      {"BestOfNStrategy", "best of n"},
      {"MajorityVotingStrategy", "majority"},
      {"MultiTurnStrategy", "multi-turn"},
      {"RejectionSamplingStrategy", "rejection"},
      {"RepairTemplateStrategy", "repair"},
  }};
  const auto* found = std::find_if(kWords.begin(), kWords.end(),
                                   [&](const auto& row) { return row.first == strategy; });
  return found == kWords.end() ? strategy : found->second;
}

std::string sampling_facts(const SpanRecord& span) {
  std::string text(strategy_word(span.text(Fact::strategy_type)));
  const std::int64_t candidates = number_in(span, Fact::candidate_count, 1);
  const std::int64_t used = number_in(span, Fact::iterations_used);
  text += ", " + of(used, number_in(span, Fact::loop_budget, 1) * candidates);
  if (candidates > 1) text += ", " + std::to_string(candidates) + " at once";
  return text;
}

std::string validation_facts(const SpanRecord& span) {
  const Value* passed = span.find(Fact::passed_count);
  if (!passed) return {};
  const std::int64_t count = std::get<std::int64_t>(*passed);
  return of(count, count + number_in(span, Fact::failed_count)) + " passed";
}

// SentenceChunking: by sentence. Left out where an error needs the room.
std::string chunking_words(const SpanRecord& span) {
  constexpr std::string_view kSuffix = "Chunking";
  std::string word(span.text(Fact::chunking_strategy));
  if (word.empty() || word == "none" || span.status == SpanStatus::error) return {};
  if (word.ends_with(kSuffix)) word.resize(word.size() - kSuffix.size());
  if (word[0] >= 'A' && word[0] <= 'Z') word[0] = static_cast<char>(word[0] - 'A' + 'a');
  return "by " + word;
}

std::string streaming_facts(const SpanRecord& span) {
  std::string words = chunking_words(span);
  if (span.dropped_events() != 0) return words;  // there were more than are known
  const auto chunks =
      std::count_if(span.events().begin(), span.events().end(),
                    [](const SpanEvent& event) { return event.name == span_event::kChunk; });
  return words + (words.empty() ? "" : ", ") + counted(chunks, "chunk");
}

std::string agent_facts(const SpanRecord& span) {
  const std::int64_t steps = number_in(span, Fact::agent_steps);
  const std::int64_t most = number_in(span, Fact::agent_max_steps);
  std::string text = most > 0 ? of(steps, most) + " steps" : counted(steps, "step");
  if (span.find(Fact::agent_answered) && !is_true(span, Fact::agent_answered))
    text += ", no answer";
  return text;
}

std::string retry_note(const SpanEvent& event) {
  std::string text = "retry " + number_text(find(event, Fact::retry_attempt)) + ":";
  if (const Value* status = find(event, Fact::http_status)) text += " " + number_text(status);
  if (const Value* type = find(event, Fact::error_type))
    text.append(" ").append(std::get<std::string_view>(*type));
  if (const Value* delay = find(event, Fact::retry_delay))
    text += ", waited " + duration_text(std::get<double>(*delay));
  return text;
}

// An attempt that was not even checked: the validation that would tell is missing.
std::string iteration_note(const SpanEvent& event) {
  const Value* type = find(event, Fact::error_type);
  if (!type) return {};
  return "attempt " + number_text(find(event, Fact::sampling_iteration)) + ": " +
         std::string(std::get<std::string_view>(*type));
}

std::string compaction_note(const SpanEvent& event) {
  return "context compacted: " + counted(number_in(event, Fact::turns_before), "turn") + " to " +
         std::to_string(number_in(event, Fact::turns_after));
}

enum class Which { first, last };

// Of one of the messages, the words that people read first.
std::string words_of(std::string_view messages, Which which) {
  using Json = nlohmann::json;
  const Json list = Json::parse(messages, nullptr, /*allow_exceptions=*/false);
  if (!list.is_array() || list.empty()) return {};
  const Json& message = which == Which::first ? list.front() : list.back();
  std::string words;
  for (const Json& part : message.value("parts", Json::array())) {
    if (part.value("type", "") == "reasoning") continue;
    for (const char* key : {"content", "name", "arguments", "response", "modality"})
      if (const auto said = part.find(key); said != part.end())
        words.append(words.empty() ? "" : " ")
            .append(said->is_string() ? said->get<std::string>() : said->dump());
  }
  return words;
}

}  // namespace

std::string duration_text(double seconds) {
  char text[32];
  if (seconds < 10)
    std::snprintf(text, sizeof text, "%.0f ms", seconds * 1e3);
  else if (seconds < 600)
    std::snprintf(text, sizeof text, "%.1f s", seconds);
  else
    std::snprintf(text, sizeof text, "%.0f min", seconds / 60);
  return text;
}

std::string title_of(const SpanRecord& span) {
  std::string name(span.name);
  return name == "action" ? with(name, " ", span.text(Fact::component_type)) : name;
}

std::string facts_of(const SpanRecord& span) {
  if (span.name == "action") return action_facts(span);
  if (span.name == "sampling") return sampling_facts(span);
  if (span.name == "validation") return validation_facts(span);
  if (span.name == "stream") return streaming_facts(span);
  if (span.text(Fact::operation) == "invoke_agent") return agent_facts(span);
  return chat_facts(span);
}

std::string mark_of(const TreeRow& row) {
  const SpanRecord& span = *row.span;
  if (span.find(Fact::unfinished)) return "UNFINISHED";
  if (cancelled(span) && !(row.parent && cancelled(*row.parent->span)))
    return with("CANCELLED", " by ", span.text(Fact::cancel_reason));
  if (span.status != SpanStatus::error) return {};
  const std::string_view type = span.text(Fact::error_type);
  if (type == "blocked") return with("BLOCKED", " by ", span.text(Fact::block_plugin));
  return with(with("ERROR", " ", type), " ", number_text(span.find(Fact::http_status)));
}

std::vector<std::string> said_in(const SpanRecord& span) {
  std::vector<std::string> lines;
  const auto add = [&](std::string_view word, std::string said) {
    if (!said.empty()) lines.push_back(std::string(word).append(": ").append(said));
  };
  add("asked", words_of(span.text(Fact::input_messages), Which::last));
  add("said", words_of(span.text(Fact::output_messages), Which::first));
  add("arguments", std::string(span.text(Fact::tool_call_arguments)));
  add("result", std::string(span.text(Fact::tool_call_result)));
  return lines;
}

std::string note_of(const SpanEvent& event) {
  if (event.name == span_event::kRetry) return retry_note(event);
  if (event.name == span_event::kIteration) return iteration_note(event);
  if (event.name == span_event::kContextCompacted) return compaction_note(event);
  return {};
}

}  // namespace mellea::telemetry
