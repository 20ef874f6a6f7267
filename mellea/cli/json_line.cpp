#include "mellea/cli/json_line.h"

#include <optional>
#include <utility>

namespace mellea::cli {

void add_text(OrderedJson& object, const char* name, const std::string& text) {
  if (!text.empty()) object[name] = text;
}

OrderedJson usage_object(const Usage& usage) {
  OrderedJson object = OrderedJson::object();
  const auto count = [&](const char* name, const std::optional<std::int64_t>& tokens) {
    if (tokens) object[name] = *tokens;
  };
  count("input", usage.input_tokens);
  count("output", usage.output_tokens);
  count("cached", usage.cache_read_tokens);
  count("reasoning", usage.reasoning_tokens);
  return object;
}

OrderedJson error_object(const Error& error) {
  const ErrorDetails& details = error.details();
  OrderedJson object{{"code", to_string(error.code())}, {"message", error.what()}};
  if (details.status != 0) object["status"] = details.status;
  add_text(object, "provider_code", details.provider_code);
  add_text(object, "request_id", details.request_id);
  object["retryable"] = error.retryable();
  return object;
}

std::string trace_id(const TraceRef& ref) { return ref ? ref.traceparent().substr(3, 32) : ""; }

}  // namespace mellea::cli
