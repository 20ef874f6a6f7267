// What events there are, for people and for tests: `mellea hooks` prints it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "mellea/hooks/events.h"

namespace mellea {

// Where in the life of its operation an event stands.
enum class Place : std::uint8_t {
  outside,  // it belongs to no operation, or to any
  opening,
  between,
  closing,
  after,  // the operation is over: of what came of it
};
std::string_view to_string(Place place) noexcept;

struct EventDescription {
  std::string_view name{};
  std::optional<Kind> operation{};  // nothing if outside
  Place place = Place::outside;
  Allows allows{};
  std::vector<std::string_view> verbs{};       // of Subscriber that take it
  std::vector<std::string_view> fields{};      // all of them
  std::vector<std::string_view> changeable{};  // those of them that a handler may change
};

// All events, in the order of Events.
const std::vector<EventDescription>& event_catalogue();

template <Event E>
const EventDescription& description_of() {
  return event_catalogue()[place_in<E, Events>];
}

}  // namespace mellea
