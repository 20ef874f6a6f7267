// Opens and ends spans, and knows those that are open.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "mellea/core/error.h"
#include "mellea/core/fork.h"
#include "mellea/core/scope.h"
#include "mellea/telemetry/error_text.h"
#include "mellea/telemetry/sampler.h"
#include "mellea/telemetry/span.h"
#include "mellea/telemetry/span_exporter.h"

namespace mellea::telemetry {

// Spans are known by the operation they trace. The parent of a span is found in its operation's
// scope and nowhere else, so it does not matter which thread does what.
//
// Shared by the tracing plugins, which outlive Telemetry: after shutdown(), and in a child of
// fork(), nothing is opened, found or ended. Any thread may call anything.
class Tracer {
 public:
  // More operations than this are not traced at once: more can only mean that they never end.
  static constexpr std::size_t kMostOpen = 65'536;

  // `errors` says what spans show of the messages of failures: by default nothing.
  Tracer(Sampler sampler, std::vector<std::shared_ptr<SpanExporter>> exporters,
         ErrorText errors = {});

  struct Started {
    TraceRef ids{};                        // zero: nothing is traced any more
    std::shared_ptr<SpanRecord> record{};  // null: not sampled
    std::optional<TraceRef> undecided{};   // the parent, for a sampler that is yet to decide
  };
  // Decides parent, ids and sampling. The span is not known before it is kept. `given`: another
  // tracer's ids for the same operation, which become ours too.
  Started start(const Scope& scope, Instant at, const TraceRef& given = {});
  // Lets such a sampler decide by what the record says now. False: it is not sampled.
  bool decide(Started& started);
  void keep(Id operation, std::shared_ptr<SpanRecord> record);
  bool knows(Id operation) const;

  // Lets `change` add to the record of an open span; it may do nothing else, for it runs under a
  // lock.
  template <class Change>
  void update(Id operation, Change&& change) {
    if (!working()) return;
    Shard& shard = shard_of(operation);
    const std::lock_guard lock(shard.mutex);
    if (const auto found = shard.open.find(operation); found != shard.open.end())
      change(*found->second.record);
  }

  struct Taken {
    std::shared_ptr<SpanRecord> record{};  // null: no such span is open
    std::optional<Errc> failed_inside{};   // what an operation inside it reported last
  };
  // The span is the caller's now, to be completed and ended.
  Taken take(Id operation);
  void end(std::shared_ptr<SpanRecord> record, Instant at);

  std::string trace_state_of(Id operation);  // of the span that is open for it; empty if none is

  // Tells the open spans around `scope` that this failure has been reported with its details.
  void report_failure(const Scope& scope, Errc code);

  const ErrorText& errors() const noexcept { return errors_; }

  // False if `until` was too early, or a span was lost meanwhile.
  bool flush(Instant until);
  // Ends what is open, marked as unfinished, and lets the exporters finish.
  bool shutdown(Instant until);

  std::size_t open_spans() const;

 private:
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<Id, Taken, std::size_t (*)(const Id&)> open{
        0, [](const Id& id) { return static_cast<std::size_t>(id.low); }};  // guarded by mutex
  };

  bool working() const noexcept {
    return !closed_.load(std::memory_order_acquire) && !fork_.inherited();
  }
  Shard& shard_of(Id id) noexcept { return shards_[id.high % shards_.size()]; }
  const Shard& shard_of(Id id) const noexcept { return shards_[id.high % shards_.size()]; }
  std::int64_t unix_time(Instant at, bool local_root) noexcept;
  void deliver(const SpanPtr& span);

  const Sampler sampler_;
  const std::vector<std::shared_ptr<SpanExporter>> exporters_;
  const ErrorText errors_;
  const ForkMark fork_;
  std::atomic<bool> closed_{false};
  std::atomic<bool> any_trace_state_{false};    // or nobody looks for one
  std::atomic<std::int64_t> wall_clock_ahead_;  // ns, of the steady clock
  std::array<Shard, 16> shards_;
};

}  // namespace mellea::telemetry
