#include "mellea/backends/stop_text.h"

#include <algorithm>

namespace mellea {

std::string_view StopText::pass(std::string_view more) {
  if (stops_.empty()) return more;
  held_.erase(0, passed_);
  held_ += more;
  passed_ = held_.size() - beginning_at_end();
  return std::string_view(held_).substr(0, passed_);
}

std::string_view StopText::end(bool stopped) {
  std::string_view rest = std::string_view(held_).substr(passed_);
  passed_ = held_.size();
  std::size_t cut = 0;
  for (const std::string& stop : stops_)
    if (stopped && rest.ends_with(stop)) cut = std::max(cut, stop.size());
  rest.remove_suffix(cut);
  return rest;
}

// How much of the end of held_ a stop text may begin with, the whole of one included.
std::size_t StopText::beginning_at_end() const noexcept {
  const std::string_view held = held_;
  std::size_t longest = 0;
  for (const std::string_view stop : stops_)
    for (std::size_t size = std::min(stop.size(), held.size()); size > longest; --size)
      if (held.ends_with(stop.substr(0, size))) longest = size;
  return longest;
}

}  // namespace mellea
