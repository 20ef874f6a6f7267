// A span as we record it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "mellea/core/reply.h"
#include "mellea/core/scope.h"
#include "mellea/telemetry/facts.h"

namespace mellea::telemetry {

enum class SpanKind : std::uint8_t { internal, client };
enum class SpanStatus : std::uint8_t { unset, error };

// A fact, or a label's own key.
using Key = std::variant<Fact, std::string_view>;
std::string_view name_of(const Key& key) noexcept;

using Value =
    std::variant<std::string_view, std::int64_t, double, bool, std::span<const std::string_view>>;

struct Attribute {
  Key key{};
  Value value{};
};

struct SpanEvent {
  std::string_view name{};
  std::int64_t at = 0;  // ns since 1970
  std::span<const Attribute> attributes{};
};

// One operation, timed. Everything it views lies in memory of its own, so that a whole span is one
// allocation unless it is unusually large, and it is neither copied nor moved. Written by one
// thread at a time; once it has ended it is const, and any thread may read it.
class SpanRecord {
 public:
  static constexpr std::size_t kMostEvents = 128;
  static constexpr std::size_t kMostPassingEvents = 112;  // the rest is kept for the end

  SpanRecord();
  SpanRecord(const SpanRecord&) = delete;
  SpanRecord& operator=(const SpanRecord&) = delete;

  // What is viewed by these lives as long as the record: copy it into the record with kept().
  TraceRef ids{};
  std::array<std::uint8_t, 8> parent{};  // zero: a root
  bool remote_parent = false;            // the parent is in another process, or is not ours
  Kind traces = Kind::action;            // which operation it is the span of
  SpanKind kind = SpanKind::internal;
  SpanStatus status = SpanStatus::unset;
  std::string_view name{};
  std::string_view library = "mellea.application";  // or mellea.backend
  std::string_view description{};                   // of the status
  std::string_view trace_state{};
  Instant started{};       // the same moment as `began`
  std::int64_t began = 0;  // ns since 1970
  std::int64_t ended = 0;  // 0: not yet

  // Adds an attribute and copies what it views. A key is set once: nobody looks for a second.
  void set(Fact fact, const Value& value) { set_at(fact, value); }
  void set(Fact fact, const std::vector<std::string>& texts);
  void set_label(std::string_view key, const Value& value) { set_at(kept(key), value); }
  const Value* find(Fact fact) const noexcept;      // null: not set
  std::string_view text(Fact fact) const noexcept;  // empty: not set
  const Value* find_label(std::string_view key) const noexcept;
  std::string_view label(std::string_view key) const noexcept;  // empty: not set, or no text

  // An event on the way; beyond the limit it is only counted.
  void add_event(std::string_view static_name, Instant at, std::span<const Attribute> attributes);
  // An event that says how it ended: there is always room for a few.
  void add_last_event(std::string_view static_name, Instant at,
                      std::span<const Attribute> attributes);
  void add_link(const TraceRef& to) { links_.push_back(to); }

  std::span<const Attribute> attributes() const noexcept { return attributes_; }
  std::span<const SpanEvent> events() const noexcept { return events_; }
  std::span<const TraceRef> links() const noexcept { return links_; }
  std::uint32_t dropped_events() const noexcept { return dropped_events_; }

  std::size_t bytes() const noexcept { return sizeof *this + overflow_.taken(); }

  std::string_view kept(std::string_view text);
  std::string_view kept(std::string_view first, std::string_view second);  // "first second"
  std::int64_t unix_time(Instant at) const noexcept;

 private:
  void set_at(Key key, const Value& value) { attributes_.push_back({key, kept_value(value)}); }
  const Value* find_key(const Key& key) const noexcept;
  Value kept_value(const Value& value);
  void append(std::string_view event, Instant at, std::span<const Attribute> attributes);

  // What does not fit into the buffer, counted.
  class Overflow : public std::pmr::memory_resource {
   public:
    std::size_t taken() const noexcept { return taken_; }

   private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
      taken_ += bytes;
      return std::pmr::new_delete_resource()->allocate(bytes, alignment);
    }
    void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override {
      std::pmr::new_delete_resource()->deallocate(memory, bytes, alignment);
    }
    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
      return this == &other;
    }

    std::size_t taken_ = 0;
  };

  std::array<std::byte, 2048> buffer_;  // where memory_ begins
  Overflow overflow_;
  std::pmr::monotonic_buffer_resource memory_;
  std::pmr::vector<Attribute> attributes_;
  std::pmr::vector<SpanEvent> events_;
  std::pmr::vector<TraceRef> links_;
  std::uint32_t dropped_events_ = 0;
};

// A span that has ended.
using SpanPtr = std::shared_ptr<const SpanRecord>;

}  // namespace mellea::telemetry
