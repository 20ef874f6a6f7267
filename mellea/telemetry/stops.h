// Who stopped what: for the plugins that count it and write it down.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

#include "mellea/hooks/events.h"
#include "mellea/hooks/hook.h"

namespace mellea::telemetry {

// The conversation that an operation belongs to, as far as its events know; null: none.
template <Event E>
std::shared_ptr<const std::string> conversation_of(const E& event) {
  if constexpr (requires { event.opening; })
    return conversation_of(*event.opening);
  else if constexpr (requires { event.conversation; })
    return event.conversation;
  else if constexpr (requires { event.target; })
    return event.target ? event.target->conversation : nullptr;
  else
    return nullptr;
}

// The span that traces it.
template <Event E>
TraceRef trace_of(const E& event) noexcept {
  if constexpr (requires { event.opening; })
    return event.opening->trace;
  else if constexpr (requires { event.trace; })
    return event.trace;
  else
    return event.scope.trace();
}

struct Stop {
  const Scope& scope;
  TraceRef trace{};
  std::shared_ptr<const std::string> conversation{};
  std::string_view event{};   // that was stopped
  std::string_view plugin{};  // "unknown" if nobody knows
  std::string_view code{};
};

// Calls `handle(const Stop&)` once for each operation that a plugin stops, at whatever event.
template <class Handle>
void observe_stops(Subscriber& hooks, How how, const Handle& handle) {
  const auto stop_of = [](const auto& event, std::string_view stopped, std::string_view plugin,
                          std::string_view code) {
    return Stop{.scope = scope_of(event),
                .trace = trace_of(event),
                .conversation = conversation_of(event),
                .event = stopped,
                .plugin = plugin.empty() ? "unknown" : plugin,
                .code = code};
  };
  const auto watch = [&]<class E>(std::type_identity<E>) {
    if constexpr (StoppableEvent<E>)
      hooks.observe<E>(
          [handle, stop_of](const E& event) {
            if (event.stopped)
              handle(stop_of(event, E::name, event.stopped->plugin, event.stopped->code));
          },
          how);
  };
  [&]<class... Es>(std::type_identity<std::tuple<Es...>>) {
    (watch(std::type_identity<Es>{}), ...);
  }(std::type_identity<Events>{});

  // Who stops the end of a generation is told of in its failure.
  const auto watch_failure = [&]<class E>(std::type_identity<E>, std::string_view stopped) {
    hooks.observe<E>(
        [handle, stop_of, stopped](const E& event) {
          if (event.ending.outcome != Outcome::blocked || event.opening->stopped) return;
          const ErrorDetails none;
          const ErrorDetails& details = event.ending.error ? event.ending.error->details() : none;
          handle(stop_of(event, stopped, details.plugin, details.block_code));
        },
        how);
  };
  watch_failure(std::type_identity<GenerationError>{}, GenerationPostCall::name);
  watch_failure(std::type_identity<GenerationBatchError>{}, GenerationBatchPostCall::name);
}

}  // namespace mellea::telemetry
