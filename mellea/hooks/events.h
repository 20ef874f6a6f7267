// All events: the moments at which plugins are called.
#pragma once

#include <cstddef>
#include <tuple>
#include <type_traits>

#include "mellea/hooks/generation_events.h"
#include "mellea/hooks/sampling_events.h"
#include "mellea/hooks/session_events.h"
#include "mellea/hooks/streaming_events.h"
#include "mellea/hooks/tool_events.h"

namespace mellea {

using Events =
    std::tuple<CallBegin, UserCodeBegin, Diagnostic, SessionPreInit, SessionPostInit, SessionReset,
               ContextCompacted, SessionCleanup, AgentStart, AgentEnd, ComponentPreExecute,
               ComponentPostSuccess, ComponentPostError, SamplingLoopStart, SamplingIteration,
               SamplingRepair, SamplingLoopEnd, GenerationPreCall, GenerationEvent, GenerationRetry,
               GenerationPostCall, GenerationError, GenerationParseError, GenerationBatchPreCall,
               GenerationBatchPostCall, GenerationBatchError, ValidationPreCheck,
               ValidationPostCheck, ToolPreInvoke, ToolPostInvoke, StreamingStart, StreamingEvent,
               StreamingEnd>;

template <class E, class List>
inline constexpr bool is_listed = false;
template <class E, class... Es>
inline constexpr bool is_listed<E, std::tuple<Es...>> = (std::is_same_v<E, Es> || ...);

// Where in the list; its length if not at all.
template <class E, class List>
inline constexpr std::size_t place_in = 0;
template <class E, class... Es>
inline constexpr std::size_t place_in<E, std::tuple<Es...>> = [] {
  std::size_t place = 0;
  static_cast<void>(((std::is_same_v<E, Es> || (++place, false)) || ...));
  return place;
}();
inline constexpr std::size_t kEventCount = std::tuple_size_v<Events>;

template <class E>
concept Event = is_listed<E, Events>;
template <class E>
concept ChangeableEvent = Event<E> && E::allows.change;
template <class E>
concept StoppableEvent = Event<E> && E::allows.stop;

// An event that is decided before it is told.
template <class E>
concept DecidableEvent = ChangeableEvent<E> || StoppableEvent<E>;

// The operation that an event is about.
template <Event E>
const Scope& scope_of(const E& event) noexcept {
  if constexpr (requires { event.scope; })
    return event.scope;
  else
    return event.opening->scope;
}

}  // namespace mellea
