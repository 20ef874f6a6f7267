#include "mellea/hooks/testing/recorder.h"

#include <tuple>
#include <utility>

namespace mellea::testing {
namespace {

std::string text_of(const Ending& ending) {
  std::string text(to_string(ending.outcome));
  if (ending.outcome == Outcome::cancelled)
    text.append(" ").append(to_string(ending.reason));
  else if (ending.outcome == Outcome::error && ending.error)
    text.append(" ").append(to_string(ending.error->code()));
  return text;
}

// The name of what happened in a stream, and which chunk or attempt it is about.
std::string text_of(const StreamingEvent::What& what) {
  std::string text(name_of(what));
  const auto passed = [](bool yes) { return yes ? " passed" : " failed"; };
  if (const auto* check = std::get_if<QuickCheck>(&what))
    text += ' ' + std::to_string(check->chunk) + passed(check->passed);
  else if (const auto* chunk = std::get_if<StreamedChunk>(&what))
    text += ' ' + std::to_string(chunk->index);
  else if (const auto* whole = std::get_if<FullValidation>(&what))
    text += passed(whole->passed);
  else if (const auto* retry = std::get_if<StreamRetry>(&what))
    text += ' ' + std::to_string(retry->attempt);
  return text;
}

// What a line says beside the operation.
template <class E>
std::string detail_of(const E& event) {
  std::string detail;
  if constexpr (requires { event.ending; }) detail = text_of(event.ending);
  if constexpr (requires { event.notice; }) detail = to_string(event.notice.kind);
  if constexpr (requires { event.error; })
    if (event.error) detail = to_string(event.error->code());
  if constexpr (std::is_same_v<E, StreamingEvent>) detail = text_of(*event.what);
  if constexpr (std::is_same_v<E, StreamingEnd>)
    if (!event.success) detail += ", no success";
  if constexpr (requires { event.stopped; })
    if (event.stopped) detail += detail.empty() ? "stopped" : " stopped";
  return detail;
}

}  // namespace

template <class E>
void Recorder::watch(Subscriber& hooks) {
  if (std::is_same_v<E, GenerationEvent> && !options_.chunks) return;
  hooks.observe<E>([this](const E& event) {
    record({place_in<E, Events>, scope_of(event), detail_of(event)});
  });
}

void Recorder::subscribe(Subscriber& hooks) {
  [&]<class... Es>(std::type_identity<std::tuple<Es...>>) {
    (watch<Es>(hooks), ...);
  }(std::type_identity<Events>{});
}

void Recorder::record(const Told& told) {
  const EventDescription& event = event_catalogue()[told.event];
  const std::lock_guard lock(mutex_);
  ++counts_[told.event];
  std::string line(event.name);
  if (told.scope) line.append(" ").append(label(operation(told.scope)));
  if (!told.detail.empty()) line.append(": ").append(told.detail);
  lines_.push_back(std::move(line));
  check(event, told.scope);
}

Recorder::Operation& Recorder::operation(const Scope& scope) {
  Operation& operation = operations_[scope.id()];
  if (operation.label.empty()) {
    int& last = numbers_[static_cast<std::size_t>(scope.kind())];
    operation.label.append(to_string(scope.kind())).append("#").append(std::to_string(++last));
    operation.parent = scope.parent();
  }
  return operation;
}

std::string Recorder::label(const Operation& operation) const {
  if (!operation.parent) return operation.label;
  const auto parent = operations_.find(operation.parent);
  return operation.label + " in " + (parent == operations_.end() ? "?" : parent->second.label);
}

void Recorder::check(const EventDescription& event, const Scope& scope) {
  if (event.place == Place::outside) return;
  if (!scope) {
    problems_.push_back(std::string(event.name) + " names no operation");
    return;
  }
  Operation& about = operation(scope);
  const bool own = scope.kind() == event.operation;
  if (!own && (event.place == Place::opening || event.place == Place::closing))
    problem(event.name, about, "is about an operation of another kind");
  switch (event.place) {
    case Place::outside: break;
    case Place::opening: begin(event.name, about); break;
    case Place::closing: end(event.name, about); break;
    case Place::between:
      if (about.state == Operation::unknown) problem(event.name, about, "has not begun");
      if (about.state == Operation::ended) problem(event.name, about, "had ended");
      break;
    case Place::after:
      if (own && about.state != Operation::ended) problem(event.name, about, "has not ended");
      break;
  }
}

void Recorder::begin(std::string_view event, Operation& operation) {
  if (operation.state != Operation::unknown) {
    problem(event, operation, "began twice");
    return;
  }
  operation.state = Operation::open;
  if (!operation.parent) return;
  const auto parent = operations_.find(operation.parent);
  if (parent == operations_.end() || parent->second.state == Operation::unknown) {
    problem(event, operation, "is part of what never began");
    return;
  }
  if (parent->second.state == Operation::ended)
    problem(event, operation, "is part of what had ended");
  ++parent->second.open_children;
}

void Recorder::end(std::string_view event, Operation& operation) {
  if (operation.state != Operation::open) {
    problem(event, operation,
            operation.state == Operation::ended ? "ended twice" : "ended without a beginning");
    return;
  }
  operation.state = Operation::ended;
  if (operation.open_children > 0) problem(event, operation, "ended before its parts");
  const auto parent = operations_.find(operation.parent);
  if (parent != operations_.end() && parent->second.open_children > 0)
    --parent->second.open_children;
}

void Recorder::problem(std::string_view event, const Operation& operation, std::string_view what) {
  std::string text(event);
  problems_.push_back(text.append(": ").append(label(operation)).append(" ").append(what));
}

std::vector<std::string> Recorder::lines() const {
  const std::lock_guard lock(mutex_);
  return lines_;
}

std::size_t Recorder::count(std::string_view event) const {
  const std::lock_guard lock(mutex_);
  for (std::size_t place = 0; place < kEventCount; ++place)
    if (event_catalogue()[place].name == event) return counts_[place];
  return 0;
}

std::vector<std::string> Recorder::open_operations() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> open;
  for (const auto& [id, operation] : operations_)
    if (operation.state == Operation::open) open.push_back(label(operation));
  return open;
}

std::vector<std::string> Recorder::problems() const {
  std::vector<std::string> open = open_operations();
  const std::lock_guard lock(mutex_);
  std::vector<std::string> all = problems_;
  for (std::string& operation : open) all.push_back(std::move(operation.append(" never ended")));
  return all;
}

void Recorder::clear() {
  const std::lock_guard lock(mutex_);
  lines_.clear();
  problems_.clear();
  operations_.clear();
  numbers_ = {};
  counts_ = {};
}

}  // namespace mellea::testing
