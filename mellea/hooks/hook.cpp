#include "mellea/hooks/hook.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <ctime>
#include <exception>
#include <tuple>
#include <type_traits>

#include "mellea/hooks/guard_round.h"
#include "mellea/hooks/workers.h"

namespace mellea {
namespace {

template <class Function>
struct Handler {
  std::shared_ptr<Plugin> plugin;  // kept alive by this
  How how;
  Function call;
};

// By priority, then in the order of registration. Shared by all tables made by with(), and by what
// is in flight.
template <class Function>
using Handlers = std::vector<std::shared_ptr<const Handler<Function>>>;

template <class E>
using Intercept = std::function<Verdict(E&)>;
template <class E>
using Transform = std::function<void(E&)>;
template <class E>
using Guard = std::function<Verdict(const E&, std::stop_token)>;
template <class E>
using Observe = std::function<void(const E&)>;
template <class E>
using Background = std::function<void(const E&, std::stop_token)>;

template <class E>
using HandlersOf = std::tuple<Handlers<Intercept<E>>, Handlers<Transform<E>>, Handlers<Guard<E>>,
                              Handlers<Observe<E>>, Handlers<Background<E>>>;

template <class List>
struct OfEach;
template <class... Es>
struct OfEach<std::tuple<Es...>> {
  using Handlers = std::tuple<HandlersOf<Es>...>;

  // One function for each event, in the order of the list.
  template <class Function, class Make>
  static constexpr std::array<Function, sizeof...(Es)> functions(Make make) {
    return {make(std::type_identity<Es>{})...};
  }
};

template <class Function>
void insert_sorted(Handlers<Function>& handlers, Handler<Function> handler) {
  const int priority = handler.how.priority;
  const auto at =
      std::upper_bound(handlers.begin(), handlers.end(), priority,
                       [](int wanted, const auto& there) { return wanted < there->how.priority; });
  handlers.insert(at, std::make_shared<const Handler<Function>>(std::move(handler)));
}

// Measures how long handlers take, one after the other, by a clock that costs a few ns to read and
// is good to some ms.
class Stopwatch {
 public:
  // Whether more than `limit` went by since this was asked last.
  bool over(std::chrono::milliseconds limit) noexcept {
    const std::chrono::nanoseconds began = std::exchange(last_, now());
    return last_ - began > limit;
  }
  void restart() noexcept { last_ = now(); }

 private:
  static std::chrono::nanoseconds now() noexcept {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  }

  std::chrono::nanoseconds last_ = now();
};

// Remembers an event and can put it back as it was.
//
// Events have const members, so they can't be assigned; one is put back by making it anew in its
// place. Since C++20 the name and all references go on to the new object ([basic.life]/8: same
// type, same storage, and the old one was no complete const object, which a handler that got an
// `E&` relies on as well).
template <class E>
class Memento {
 public:
  explicit Memento(const E& event) : before_(event) {}

  void put_back(E& event) noexcept {
    static_assert(std::is_nothrow_move_constructible_v<E>, "or there might be no event at all");
    std::destroy_at(&event);
    std::construct_at(&event, std::move(before_));
  }

 private:
  E before_;
};

// What is being thrown, in words. Only within a catch block.
std::string thrown() {
  try {
    throw;
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

// A code goes into metrics and spans, so it is kept to a form that can't hold a secret or grow.
std::string checked_code(const std::string& code) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  };
  const bool fine = code.size() <= 40 && std::all_of(code.begin(), code.end(), allowed);
  return fine ? code : "other";
}

std::shared_ptr<const Block> block_by(const Plugin& plugin, Block block) {
  block.plugin = plugin.name();
  block.code = checked_code(block.code);
  return std::make_shared<const Block>(std::move(block));
}

// Asks a handler that may stop the operation.
template <class Function, class... Args>
HandlerAnswer ask(const Handler<Function>& handler, Args&&... args) {
  try {
    const Verdict verdict = handler.call(std::forward<Args>(args)...);
    if (!verdict.block()) return {};
    return {.block = block_by(*handler.plugin, *verdict.block())};
  } catch (...) {
    if (handler.how.on_error == OnError::open) return {.failure = thrown()};
    return {.block = block_by(*handler.plugin, {.reason = thrown(), .code = "plugin_error"})};
  }
}

std::string too_slow(const How& how) {
  return "did not return within " + std::to_string(how.limit.count()) + " ms";
}

// Tells of what the handlers of one event did wrong.
template <class E>
struct Reporter {
  const Hooks& hooks;
  const E& event;

