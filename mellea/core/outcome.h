// How an operation ended.
#pragma once

#include <cstdint>
#include <string_view>

namespace mellea {

enum class Outcome : std::uint8_t { ok, cancelled, blocked, error };
std::string_view to_string(Outcome outcome) noexcept;

// Who cancelled, and what for. The first to say so stays.
enum class CancelReason : std::uint8_t {
  none,
  consumer,            // whoever read the answer left, or said cancel
  caller,              // the stop token of the call
  dropped,             // the operation was let go without being ended
  superseded,          // another candidate won
  requirement_failed,  // a check failed while the answer came in
  parent,              // what it was part of was cancelled
  shutdown,            // the Runtime ends
};
std::string_view to_string(CancelReason reason) noexcept;

}  // namespace mellea
