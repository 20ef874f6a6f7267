#include "mellea/telemetry/log_json.h"

#include <string_view>
#include <utility>

#include "mellea/core/text.h"

namespace mellea::telemetry {
namespace {

constexpr int kDeepest = 100;

bool is_deep(std::string_view json) {
  int open = 0;
  bool in_string = false;
  for (std::size_t at = 0; at < json.size(); ++at) {
    const char c = json[at];
    if (c == '"') in_string = !in_string;
    if (in_string) {
      at += c == '\\' ? 1 : 0;
      continue;
    }
    if (c == '[' || c == '{') ++open;
    if (c == ']' || c == '}') --open;
    if (open > kDeepest) return true;
  }
  return false;
}

}  // namespace

std::optional<nlohmann::ordered_json> parsed(const JsonText& json) {
  if (is_deep(json.text)) return std::nullopt;
  auto value = nlohmann::ordered_json::parse(to_utf8(json.text), nullptr, false);
  if (value.is_discarded()) return std::nullopt;
  return value;
}

}  // namespace mellea::telemetry
