// Whatever is read as a program: it is one, or what is wrong is told in words, with its place. What
// is one docs/program.schema.json allows.
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/core/schema.h"
#include "mellea/core/text.h"
#include "mellea/programs/program.h"
#include "mellea/programs/yaml.h"
#include "require.h"

namespace mellea {
namespace {

bool schema_allows(std::string_view text) {
  static const Schema schema = [] {
    std::ifstream file(MELLEA_PROGRAM_SCHEMA);
    return Schema(Json::parse(std::string(std::istreambuf_iterator<char>(file), {})));
  }();
  std::vector<Fault> faults;
  const auto tree = parse_yaml(text, faults);
  return tree && schema.allows(to_json(tree->root));
}

void check(std::string_view text) {
  const ReadProgram read = read_program({.text = text, .folder = "/nonexistent"});
  require(read.program.has_value() == read.faults.empty(), "it is a program, or there are faults");
  for (const Fault& fault : read.faults) {
    const std::string line = to_string(fault, "program.yaml");
    require(is_utf8(line), "a fault is told in UTF-8");
    require(line.find('\n') == line.npos, "and on one line");
    require(fault.at.line >= 0 && fault.at.column >= 0, "and has a place");
  }
  if (!read.program) return;
  require(!read.program->steps.empty(), "a program has steps");
  require(read.program->commands.empty(), "commands are refused unless they are allowed");
  require(schema_allows(text), "what the reader takes, the schema allows");
}

}  // namespace
}  // namespace mellea

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  mellea::check({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
