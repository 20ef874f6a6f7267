#include "mellea/telemetry/langfuse.h"

#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <string>
#include <utility>

#include "mellea/telemetry/otlp.h"

namespace mellea::telemetry {
namespace {

constexpr std::string_view kStartTime = "langfuse.observation.completion_start_time";
constexpr std::string_view kPromptName = "langfuse.observation.prompt.name";
constexpr std::string_view kPromptVersion = "langfuse.observation.prompt.version";
constexpr std::string_view kTraceName = "langfuse.trace.name";
constexpr std::array kNames = {kStartTime, kPromptName, kPromptVersion, kTraceName};

// ISO 8601 in UTC, to the microsecond.
std::string time_text(std::int64_t ns_since_1970) {
  const std::time_t seconds = ns_since_1970 / 1'000'000'000;
  const auto micros = static_cast<long>(ns_since_1970 % 1'000'000'000 / 1'000);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::array<char, 64> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(text.data() + size, text.size() - size, ".%06ldZ", micros);
  return text.data();
}

// Unless the program says it by a label.
template <class Held>
void add(const SpanRecord& span, MadeAttributes& made, std::string_view name, Held held) {
  if (!span.find_label(name)) made.push_back({std::string(name), std::move(held)});
}

void add_first_token(const SpanRecord& span, MadeAttributes& made) {
  const Value* value = span.find(Fact::time_to_first_token);
  const double* seconds = value ? std::get_if<double>(value) : nullptr;
  if (!seconds) return;
  const auto after = static_cast<std::int64_t>(*seconds * 1e9);
  add(span, made, kStartTime, time_text(span.began + after));
}

// It knows prompts by a name and a number. Prompts of another kind are not its own.
void add_prompt(const SpanRecord& span, MadeAttributes& made) {
  const std::string_view name = span.text(Fact::prompt_name);
  const std::string_view version = span.text(Fact::prompt_version);
  std::int64_t number = 0;
  const auto [end, error] =
      std::from_chars(version.data(), version.data() + version.size(), number);
  if (name.empty() || error != std::errc() || end != version.data() + version.size()) return;
  add(span, made, kPromptName, std::string(name));
  add(span, made, kPromptVersion, number);
}

void add_trace_name(const SpanRecord& span, MadeAttributes& made) {
  if (otlp::has_parent(span)) return;
  std::string_view name = span.name;
  for (const Fact fact : {Fact::component_type, Fact::prompt_name, Fact::agent_name})
    if (const std::string_view better = span.text(fact); !better.empty()) name = better;
  add(span, made, kTraceName, std::string(name));
}

}  // namespace

void add_langfuse(const SpanRecord& span, MadeAttributes& made) {
  add_first_token(span, made);
  if (span.traces == Kind::generation || span.traces == Kind::batch) add_prompt(span, made);
  add_trace_name(span, made);
}

std::span<const std::string_view> langfuse_names() noexcept { return kNames; }

}  // namespace mellea::telemetry
