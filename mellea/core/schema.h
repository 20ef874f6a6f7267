// Whether a JSON value is what a JSON schema says.
//
//   const Schema schema(Json::parse(R"({"type":"object","properties":{"age":{"minimum":0}}})"));
//   for (const auto& problem : schema.check(answer)) std::cerr << to_string(problem) << '\n';
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "mellea/core/json.h"

namespace mellea {

struct SchemaProblem {
  std::string path{};  // "steps[2].title"; empty: the value itself
  std::string what{};  // "must be a string, and is a number"
};
std::string to_string(const SchemaProblem& problem);  // "steps[2].title must be ..."

// A schema of draft 2020-12, of the part that the strict modes of model providers know:
//
//   type enum const | properties required additionalProperties | items prefixItems minItems
//   maxItems uniqueItems | minimum maximum exclusiveMinimum exclusiveMaximum multipleOf | minLength
//   maxLength pattern (RE2's, unanchored) format (date-time date time duration email hostname ipv4
//   ipv6 uuid uri) | anyOf oneOf allOf | $ref to "#" or "#/$defs/NAME" | what only describes
//   (title, description, default, examples, ...)
//
// A value: copies share what was read. Any thread may check.
class Schema {
 public:
  // Throws Error (Errc::invalid_request) with the path of what is wrong, or is not of that part: a
  // keyword that would be passed over in silence would let everything through.
  explicit Schema(const Json& schema);

  // What is wrong with `value`, outermost first; nothing if it is what the schema says. At most
  // `most` are told.
  std::vector<SchemaProblem> check(const nlohmann::json& value, std::size_t most = 16) const;
  bool allows(const nlohmann::json& value) const { return check(value, 1).empty(); }

 private:
  struct Node;
  class Reader;
  class Checker;
  std::shared_ptr<const std::vector<Node>> nodes_;  // the first is the whole; never empty
};

}  // namespace mellea
