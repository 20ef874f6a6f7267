#include "mellea/core/tool.h"

#include <nlohmann/json.hpp>

#include "mellea/core/error.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

constexpr std::size_t kMostProblems = 4;  // that the model is told of at once

[[noreturn]] void refuse(const ToolSpec& spec, const std::string& what) {
  throw Error(Errc::invalid_request, "tool " + spec.name + ": " + what);
}

void refuse_without_name(const ToolSpec& spec) {
  if (spec.name.empty())
    throw Error(Errc::invalid_request, "a tool has no name: the model could not ask for it");
}

}  // namespace

Tool::Tool(Parts parts) : parts_(std::make_shared<const Parts>(std::move(parts))) {}

Tool Tool::unchecked(ToolSpec spec, Run run) {
  refuse_without_name(spec);
  return Tool(Parts{.spec = std::move(spec), .run = std::move(run)});
}

Tool::Tool(ToolSpec spec, Run run) {
  if (run) refuse_without_name(spec);
  std::shared_ptr<const Schema> schema;
  if (run && spec.parameters) {
    const nlohmann::json& parameters = *spec.parameters;
    if (!parameters.is_object() || !parameters.contains("type") || parameters["type"] != "object")
      refuse(spec, R"(its parameters are no schema of an object: they need "type": "object")");
    schema = std::make_shared<const Schema>(spec.parameters);
  }
  parts_ = std::make_shared<const Parts>(
      Parts{.spec = std::move(spec), .run = std::move(run), .schema = std::move(schema)});
}

Json Tool::arguments(const std::string& written) const {
  const ToolSpec& spec = parts_->spec;
  const bool nothing = trimmed(written).empty();
  nlohmann::json given =
      *Json::parse(nothing ? "{}" : written, "tool " + spec.name + ": the arguments");
  if (given.is_null()) given = nlohmann::json::object();
  if (parts_->schema) given = parts_->schema->fitted(std::move(given));
  if (!given.is_object())
    refuse(spec,
           "the arguments must be a JSON object, and are " + one_line(Json(given).text(), 60));
  if (!parts_->schema) return Json(std::move(given));
  std::string what;
  for (const SchemaProblem& problem : parts_->schema->check(given, kMostProblems))
    what.append(what.empty() ? "" : "; ").append(to_string(problem));
  if (!what.empty()) refuse(spec, what);
  return Json(std::move(given));
}

std::vector<ToolSpec> specs_of(const Tools& tools) {
  std::vector<ToolSpec> specs;
  specs.reserve(tools.size());
  for (const Tool& tool : tools) specs.push_back(tool.spec());
  return specs;
}

}  // namespace mellea
