// Whatever is read as a program: it is one, or what is wrong is told in words, with its place.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "mellea/core/text.h"
#include "mellea/programs/program.h"
#include "require.h"

namespace mellea {
namespace {

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
}

}  // namespace
}  // namespace mellea

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  mellea::check({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
