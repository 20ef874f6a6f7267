// Hooks: how plugins watch, change and stop what the runtime does.
//
//   class NoSecrets : public mellea::Plugin {
//     std::string_view name() const override { return "no_secrets"; }
//     void subscribe(mellea::Subscriber& hooks) override {
//       hooks.intercept<mellea::ComponentPreExecute>([](mellea::ComponentPreExecute& call) {
//         return call.action->text.find("sk-") == std::string::npos
//                    ? mellea::Verdict::go_on()
//                    : mellea::Verdict::stop({.reason = "the prompt holds an API key"});
//       });
//     }
//   };
//
// This header knows nothing of sessions, backends or telemetry; they all know it.
#pragma once

#include <any>
#include <bitset>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mellea/hooks/events.h"

namespace mellea {

class Workers;

// What becomes of the operation if a handler that may stop it throws or is late.
enum class OnError {
  closed,  // it is stopped
  open,    // it goes on as if the handler had not been there, and the failure is reported
};

// How a handler is called.
struct How {
  int priority = 50;  // lower first; in the order of registration where equal
  // A guard on a worker is not waited for longer. All others run to their end; that they were late
  // is found then, by a clock good to some ms.
  std::chrono::milliseconds limit{5000};
  OnError on_error = OnError::closed;  // of intercept and guard
};

// After all that may still change an event.
inline constexpr int kTelemetryPriority = 1040;

class Plugin;

// Collects the handlers of one plugin. How a handler is subscribed says what it may do; what it may
// not do does not compile.
class Subscriber {
 public:
  // May change the event and stop the operation, one after the other. If it is late its verdict
  // stands, and that is reported.
  template <StoppableEvent E>
  void intercept(std::function<Verdict(E&)> handler, How how = {}) {
    insert(place_in<E, Events>, std::move(handler), how);
  }
  // May change the event. If it throws or is late its change is undone, and that is reported.
  template <ChangeableEvent E>
  void transform(std::function<void(E&)> handler, How how = {}) {
    insert(place_in<E, Events>, std::move(handler), how);
  }
  // May stop the operation. Guards run at the same time on workers, each on a copy of the event;
  // the first to stop wins, and the others get a stop request. One that is late stops it too.
  template <StoppableEvent E>
  void guard(std::function<Verdict(const E&, std::stop_token)> handler, How how = {}) {
    insert(place_in<E, Events>, std::move(handler), how);
  }
  // Looks, after the decision, on the thread that fires. It can't break what it observes: what it
  // throws is reported.
  template <Event E>
  void observe(std::function<void(const E&)> handler, How how = {}) {
    insert(place_in<E, Events>, std::move(handler), how);
  }
  // Looks later, on a worker, at a copy; one event after the other. Events are dropped, and
  // counted, where it is too slow.
  template <Event E>
  void background(std::function<void(const E&, std::stop_token)> handler, How how = {}) {
    insert(place_in<E, Events>, std::move(handler), how);
  }

  // Subscribes another plugin in its own name; `priority` wins over its own choice.
  void add(const std::shared_ptr<Plugin>& plugin, std::optional<int> priority = {});

  struct Table;  // of handlers, sorted

 private:
  friend class Hooks;
  Subscriber(Table& table, std::shared_ptr<Plugin> plugin, std::optional<int> priority);
  // `handler` is one of the five kinds of function, which tell the verb.
  void insert(std::size_t event, std::any handler, How how);

  Table& table_;
  std::shared_ptr<Plugin> plugin_;  // kept alive by its handlers
  std::optional<int> priority_;     // null: as each handler says
};

// Something that wants to be called at certain events. Its handlers may be called from several
// threads at once: a plugin guards its own state.
class Plugin {
 public:
  virtual ~Plugin() = default;

  // For messages, blocks and metrics: a short word.
  virtual std::string_view name() const = 0;

  // Called once for each Hooks that the plugin is given to.
  virtual void subscribe(Subscriber& hooks) = 0;
};
using Plugins = std::vector<std::shared_ptr<Plugin>>;

// Several plugins as one; a priority given here wins over theirs, and an outer set's over an inner
// one's.
class PluginSet : public Plugin {
 public:
  PluginSet(std::string name, Plugins plugins, std::optional<int> priority = {})
      : name_(std::move(name)), plugins_(std::move(plugins)), priority_(priority) {}
  std::string_view name() const override { return name_; }
  void subscribe(Subscriber& hooks) override;

 private:
  std::string name_;
  Plugins plugins_;
  std::optional<int> priority_;
};

// The plugins of a runtime, ready to be called. A handle on something immutable: copies are cheap
// and may be used by any thread. What is in flight keeps the Hooks that it began with.
class Hooks {
 public:
  Hooks() = default;  // no plugins
  // A plugin that is there twice is called once. `workers` runs guards and background handlers;
  // null: guards run in line, and background handlers are not called.
  Hooks(const Plugins& plugins, std::shared_ptr<Workers> workers);
  Hooks with(const Plugins& more) const;

  // Whether any plugin handles E: lets the caller skip building an event.
  template <Event E>
  bool wanted() const noexcept {
    return wanted_[place_in<E, Events>];
  }

  // The decision: intercept, transform, guard. The first Block leaves out the rest of them, never
  // the telling; it stands in event.stopped too.
  template <DecidableEvent E>
  Verdict decide(E& event) const {
    return wanted<E>() ? decide_any(place_in<E, Events>, &event) : Verdict::go_on();
  }
  // The telling: observe, background. Also of an event that was stopped.
  template <Event E>
  void tell(const E& event) const noexcept {
    if (wanted<E>()) tell_any(place_in<E, Events>, &event);
  }

  // Tells a Diagnostic. What its own handlers do wrong is told to nobody: there would be no end.
  void report(const Scope& scope, Notice notice) const noexcept;

  Workers* workers() const noexcept { return workers_.get(); }  // null: none

 private:
  struct Dispatch;  // the typed half of what follows
  Verdict decide_any(std::size_t place, void* event) const;
  void tell_any(std::size_t place, const void* event) const noexcept;

  std::shared_ptr<const Subscriber::Table> table_;  // null: no plugins
  std::shared_ptr<Workers> workers_;
  std::bitset<kEventCount> wanted_;  // the table's, where it costs least to read
};

}  // namespace mellea
