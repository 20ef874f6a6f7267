#include "mellea/programs/fault.h"

#include <algorithm>
#include <tuple>

namespace mellea {

std::string to_string(const Fault& fault, std::string_view file) {
  std::string line(file);
  if (fault.at.line > 0)
    line += ':' + std::to_string(fault.at.line) + ':' + std::to_string(fault.at.column);
  return line + ": " + fault.what;
}

void sort(std::vector<Fault>& faults) {
  const auto key = [](const Fault& fault) { return std::tie(fault.at, fault.what); };
  std::sort(faults.begin(), faults.end(),
            [&](const Fault& a, const Fault& b) { return key(a) < key(b); });
  const auto end = std::unique(faults.begin(), faults.end(),
                               [&](const Fault& a, const Fault& b) { return key(a) == key(b); });
  faults.erase(end, faults.end());
}

}  // namespace mellea
