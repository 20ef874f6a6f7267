#include "mellea/telemetry/tool_arguments.h"

#include <nlohmann/json.hpp>

#include "mellea/core/error.h"
#include "mellea/core/json.h"
#include "mellea/telemetry/sha256.h"

namespace mellea::telemetry {
namespace {

std::string ascii(const nlohmann::json& scalar) {
  return scalar.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

// Members by their names, blanks after comma and colon, ASCII alone.
void write(const nlohmann::json& value, std::string& text) {
  if (!value.is_structured()) {
    text += ascii(value);
    return;
  }
  std::string_view separator;
  text += value.is_object() ? '{' : '[';
  for (const auto& [name, member] : value.items()) {
    text += separator;
    if (value.is_object()) text.append(ascii(name)).append(": ");
    write(member, text);
    separator = ", ";
  }
  text += value.is_object() ? '}' : ']';
}

}  // namespace

std::string arguments_hash(std::string_view written) {
  if (written.empty()) return {};
  Json arguments;
  try {
    arguments = Json::parse(written);
  } catch (const Error&) {
    return fingerprint(written);  // no JSON: what the model wrote, as it wrote it
  }
  if (arguments->empty()) return {};
  std::string text;
  write(*arguments, text);
  return fingerprint(text);
}

}  // namespace mellea::telemetry
