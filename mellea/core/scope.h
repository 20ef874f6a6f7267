// Which operation is running, and inside which others.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace mellea {

enum class Kind : std::uint8_t {
  session,
  agent,
  action,
  sampling,
  generation,
  batch,
  validation,
  tool,
  stream
};
std::string_view to_string(Kind kind) noexcept;

// 128 random bits; text() is a UUID. Zero means none.
struct Id {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  static Id random();
  explicit operator bool() const noexcept { return (high | low) != 0; }
  friend bool operator==(const Id&, const Id&) = default;
  friend auto operator<=>(const Id&, const Id&) = default;
  std::string text() const;
};

// W3C ids of the span that traces an operation, if one does. Filled by a tracing plugin, carried
// and never read by the rest.
struct TraceRef {
  std::array<std::uint8_t, 16> trace{};
  std::array<std::uint8_t, 8> span{};
  std::uint8_t flags = 0;  // bit 0: sampled

  explicit operator bool() const noexcept { return span != std::array<std::uint8_t, 8>{}; }
  friend bool operator==(const TraceRef&, const TraceRef&) = default;
  std::string traceparent() const;  // as the W3C header; empty if zero
  static TraceRef from_traceparent(std::string_view header) noexcept;  // zero if it is none
};

// What the program says about its own work (user, tenant, feature): inherited, on every span and
// log record. So may be what its caller's work came with.
using Label = std::variant<std::string, std::int64_t, double, bool>;
using Labels = std::map<std::string, Label, std::less<>>;

// What the caller's own work came with, as W3C header values. Text, so that no layer needs a
// tracer.
struct Origin {
  std::string traceparent{};
  std::string tracestate{};
  std::string baggage{};

  friend bool operator==(const Origin&, const Origin&) = default;
};

// Names one operation and all that enclose it. A value: a copy is one reference count. Immutable,
// so any thread may read it. There is no ambient "current" scope, so a tree of operations does not
// depend on which thread runs what, or when.
class Scope {
 public:
  struct Options {
    int iteration = 0;  // of the sampling it belongs to, from 1
    Labels labels{};    // beside those of the enclosing operations; the nearest win
    // What the caller's own work came with. Those of the program win, however far they are.
    Labels caller_labels{};
    std::shared_ptr<const Origin> origin{};  // where the caller is in its own trace
  };

  Scope() = default;  // outside of everything
  static Scope root(Kind kind, Options options);
  static Scope root(Kind kind) { return root(kind, Options{}); }
  Scope child(Kind kind, Options options) const;
  Scope child(Kind kind) const { return child(kind, Options{}); }
  // The same operation, traced by a span.
  Scope traced(TraceRef trace) const;
  // The same operation, as its caller sees it who is at `origin` in its own trace, and in no span
  // of ours. As it is where that is null.
  Scope entered(std::shared_ptr<const Origin> origin) const;
  // The same operation, for what is called inside it with more labels.
  Scope labelled(const Labels& more) const;

  explicit operator bool() const noexcept { return node_ != nullptr; }
  Kind kind() const noexcept;  // only where there is an operation
  Id id() const noexcept;
  Id parent() const noexcept;
  // The nearest of that kind from here outwards, not past the enclosing action; session and agent
  // are found past it.
  Id id(Kind kind) const noexcept;
  int iteration() const noexcept;         // of the nearest sampling, from 1; 0 outside
  const Labels& labels() const noexcept;  // those of all enclosing operations, the nearest win
  const Labels& program_labels() const noexcept;  // of them, what the program has given,
  const Labels& caller_labels() const noexcept;   // and what callers have brought, hidden or not
  TraceRef trace() const noexcept;                // zero if nobody traces it
  // Of the nearest enclosing operation that is traced; zero if none is.
  TraceRef parent_trace() const noexcept;
  // Where the caller was when this very operation was entered; null if it was not entered from
  // outside. Then the caller's span is its parent, and parent_trace() a link.
  const Origin* origin() const noexcept;
  // Of the nearest operation, from here outwards, that was entered from outside; null if none was.
  const Origin* nearest_origin() const noexcept;

 private:
  struct LabelSet;
  struct Node;
  static std::shared_ptr<const LabelSet> joined(const std::shared_ptr<const LabelSet>& inherited,
                                                Labels program, Labels caller);
  const LabelSet& label_set() const noexcept;
  explicit Scope(std::shared_ptr<const Node> node);

  std::shared_ptr<const Node> node_;  // null outside of everything
};

}  // namespace mellea
