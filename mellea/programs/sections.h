// The sections of a program, and what its steps are made of.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/programs/program.h"
#include "mellea/programs/reading.h"

namespace mellea {

// What steps may name.
struct Definitions {
  std::map<std::string, Format, std::less<>> formats{};
  std::map<std::string, Tool, std::less<>> tools{};
  std::map<std::string, ProgramRequirement, std::less<>> requirements{};
};

// Each reads one node. What is wrong is a fault of `reading`, and left out.

ProgramBackend read_backend(Reading& reading, const YamlNode& node);
void read_context(Reading& reading, const YamlNode& node, Program& program);
CallPlan read_options(Reading& reading, const YamlNode& node);
// As texts; `given` wins, and is known too.
Variables read_variables(Reading& reading, const YamlNode* node, const Variables& given);
void read_formats(Reading& reading, const YamlNode& node, Definitions& definitions);
// Those with a command are added to `commands`.
void read_tools(Reading& reading, const YamlNode& node, bool allow_commands,
                Definitions& definitions, std::vector<ProgramCommand>& commands);
void read_requirements(Reading& reading, const YamlNode& node, Definitions& definitions);

// A list of requirements, by name or written in place.
ProgramRequirements read_requirement_list(Reading& reading, const YamlNode& node,
                                          const Definitions& definitions, std::string_view path);
Tools read_tool_list(Reading& reading, const YamlNode& node, const Definitions& definitions);
std::optional<Format> read_format(Reading& reading, const YamlNode& node,
                                  const Definitions& definitions);
Option<Strategy> read_strategy(Reading& reading, const YamlNode& node);
std::optional<ProgramStream> read_stream(Reading& reading, const YamlNode& node,
                                         const Definitions& definitions);
std::vector<Image> read_images(Reading& reading, const YamlNode& node);

}  // namespace mellea
