#include "mellea/core/typed_tool.h"

namespace mellea {

Json parameters_of(const Json& schema) {
  constexpr std::string_view kDefinitions = "#/$defs/";
  const auto reference = schema->find("$ref");
  if (reference == schema->end()) return schema;
  const auto& definitions = schema->at("$defs");
  nlohmann::json whole =
      definitions.at(reference->get_ref<const std::string&>().substr(kDefinitions.size()));
  whole["$defs"] = definitions;
  return Json(std::move(whole));
}

}  // namespace mellea
