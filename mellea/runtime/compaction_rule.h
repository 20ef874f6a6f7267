// What of a conversation has to go: pure, and asks nobody. For the sources of sessions and agents.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "mellea/core/context.h"
#include "mellea/core/reply.h"
#include "mellea/runtime/compaction.h"

namespace mellea {

// Throws Errc::invalid_request for what could not be kept to.
void refuse_what_can_not_be(const Compaction& compaction);

// How many tokens so much text took, as the provider counted.
struct Measure {
  std::int64_t tokens = 0;  // 0: it did not say
  std::size_t size = 0;     // see size_of()
};

// Of a conversation that ends with the answer that had this usage.
Measure measured(const Context::Turns& turns, const std::optional<Usage>& usage);

// Bytes of text. A picture or a sound counts as a page of it.
std::size_t size_of(const Context::Turns& turns);

// A conversation that has become too long, taken apart; each part in its order.
struct Division {
  std::string_view how{};             // "window" or "tokens": static lifetime
  Context::Turns pinned{};            // stays, before all else
  Context::Turns forgotten{};         // goes; never empty
  Context::Turns rest{};              // stays
  Context::Turns what_stays() const;  // pinned and rest
};

// Nothing if it is short enough. `pinned` is a message of it that stays like the system messages at
// the front; null: none.
std::optional<Division> divide(const Compaction& compaction, const Context::Turns& turns,
                               const Measure& measure, const Message* pinned = nullptr);

}  // namespace mellea
