#include "mellea/core/tool.h"

#include <nlohmann/json.hpp>

#include "mellea/core/error.h"

namespace mellea {
namespace {

constexpr std::size_t kMostProblems = 4;  // that the model is told of at once

[[noreturn]] void refuse(const ToolSpec& spec, const std::string& what) {
  throw Error(Errc::invalid_request, "tool " + spec.name + ": " + what);
}

}  // namespace

Tool::Tool(ToolSpec spec, Run run) {
  if (run && spec.name.empty())
    throw Error(Errc::invalid_request, "a tool has no name: the model could not ask for it");
  std::shared_ptr<const Schema> schema;
  if (run && spec.parameters) {
    if (spec.parameters->value("type", "") != "object")
      refuse(spec, R"(its parameters are no schema of an object: they need "type": "object")");
    schema = std::make_shared<const Schema>(spec.parameters);
  }
  parts_ = std::make_shared<const Parts>(
      Parts{.spec = std::move(spec), .run = std::move(run), .schema = std::move(schema)});
}

Json Tool::arguments(const std::string& written) const {
  const ToolSpec& spec = parts_->spec;
  const Json arguments = Json::parse(written.empty() ? "{}" : written, "the arguments");
  if (!arguments->is_object()) refuse(spec, "the arguments must be a JSON object");
  if (!parts_->schema) return arguments;
  std::string what;
  for (const SchemaProblem& problem : parts_->schema->check(*arguments, kMostProblems))
    what.append(what.empty() ? "" : "; ").append(to_string(problem));
  if (!what.empty()) refuse(spec, what);
  return arguments;
}

std::vector<ToolSpec> specs_of(const Tools& tools) {
  std::vector<ToolSpec> specs;
  specs.reserve(tools.size());
  for (const Tool& tool : tools) specs.push_back(tool.spec());
  return specs;
}

}  // namespace mellea
