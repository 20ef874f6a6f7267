#include "mellea/programs/program.h"

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include "mellea/core/text.h"
#include "mellea/programs/reading.h"
#include "mellea/programs/sections.h"
#include "mellea/programs/steps.h"

namespace mellea {
namespace {

constexpr std::array<std::string_view, 10> kKeys = {
    "version",   "backend", "context", "system",       "options",
    "variables", "formats", "tools",   "requirements", "steps"};

void read_version(Reading& reading, const YamlNode& node) {
  const auto version = reading.whole_number(node, "version", 1);
  if (version && *version > 1)
    reading.fault(node.at,
                  "version: " + node.text + "; this mellea reads version 1: a later one may do");
}

// Variables that were given, and are no part of the program.
void refuse_unused(Reading& reading, const YamlNode* declared, const Variables& given) {
  std::vector<std::string_view> known;
  if (declared)
    for (const YamlNode& child : declared->children) known.push_back(child.key);
  for (const std::string& name : reading.named())
    if (name.find('.') == name.npos) known.push_back(name);
  for (const auto& [name, value] : given) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    reading.fault({}, "--var " + one_line(name, 60) + ": the program has no {{" +
                          one_line(name, 60) + "}}" + did_you_mean(name, known));
  }
}

// Sections in the order in which they need each other.
Program read_sections(Reading& reading, const YamlNode& root, const ProgramText& text) {
  Program program;
  Definitions definitions;
  if (root.kind == YamlNode::Kind::null) {
    reading.fault(root.at, "the program is empty: it needs steps");
    return program;
  }
  if (!reading.is_map(root, "the program")) return program;
  reading.require_known(root, kKeys, "in a program");
  if (const YamlNode* node = root.find("version")) read_version(reading, *node);
  const YamlNode* variables = root.find("variables");
  program.variables = read_variables(reading, variables, text.variables);
  if (const YamlNode* node = root.find("backend")) program.backend = read_backend(reading, *node);
  if (const YamlNode* node = root.find("context")) read_context(reading, *node, program);
  if (const YamlNode* node = root.find("system"))
    program.system = reading.said(*node, "system").value_or("");
  if (const YamlNode* node = root.find("options")) program.call = read_options(reading, *node);
  if (const YamlNode* node = root.find("formats")) read_formats(reading, *node, definitions);
  if (const YamlNode* node = root.find("tools"))
    read_tools(reading, *node, text.allow_commands, definitions, program.commands);
  if (const YamlNode* node = root.find("requirements"))
    read_requirements(reading, *node, definitions);
  if (const YamlNode* node = root.find("steps"))
    program.steps = read_steps(reading, *node, definitions);
  else
    reading.fault(root.at, "the program has no steps");
  refuse_unused(reading, variables, text.variables);
  return program;
}

}  // namespace

ReadProgram read_program(const ProgramText& text) {
  constexpr std::size_t kLargest = 1U << 20U;
  ReadProgram read;
  if (text.text.size() > kLargest) {
    read.faults.push_back({{}, "the program is larger than 1 MiB"});
    return read;
  }
  const std::optional<YamlTree> tree = parse_yaml(text.text, read.faults);
  if (tree) {
    Reading reading(*tree, text.folder);
    Program program = read_sections(reading, tree->root, text);
    for (Fault& fault : reading.faults()) read.faults.push_back(std::move(fault));
    if (read.faults.empty()) read.program = std::move(program);
  }
  sort(read.faults);
  return read;
}

}  // namespace mellea
