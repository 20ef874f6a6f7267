#include "mellea/telemetry/tool_arguments.h"

#include <nlohmann/json.hpp>

#include "mellea/core/error.h"
#include "mellea/core/json.h"
#include "mellea/core/text.h"
#include "mellea/telemetry/bounded_json.h"
#include "mellea/telemetry/sha256.h"

namespace mellea::telemetry {
namespace {

std::string ascii(const nlohmann::json& scalar) {
  return scalar.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

constexpr std::string_view kSeparator = ", ";

// Members by their names, blanks after comma and colon, ASCII alone: into a text, or into one that
// has a bound.
template <class Structure, class Scalar>
void walk(const nlohmann::json& value, const Structure& structure, const Scalar& scalar) {
  if (!value.is_structured()) return scalar(value);
  std::string_view separator;
  structure(value.is_object() ? "{" : "[");
  for (const auto& [name, member] : value.items()) {
    structure(separator);
    if (value.is_object()) structure(ascii(name) + ": ");
    walk(member, structure, scalar);
    separator = kSeparator;
  }
  structure(value.is_object() ? "}" : "]");
}

// No document if it is none.
Json parsed(std::string_view written) {
  try {
    return Json::parse(written);
  } catch (const Error&) {
    return {};
  }
}

}  // namespace

std::string arguments_hash(std::string_view written) {
  if (written.empty()) return {};
  const Json arguments = parsed(written);
  if (!arguments) return fingerprint(written);  // what the model wrote, as it wrote it
  if (arguments->empty()) return {};
  std::string text;
  walk(
      *arguments, [&](std::string_view structure) { text += structure; },
      [&](const nlohmann::json& scalar) { text += ascii(scalar); });
  return fingerprint(text);
}

std::string canonical_json(std::string_view written, std::size_t most) {
  const Json json = parsed(written);
  if (!json || !json->is_structured()) return {};
  const bool object = json->is_object();
  BoundedJson bounded({.begin = object ? "{" : "[",
                       .separator = kSeparator,
                       .end = object ? "}" : "]",
                       .ascii = true});
  for (const auto& [name, member] : json->items()) {
    bounded.begin_element();
    if (object) bounded.structure(ascii(name) + ": ");
    walk(
        member, [&](std::string_view structure) { bounded.structure(structure); },
        [&](const nlohmann::json& scalar) {
          if (scalar.is_string())
            bounded.text(to_utf8(scalar.get_ref<const std::string&>()));
          else
            bounded.structure(ascii(scalar));
        });
  }
  return bounded.str(most);
}

}  // namespace mellea::telemetry