  void failed(const Plugin& plugin, std::string text) const {
    report({.kind = Notice::Kind::plugin_failed,
            .text = std::move(text),
            .name = std::string(plugin.name())});
  }

  template <class Function>
  void slow(const Handler<Function>& handler) const {
    report({.kind = Notice::Kind::plugin_slow,
            .text = too_slow(handler.how),
            .name = std::string(handler.plugin->name()),
            .delay = handler.how.limit});
  }

 private:
  void report(Notice notice) const {
    if constexpr (!std::is_same_v<E, Diagnostic>) hooks.report(scope_of(event), std::move(notice));
  }
};

template <class E>
std::shared_ptr<const Block> intercept(const Handlers<Intercept<E>>& handlers, E& event,
                                       const Reporter<E>& reporter) {
  Stopwatch stopwatch;
  for (const auto& handler : handlers) {
    std::optional<Memento<E>> before;
    if constexpr (ChangeableEvent<E>)
      if (handler->how.on_error == OnError::open) before.emplace(event);
    const HandlerAnswer answer = ask(*handler, event);
    if (stopwatch.over(handler->how.limit)) reporter.slow(*handler);
    if (answer.block) return answer.block;
    if (!answer.failure) continue;
    if (before) before->put_back(event);
    reporter.failed(*handler->plugin, *answer.failure);
  }
  return nullptr;
}

template <class E>
void transform(const Handlers<Transform<E>>& handlers, E& event, const Reporter<E>& reporter) {
  Stopwatch stopwatch;
  for (const auto& handler : handlers) {
    Memento<E> before(event);
    try {
      handler->call(event);
      if (!stopwatch.over(handler->how.limit)) continue;
      before.put_back(event);
      reporter.slow(*handler);
    } catch (...) {
      before.put_back(event);
      reporter.failed(*handler->plugin, thrown());
    }
    stopwatch.restart();
  }
}

// The guards of one event, asked at the same time. Used by one thread.
template <class E>
class Guards {
 public:
  Guards(const Handlers<Guard<E>>& handlers, const E& event, const Reporter<E>& reporter)
      : handlers_(handlers), event_(event), reporter_(reporter) {}

  // The first block; null if all let the operation go on.
  std::shared_ptr<const Block> ask_all() {
    std::shared_ptr<const Block> block;
    std::vector<std::size_t> in_line;  // those for which there is no thread
    for (std::size_t guard = 0; guard < handlers_.size(); ++guard)
      if (!start(guard)) in_line.push_back(guard);
    for (const std::size_t guard : in_line) {
      block = collect(Instant{});
      if (!block) block = ask_in_line(guard);
      if (block) break;
    }
    if (!block) block = collect(Instant::max());
    for (const Asked& asked : asked_) round_->ask_to_stop(asked.guard);
    return block;
  }

 private:
  struct Asked {
    std::size_t guard;
    Instant until;
  };

  // What runs holds copies only: it may be left behind.
  bool start(std::size_t guard) {
    Workers* workers = reporter_.hooks.workers();
    if (!workers || Workers::on_worker()) return false;
    if (!copy_) copy_ = std::make_shared<const E>(event_);
    auto task = [handler = handlers_[guard], copy = copy_, round = round_, guard] {
      round->put(guard, ask(*handler, *copy, round->token(guard)));
    };
    const Instant until = std::chrono::steady_clock::now() + handlers_[guard]->how.limit;
    if (!workers->try_run(std::move(task))) return false;
    asked_.push_back({guard, until});
    return true;
  }

  std::shared_ptr<const Block> ask_in_line(std::size_t guard) {
    Stopwatch stopwatch;
    const HandlerAnswer answer = ask(*handlers_[guard], event_, round_->token(guard));
    return stopwatch.over(handlers_[guard]->how.limit) ? late(guard) : heed(guard, answer);
  }

  // Waits for those that were asked; those whose limit ends by `until` are given up when it does.
  std::shared_ptr<const Block> collect(Instant until) {
    std::shared_ptr<const Block> block;
    while (!block && !asked_.empty()) {
      const Asked next =
          *std::min_element(asked_.begin(), asked_.end(),
                            [](const Asked& a, const Asked& b) { return a.until < b.until; });
      if (const auto answered = round_->take(std::min(next.until, until))) {
        if (forget(answered->first)) block = heed(answered->first, answered->second);
      } else if (next.until <= until) {
        forget(next.guard);
        round_->ask_to_stop(next.guard);
        block = late(next.guard);
      } else {
        break;
      }
    }
    return block;
  }

