// Takes the stop text off the end of an answer, for servers that leave it there.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mellea {

// Holds back what may be the beginning of a stop text. Texts must be whole characters.
class StopText {
 public:
  explicit StopText(std::vector<std::string> stops) : stops_(std::move(stops)) {}

  // What of the text up to here is certainly none. Good until the next call.
  std::string_view pass(std::string_view more);
  // The rest of it, less the longest stop text at its end if that ended it.
  std::string_view end(bool stopped);

 private:
  std::size_t beginning_at_end() const noexcept;

  const std::vector<std::string> stops_;
  std::string held_{};
  std::size_t passed_ = 0;  // of held_
};

}  // namespace mellea
