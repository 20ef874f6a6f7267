// Log records as text, for short expectations.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/telemetry/hex.h"
#include "mellea/telemetry/log_exporters.h"
#include "mellea/telemetry/logger.h"

namespace mellea::telemetry {

inline std::string text_of(const LogValue& value) {
  struct ToText {
    std::string operator()(const std::string& text) const { return text; }
    std::string operator()(std::int64_t number) const { return std::to_string(number); }
    std::string operator()(double number) const {
      std::string text = std::to_string(number);
      text.erase(text.find_last_not_of('0') + 1);
      return text;
    }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(const std::vector<std::string>& texts) const {
      std::string all;
      for (const std::string& text : texts) all.append(text).append(";");
      return all;
    }
    std::string operator()(const JsonText& json) const { return json.text; }
  };
  return std::visit(ToText(), value);
}

// "WARN mellea.generation.retry: body | key=value | ..."
inline std::string text_of(const LogRecord& record) {
  std::string text(to_string(record.severity));
  if (!record.event.empty()) text.append(" ").append(record.event);
  text.append(": ").append(record.body);
  for (const LogAttribute& one : record.attributes)
    text.append(" | ").append(name_of(one)).append("=").append(text_of(one.value));
  return text;
}

// An attribute as text; empty if it is not there.
inline std::string at(const LogPtr& log, std::string_view key) {
  for (const LogAttribute& one : log->attributes)
    if (name_of(one) == key) return text_of(one.value);
  return {};
}
inline std::string at(const LogPtr& log, Fact fact) { return at(log, name_of(fact)); }

// A record that everything is known of.
inline LogRecord whole_record() {
  LogRecord record{.at = 1'700'000'000'012'345'678,
                   .severity = Severity::warn,
                   .event = "mellea.test",
                   .body = "a sentence",
                   .source = {.file = "/src/shop.cpp", .function = "sell", .line = 7},
                   .thread = 42};
  record.span.trace[15] = 1;
  record.span.span[7] = 2;
  record.span.flags = 1;
  record.set(Fact::session_id, std::string("s-1"));
  record.set(Fact::generation_id, std::string("g-1"));
  record.set(Fact::http_status, std::int64_t{429});
  record.set(Fact::retry_delay, 0.5);
  record.set(Fact::finish_reasons, std::vector<std::string>{"stop", "bad \xFF"});
  record.set(Fact::input_messages, JsonText{R"([{"role":"user","n":[1,2.5,true,null]}])"});
  record.attributes.push_back({"shop.open", true});
  record.attributes.push_back({"message", "a label that is called as a key"});
  return record;
}

}  // namespace mellea::telemetry
