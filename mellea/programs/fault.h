// What is wrong with a program, and where.
#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <vector>

namespace mellea {

// In a file. Columns count code points.
struct Place {
  int line = 0;  // from 1; 0: of no place
  int column = 0;

  friend auto operator<=>(const Place&, const Place&) = default;
};

struct Fault {
  Place at{};
  std::string what{};  // one line: what is wrong, and what to write instead
};

// `poem.yaml:9:5: unknown key "requirement" in an instruct step: did you mean "requirements"?`, as
// compilers print it.
std::string to_string(const Fault& fault, std::string_view file);

// In the order of the file, each once.
void sort(std::vector<Fault>& faults);

}  // namespace mellea
