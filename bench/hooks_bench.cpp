// What it costs to fire events. DESIGN.md, section 12: an event that nobody handles under 2 ns and
// without allocation; five observers of every event of one call under 1 us; one guard on a worker
// under 30 us.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <new>

#include "mellea/hooks/hook.h"
#include "mellea/hooks/workers.h"

namespace {

thread_local std::size_t allocations = 0;

}  // namespace

// Never inlined, or g++ sees malloc() and operator delete meet, and warns.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace mellea {
namespace {

class Observer : public Plugin {
 public:
  std::string_view name() const override { return "observer"; }
  void subscribe(Subscriber& hooks) override {
    [&]<class... Es>(std::type_identity<std::tuple<Es...>>) {
      (hooks.observe<Es>([](const Es& event) { benchmark::DoNotOptimize(&event); }), ...);
    }(std::type_identity<Events>{});
  }
};

template <class Subscribe>
class Subscribes : public Plugin {
 public:
  explicit Subscribes(Subscribe subscribe) : subscribe_(std::move(subscribe)) {}
  std::string_view name() const override { return "bench"; }
  void subscribe(Subscriber& hooks) override { subscribe_(hooks); }

 private:
  Subscribe subscribe_;
};

template <class Subscribe>
Hooks hooks_with(Subscribe subscribe, std::shared_ptr<Workers> workers = nullptr) {
  return Hooks({std::make_shared<Subscribes<Subscribe>>(std::move(subscribe))}, std::move(workers));
}

// The events of one call of the user, made beforehand.
struct OneCall {
  CallBegin begin{.scope = Scope::root(Kind::session)};
  ComponentPreExecute action{.scope = begin.scope.child(Kind::action)};
  GenerationPreCall generation{.scope = action.scope.child(Kind::generation)};
  GenerationPostCall generation_end{.opening =
                                        std::make_shared<const GenerationPreCall>(generation)};
  ComponentPostSuccess action_end{.opening = std::make_shared<const ComponentPreExecute>(action),
                                  .ending = Ending{}};

  void fire(const Hooks& hooks) {
    fire(hooks, begin);
    fire(hooks, action);
    fire(hooks, generation);
    fire(hooks, generation_end);
    fire(hooks, action_end);
  }
  template <class E>
  static void fire(const Hooks& hooks, E& event) {
    if constexpr (DecidableEvent<E>) benchmark::DoNotOptimize(hooks.decide(event).block());
    hooks.tell(event);
  }
};

void AnEventNobodyHandles(benchmark::State& state) {
  const Hooks hooks = hooks_with(
      [](Subscriber& subscriber) { subscriber.observe<Diagnostic>([](const auto&) {}); });
  GenerationPreCall call{.scope = Scope::root(Kind::generation)};
  const std::size_t before = allocations;
  for (auto _ : state) {
    benchmark::DoNotOptimize(&hooks);
    hooks.tell(call);
    benchmark::ClobberMemory();
  }
  state.counters["allocations"] = static_cast<double>(allocations - before);
}
BENCHMARK(AnEventNobodyHandles);

void ADecisionNobodyTakes(benchmark::State& state) {
  const Hooks hooks;
  GenerationPreCall call{.scope = Scope::root(Kind::generation)};
  for (auto _ : state) {
    benchmark::DoNotOptimize(&hooks);
    benchmark::DoNotOptimize(hooks.decide(call).block());
  }
}
BENCHMARK(ADecisionNobodyTakes);

void FiveObserversOfOneCall(benchmark::State& state) {
  Plugins five;
  for (int n = 0; n < 5; ++n) five.push_back(std::make_shared<Observer>());
  const Hooks hooks(five, nullptr);
  OneCall call;
  const std::size_t before = allocations;
  for (auto _ : state) call.fire(hooks);
  state.counters["allocations"] = static_cast<double>(allocations - before);
}
BENCHMARK(FiveObserversOfOneCall);

void OneTransform(benchmark::State& state) {
  const Hooks hooks = hooks_with([](Subscriber& subscriber) {
    subscriber.transform<GenerationPreCall>([](GenerationPreCall&) {});
  });
  GenerationPreCall call{.scope = Scope::root(Kind::generation)};
  for (auto _ : state) benchmark::DoNotOptimize(hooks.decide(call).block());
}
BENCHMARK(OneTransform);

void OneGuardOnAWorker(benchmark::State& state) {
  const Hooks hooks = hooks_with(
      [](Subscriber& subscriber) {
        subscriber.guard<GenerationPreCall>(
            [](const auto&, std::stop_token) { return Verdict::go_on(); });
      },
      std::make_shared<Workers>());
  GenerationPreCall call{.scope = Scope::root(Kind::generation)};
  for (auto _ : state) benchmark::DoNotOptimize(hooks.decide(call).block());
}
BENCHMARK(OneGuardOnAWorker)->UseRealTime();

void OneBackgroundHandler(benchmark::State& state) {
  const auto workers = std::make_shared<Workers>();
  const Hooks hooks = hooks_with(
      [](Subscriber& subscriber) {
        subscriber.background<GenerationPreCall>([](const auto&, std::stop_token) {});
      },
      workers);
  const GenerationPreCall call{.scope = Scope::root(Kind::generation)};
  for (auto _ : state) hooks.tell(call);
  state.counters["dropped"] = static_cast<double>(workers->dropped());
}
BENCHMARK(OneBackgroundHandler);

}  // namespace
}  // namespace mellea