  // False if it was given up before.
  bool forget(std::size_t guard) {
    return std::erase_if(asked_, [guard](const Asked& asked) { return asked.guard == guard; }) > 0;
  }

  std::shared_ptr<const Block> heed(std::size_t guard, const HandlerAnswer& answer) {
    if (answer.failure) reporter_.failed(*handlers_[guard]->plugin, *answer.failure);
    return answer.block;
  }

  std::shared_ptr<const Block> late(std::size_t guard) {
    const auto& handler = *handlers_[guard];
    if (handler.how.on_error == OnError::closed)
      return block_by(*handler.plugin, {.reason = too_slow(handler.how), .code = "plugin_timeout"});
    reporter_.slow(handler);
    return nullptr;
  }

  const Handlers<Guard<E>>& handlers_;
  const E& event_;
  const Reporter<E>& reporter_;
  std::shared_ptr<const E> copy_;  // null before a worker was asked for
  std::shared_ptr<GuardRound> round_ = std::make_shared<GuardRound>(handlers_.size());
  std::vector<Asked> asked_;  // running on workers, and not given up
};

// Calls handlers that only look. What they do wrong is reported; where there is no memory to do so,
// nothing is.
template <class E, class Function, class... More>
void show(const Handlers<Function>& handlers, const Reporter<E>& reporter,
          const More&... more) noexcept {
  Stopwatch stopwatch;
  for (const auto& handler : handlers) {
    try {
      try {
        handler->call(reporter.event, more...);
      } catch (...) {
        reporter.failed(*handler->plugin, thrown());
      }
      if (stopwatch.over(handler->how.limit)) reporter.slow(*handler);
    } catch (...) {
    }
  }
}

// Whether `handler` was one of these; then it has been put among them.
template <class Function>
bool take(Handlers<Function>& handlers, std::any& handler, const std::shared_ptr<Plugin>& plugin,
          const How& how) {
  auto* call = std::any_cast<Function>(&handler);
  if (!call) return false;
  if (!*call)
    throw Error(Errc::invalid_request, "hooks: the plugin " + std::string(plugin->name()) +
                                           " subscribes an empty function");
  insert_sorted(handlers, {plugin, how, std::move(*call)});
  return true;
}

constexpr std::chrono::hours kLongestLimit{24 * 365};  // what is longer does not fit a deadline

}  // namespace

struct Subscriber::Table {
  template <class E>
  const HandlersOf<E>& of() const noexcept {
    return std::get<HandlersOf<E>>(handlers);
  }

  OfEach<Events>::Handlers handlers;
  std::vector<std::shared_ptr<Plugin>> plugins;  // all that subscribed, sets too
  std::bitset<kEventCount> wanted;               // events that have a handler
};

Subscriber::Subscriber(Table& table, std::shared_ptr<Plugin> plugin, std::optional<int> priority)
    : table_(table), plugin_(std::move(plugin)), priority_(priority) {}

void Subscriber::insert(std::size_t event, std::any handler, How how) {
  if (priority_) how.priority = *priority_;
  how.limit = std::min<std::chrono::milliseconds>(how.limit, kLongestLimit);

  using Insert = void (*)(Table&, std::any&, const std::shared_ptr<Plugin>&, const How&);
  static constexpr auto kInsert =
      OfEach<Events>::functions<Insert>([]<class E>(std::type_identity<E>) -> Insert {
        return [](Table& table, std::any& any, const std::shared_ptr<Plugin>& plugin,
                  const How& chosen) {
          std::apply(
              [&](auto&... of_verb) {
                static_cast<void>((take(of_verb, any, plugin, chosen) || ...));
              },
              std::get<HandlersOf<E>>(table.handlers));
        };
      });
  kInsert[event](table_, handler, plugin_, how);
  table_.wanted.set(event);
}

void Subscriber::add(const std::shared_ptr<Plugin>& plugin, std::optional<int> priority) {
  if (!plugin) throw Error(Errc::invalid_request, "hooks: a plugin is null");
  auto& known = table_.plugins;
  if (std::find(known.begin(), known.end(), plugin) != known.end()) return;
  known.push_back(plugin);
  Subscriber subscriber(table_, plugin, priority_ ? priority_ : priority);
  plugin->subscribe(subscriber);
}

void PluginSet::subscribe(Subscriber& hooks) {
  for (const auto& plugin : plugins_) hooks.add(plugin, priority_);
}

Hooks::Hooks(const Plugins& plugins, std::shared_ptr<Workers> workers)
    : workers_(std::move(workers)) {
  *this = with(plugins);
}

Hooks Hooks::with(const Plugins& more) const {
  if (more.empty()) return *this;
  auto table =
      table_ ? std::make_shared<Subscriber::Table>(*table_) : std::make_shared<Subscriber::Table>();
  Subscriber subscriber(*table, nullptr, {});
  for (const auto& plugin : more) subscriber.add(plugin);
  Hooks hooks = *this;
  hooks.wanted_ = table->wanted;
  hooks.table_ = std::move(table);
  return hooks;
}

// Only called where somebody handles the event, so there is a table.
struct Hooks::Dispatch {
  template <class E>
  static Verdict decide(const Hooks& hooks, E& event) {
    const auto& handlers = hooks.table_->of<E>();
    const Reporter<E> reporter{hooks, event};
    std::shared_ptr<const Block> block;
    if constexpr (StoppableEvent<E>)
      block = intercept(std::get<Handlers<Intercept<E>>>(handlers), event, reporter);
    if constexpr (ChangeableEvent<E>)
      if (!block) transform(std::get<Handlers<Transform<E>>>(handlers), event, reporter);
    if constexpr (StoppableEvent<E>) {
      const auto& guards = std::get<Handlers<Guard<E>>>(handlers);
      if (!block && !guards.empty()) block = Guards<E>(guards, event, reporter).ask_all();
      event.stopped.block_ = block;
    }
    return Verdict(std::move(block));
  }

