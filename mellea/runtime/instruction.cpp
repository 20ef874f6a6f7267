#include "mellea/runtime/instruction.h"

#include "mellea/core/error.h"
#include "mellea/runtime/sections.h"

namespace mellea {
namespace {

Instruction::Parts filled(Instruction::Parts parts) {
  if (parts.variables.empty()) return parts;
  const auto fill_in = [&](std::string& text) {
    text = fill(text, parts.variables, "instruction");
  };
  fill_in(parts.description);
  fill_in(parts.prefix);
  fill_in(parts.output_prefix);
  for (std::string& example : parts.examples) fill_in(example);
  return parts;
}

std::string label(const Template& from) {
  return "template " + from.name + (from.version.empty() ? "" : ' ' + from.version);
}

}  // namespace

Instruction::Instruction(Parts parts) : parts_(filled(std::move(parts))) {}

Instruction::Instruction(const Template& from, Parts parts) : parts_(filled(std::move(parts))) {
  if (!parts_.description.empty())
    throw Error(Errc::invalid_request,
                label(from) + ": the instruction has a description of its own beside it");
  parts_.description = fill(from.text, parts_.variables, label(from));
  prompt_ = std::make_shared<const Prompt>(Prompt{.name = from.name,
                                                  .version = from.version,
                                                  .text = from.text,
                                                  .variables = parts_.variables});
}

Message Instruction::render(const Told& told) const {
  std::string text;
  add_line(text, parts_.prefix);
  add_line(text, parts_.description);
  add_requirements(text, told);
  add_list(text, "Answers could look like these examples:", parts_.examples);
  std::vector<std::string> grounding;
  for (const auto& [key, ground] : parts_.grounding)
    grounding.push_back((key.empty() ? "  " : "  [" + key + "] =  ") + ground);
  add_list(text, "Base your answer on what is known:", grounding);
  add_repair(text, told);
  add_line(text, parts_.output_prefix);
  return {.text = std::move(text), .images = parts_.images, .audio = parts_.audio};
}

}  // namespace mellea
