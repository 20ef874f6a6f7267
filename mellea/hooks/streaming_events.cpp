#include "mellea/hooks/streaming_events.h"

#include <array>

namespace mellea {

std::string_view name_of(const StreamingEvent::What& what) noexcept {
  static constexpr std::array<std::string_view, std::variant_size_v<StreamingEvent::What>> kNames{
      "quick_check", "chunk", "streaming_done", "full_validation", "retry", "error", "completed"};
  return kNames[what.index()];
}

}  // namespace mellea
