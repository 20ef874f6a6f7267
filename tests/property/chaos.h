// A plugin that changes, stops and throws, now and then, in every phase.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string_view>

#include "dice.h"
#include "mellea/hooks/events.h"
#include "mellea/hooks/hook.h"

namespace mellea {

class Chaos : public Plugin {
 public:
  explicit Chaos(std::uint64_t seed) : dice_(seed) {}
  std::string_view name() const override { return "chaos"; }

  void subscribe(Subscriber& hooks) override {
    stop<SessionPreInit>(hooks, 200);
    stop<ComponentPreExecute>(hooks, 40);
    stop<GenerationPreCall>(hooks, 40);
    stop<GenerationPostCall>(hooks, 40);
    stop<SamplingLoopStart>(hooks, 40);
    stop<ValidationPreCheck>(hooks, 40);
    stop<ValidationPostCheck>(hooks, 40);
    stop<ToolPreInvoke>(hooks, 20);
    stop<ToolPostInvoke>(hooks, 20);
    stop<AgentStart>(hooks, 40);
    stop<GenerationBatchPreCall>(hooks, 40);
    stop<GenerationBatchPostCall>(hooks, 40);
    stop<StreamingStart>(hooks, 40);
    change<CallBegin>(hooks);
    change<ComponentPreExecute>(hooks);
    change<GenerationPreCall>(hooks);
    change<SamplingLoopStart>(hooks);
    change<ToolPreInvoke>(hooks);
    watch<SessionPostInit>(hooks);
    watch<SessionCleanup>(hooks);
    watch<ComponentPostSuccess>(hooks);
    watch<ComponentPostError>(hooks);
    watch<GenerationEvent>(hooks);
    watch<GenerationRetry>(hooks);
    watch<GenerationError>(hooks);
    watch<SamplingIteration>(hooks);
    watch<SamplingRepair>(hooks);
    watch<SamplingLoopEnd>(hooks);
    watch<StreamingEvent>(hooks);
    watch<StreamingEnd>(hooks);
    watch<AgentEnd>(hooks);
    watch<GenerationBatchError>(hooks);
    watch<Diagnostic>(hooks);
  }

 private:
  void maybe_throw(unsigned sides) {
    if (dice_.one_in(sides)) throw std::runtime_error("chaos");
  }

  template <class E>
  void stop(Subscriber& hooks, unsigned sides) {
    const auto decide = [this, sides] {
      maybe_throw(sides * 2);
      return dice_.one_in(sides) ? Verdict::stop({.reason = "chaos"}) : Verdict::go_on();
    };
    hooks.intercept<E>([decide](E&) { return decide(); });
    hooks.guard<E>([decide](const E&, std::stop_token) { return decide(); },
                   {.priority = 60, .on_error = OnError::open});
    watch<E>(hooks);
  }

  template <class E>
  void change(Subscriber& hooks) {
    hooks.transform<E>([this](E& event) {
      if constexpr (requires { event.request; }) event.request.edit().messages.back().text += "!";
      maybe_throw(20);
    });
  }

  template <class E>
  void watch(Subscriber& hooks) {
    hooks.observe<E>([this](const E&) { maybe_throw(20); });
    hooks.background<E>([this](const E&, std::stop_token) { maybe_throw(20); });
  }

  SharedDice dice_;
};

}  // namespace mellea
