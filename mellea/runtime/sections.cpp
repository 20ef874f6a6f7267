#include "mellea/runtime/sections.h"

#include <algorithm>

namespace mellea {

void add_line(std::string& prompt, std::string_view text) {
  if (text.empty()) return;
  if (!prompt.empty()) prompt += '\n';
  prompt += text;
}

void add_list(std::string& prompt, std::string_view lead_in,
              const std::vector<std::string>& items) {
  bool led_in = false;
  for (const std::string& item : items) {
    if (item.empty()) continue;
    if (!led_in) add_line(prompt, lead_in);
    led_in = true;
    prompt.append("\n* ").append(item);
  }
}

std::string fence_for(std::string_view text) {
  std::size_t longest = 2;
  std::size_t row = 0;
  for (const char c : text) longest = std::max(longest, row = c == '`' ? row + 1 : 0);
  return std::string(longest + 1, '`');
}

void add_requirements(std::string& prompt, const Told& told) {
  add_list(prompt, "Your answer has to meet each of these requirements:", told.requirements);
}

void add_repair(std::string& prompt, const Told& told) {
  add_list(prompt, "An earlier answer was not accepted. What was wrong with it:", told.repair);
}

}  // namespace mellea