  template <class E>
  static void tell(const Hooks& hooks, const E& event) noexcept {
    const auto& handlers = hooks.table_->of<E>();
    show(std::get<Handlers<Observe<E>>>(handlers), Reporter<E>{hooks, event});
    if (hooks.workers_ && !std::get<Handlers<Background<E>>>(handlers).empty())
      tell_later(hooks, event);
  }

  // What is held for user code is released on the thread that runs it: a copy holds nothing.
  template <class E>
  static std::shared_ptr<const E> copy_for_later(const E& event) {
    if constexpr (requires(E one) { one.held.clear(); })
      return std::make_shared<const E>(E{.scope = event.scope});
    else
      return std::make_shared<const E>(event);
  }

  // An event for which there is no memory is lost.
  template <class E>
  static void tell_later(const Hooks& hooks, const E& event) noexcept try {
    // Weak, since a task in line must not keep the workers that it waits for.
    hooks.workers_->background([table = hooks.table_, workers = std::weak_ptr(hooks.workers_),
                                copy = copy_for_later(event)](std::stop_token stop) {
      Hooks later;
      later.table_ = table;
      later.workers_ = workers.lock();
      later.wanted_ = table->wanted;
      show(std::get<Handlers<Background<E>>>(table->template of<E>()), Reporter<E>{later, *copy},
           stop);
    });
    if (const std::int64_t dropped = hooks.workers_->drops_to_report())
      hooks.report({}, {.kind = Notice::Kind::background_dropped,
                        .text = "background handlers are too slow",
                        .count = dropped});
  } catch (...) {
  }
};

Verdict Hooks::decide_any(std::size_t place, void* event) const {
  using Decide = Verdict (*)(const Hooks&, void*);
  static constexpr auto kDecide =
      OfEach<Events>::functions<Decide>([]<class E>(std::type_identity<E>) -> Decide {
        if constexpr (DecidableEvent<E>)
          return [](const Hooks& hooks, void* any) {
            return Dispatch::decide(hooks, *static_cast<E*>(any));
          };
        else
          return nullptr;
      });
  return kDecide[place](*this, event);
}

void Hooks::tell_any(std::size_t place, const void* event) const noexcept {
  using Tell = void (*)(const Hooks&, const void*) noexcept;
  static constexpr auto kTell =
      OfEach<Events>::functions<Tell>([]<class E>(std::type_identity<E>) -> Tell {
        return [](const Hooks& hooks, const void* any) noexcept {
          Dispatch::tell(hooks, *static_cast<const E*>(any));
        };
      });
  kTell[place](*this, event);
}

void Hooks::report(const Scope& scope, Notice notice) const noexcept {
  if (wanted<Diagnostic>()) tell(Diagnostic{.scope = scope, .notice = std::move(notice)});
}

}  // namespace mellea
