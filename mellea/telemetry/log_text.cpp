#include "mellea/telemetry/log_text.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "mellea/core/text.h"
#include "mellea/telemetry/hex.h"
#include "mellea/telemetry/log_json.h"

namespace mellea::telemetry {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::string_view kReset = "\x1b[0m";

std::string_view colour_of(Severity severity) noexcept {
  switch (severity) {
    case Severity::trace:
    case Severity::debug: return "\x1b[96m";
    case Severity::info: return "\x1b[38;20m";
    case Severity::warn: return "\x1b[33;20m";
    case Severity::error: return "\x1b[31;20m";
    case Severity::fatal: break;
  }
  return "\x1b[31;1m";
}

std::string formatted(const std::tm& time, const char* format) {
  std::array<char, 64> text{};
  return {text.data(), std::strftime(text.data(), text.size(), format, &time)};
}

std::string local_time(std::int64_t at) {
  const auto seconds = static_cast<std::time_t>(at / kSecond);
  std::tm time{};
  ::localtime_r(&seconds, &time);
  return formatted(time, "%H:%M:%S");
}

std::string timestamp(std::int64_t at) {
  const auto seconds = static_cast<std::time_t>(at / kSecond);
  std::tm time{};
  ::gmtime_r(&seconds, &time);
  std::string milliseconds = std::to_string(at % kSecond / 1'000'000);
  milliseconds.insert(0, 3 - milliseconds.size(), '0');
  return formatted(time, "%Y-%m-%dT%H:%M:%S.") + milliseconds + "Z";
}

// All of it, in one line: a program's own text may come from anywhere.
std::string body_of(const LogRecord& record) { return one_line(record.body, record.body.size()); }

void append_ids(std::string& text, const LogRecord& record) {
  if (!record.span) return;
  text.append(" [trace_id=").append(hex(record.span.trace));
  text.append(" span_id=").append(hex(record.span.span)).append("]");
}

// "session.cpp" of "/src/session.cpp" is the module "session".
std::string module_of(std::string_view file) {
  file.remove_prefix(std::min(file.find_last_of("/\\") + 1, file.size()));
  return std::string(file.substr(0, file.find_last_of('.')));
}

std::string key_of(const LogAttribute& attribute) {
  static constexpr std::array<std::pair<Fact, std::string_view>, 4> kContract{{
      {Fact::session_id, "session_id"},
      {Fact::generation_id, "request_id"},
      {Fact::request_model, "model_id"},
      {Fact::sampling_iteration, "sampling_iteration"},
  }};
  if (const Fact* fact = std::get_if<Fact>(&attribute.key))
    for (const auto& [known, key] : kContract)
      if (*fact == known) return std::string(key);
  return to_utf8(name_of(attribute));
}

struct ToJson {
  Json operator()(const std::string& text) const { return to_utf8(text); }
  Json operator()(std::int64_t value) const { return value; }
  Json operator()(double value) const {
    return std::isfinite(value) ? Json(value) : Json(std::to_string(value));
  }
  Json operator()(bool value) const { return value; }
  Json operator()(const std::vector<std::string>& texts) const {
    Json list = Json::array();
    for (const std::string& text : texts) list.push_back(to_utf8(text));
    return list;
  }
  Json operator()(const JsonText& json) const {
    std::optional<Json> value = parsed(json);
    return value ? std::move(*value) : Json(to_utf8(json.text));
  }
};

// The first to take a key keeps it.
void add(Json& object, const std::string& key, Json value) {
  if (!object.contains(key)) object[key] = std::move(value);
}

}  // namespace

std::string_view level_name(Severity severity) noexcept {
  if (severity == Severity::warn) return "WARNING";
  return severity == Severity::fatal ? "CRITICAL" : to_string(severity);
}

std::string log_for_console(const LogRecord& record, bool colour) {
  std::string text(colour ? colour_of(record.severity) : "");
  text.append("=== ").append(local_time(record.at)).append("-");
  text.append(level_name(record.severity)).append(" ======\n").append(body_of(record));
  if (colour) text += kReset;
  append_ids(text, record);
  return text + "\n";
}

std::string log_for_file(const LogRecord& record) {
  std::string text = timestamp(record.at);
  text.append(" - ").append(level_name(record.severity)).append(" - ").append(body_of(record));
  append_ids(text, record);
  return text;
}

std::string log_as_json(const LogRecord& record, const ResourceAttributes& fields) {
  Json object = {{"timestamp", timestamp(record.at)},
                 {"level", level_name(record.severity)},
                 {"message", to_utf8(record.body)}};
  const SourceLine& source = record.source;
  if (!source.file.empty()) object["module"] = to_utf8(module_of(source.file));
  if (!source.function.empty()) object["function"] = to_utf8(source.function);
  if (source.line != 0) object["line_number"] = source.line;
  object["process_id"] = static_cast<std::int64_t>(::getpid());
  object["thread_id"] = record.thread;
  if (record.span) {
    object["trace_id"] = hex(record.span.trace);
    object["span_id"] = hex(record.span.span);
  }
  if (!record.event.empty()) object["event"] = record.event;
  for (const auto& [key, value] : fields) add(object, to_utf8(key), to_utf8(value));
  for (const LogAttribute& one : record.attributes)
    add(object, key_of(one), std::visit(ToJson(), one.value));
  return object.dump();
}

}  // namespace mellea::telemetry
