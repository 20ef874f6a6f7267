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

  // What a model wrote, nearer to what the schema says; where that can't be, as it was. Nothing is
  // lost by it:
  //
  //   * a missing member is given its default, if the schema allows that itself
  //   * null for a member that may be missing, and not be null, is left out
  //   * a text that holds a number, true, false, null, a list or an object is what it holds, and a
  //     number is a text, where only that is allowed: "5" is 5, and "5.5" is no integer
  //   * 5.0 is 5 where an integer is wanted
  //   * a lone value is a list of one, but not within a list
  //
  // Of alternatives, the first that fits as it is; else the first that can be made to.
  nlohmann::json fitted(nlohmann::json value) const;

 private:
  struct Node;
  class Reader;
  class Checker;
  class Fitter;
  static bool allows(const std::vector<Node>& nodes, std::size_t place, const nlohmann::json& value,
                     std::size_t& left);

  std::shared_ptr<const std::vector<Node>> nodes_;  // the first is the whole; never empty
};

}  // namespace mellea
