// What it costs to fire events.
#include <memory>
#include <tuple>
#include <utility>

#include "mellea/hooks/hook.h"
#include "mellea/hooks/workers.h"
#include "rows.h"
#include "table.h"

namespace mellea::bench {
namespace {

class Observer : public Plugin {
 public:
  std::string_view name() const override { return "observer"; }
  void subscribe(Subscriber& hooks) override {
    [&]<class... Es>(std::type_identity<std::tuple<Es...>>) {
      (hooks.observe<Es>([](const Es& event) { keep(event); }), ...);
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
    if constexpr (DecidableEvent<E>) keep(hooks.decide(event));
    hooks.tell(event);
  }
};

// CPU in nanoseconds, and allocations, of each call of `work`.
template <class Work>
std::array<Series, 2> measured(const Settings& settings, Work work) {
  auto [series] = in_turn(settings.rounds(), [&] {
    const double time = nanoseconds_each(work);
    const std::size_t before = allocations();
    for (int i = 0; i < 1000; ++i) work();
    return std::array{time, static_cast<double>(allocations() - before) / 1000};
  });
  return series;
}

}  // namespace

void hook_rows(const Settings& settings) {
  GenerationPreCall call{.scope = Scope::root(Kind::generation)};

  const Hooks others =
      hooks_with([](Subscriber& hooks) { hooks.observe<Diagnostic>([](const auto&) {}); });
  const auto unheard = measured(settings, [&] {
    keep(others);
    others.tell(call);
  });
  print({"an event that nobody handles", "ns", unheard[0], {}, Bar::below(2)});
  print({"  allocations", "", unheard[1], {}, Bar::at_most(0)});

  Plugins five;
  for (int n = 0; n < 5; ++n) five.push_back(std::make_shared<Observer>());
  const Hooks observed(five, nullptr);
  OneCall one;
  const auto five_observers = measured(settings, [&] { one.fire(observed); });
  print(
      {"five observers of every event of one call", "ns", five_observers[0], {}, Bar::below(1000)});

  const Hooks guarded = hooks_with(
      [](Subscriber& hooks) {
        hooks.guard<GenerationPreCall>(
            [](const auto&, std::stop_token) { return Verdict::go_on(); });
      },
      std::make_shared<Workers>());
  const auto [one_guard] = in_turn(settings.rounds(), [&] {
    constexpr int kCalls = 2000;
    const Stopwatch watch;  // two threads: the wall clock
    for (int i = 0; i < kCalls; ++i) keep(guarded.decide(call));
    return std::array{microseconds(watch.wall()) / kCalls};
  });
  print({"one guard, on a worker", "us", one_guard[0], {}, Bar::below(30)});
}

}  // namespace mellea::bench
