#include "mellea/telemetry/tracer.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "mellea/telemetry/exporter_list.h"

namespace mellea::telemetry {
namespace {

using std::chrono::nanoseconds;

constexpr std::int64_t kClockTolerance = 1'000'000;  // ns

std::int64_t steady_ns(Instant at) { return nanoseconds(at.time_since_epoch()).count(); }

std::int64_t measure_clocks() {
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  return nanoseconds(wall).count() - steady_ns(Instant::clock::now());
}

TraceRef new_ids(const TraceRef& parent) {
  TraceRef ids;
  const Id trace = Id::random();
  if (parent)
    ids.trace = parent.trace;
  else
    std::memcpy(ids.trace.data(), &trace, sizeof trace);
  while (!ids) {
    const Id span = Id::random();
    std::memcpy(ids.span.data(), &span.low, sizeof span.low);
  }
  return ids;
}

}  // namespace

Tracer::Tracer(Sampler sampler, std::vector<std::shared_ptr<SpanExporter>> exporters,
               ErrorText errors)
    : sampler_(std::move(sampler)),
      exporters_(std::move(exporters)),
      errors_(std::move(errors)),
      wall_clock_ahead_(measure_clocks()) {}

Tracer::Started Tracer::start(const Scope& scope, Instant at, const TraceRef& given) {
  if (!working()) return {};
  const Origin* origin = scope.origin();
  const TraceRef caller = origin ? TraceRef::from_traceparent(origin->traceparent) : TraceRef();
  const TraceRef enclosing = scope.parent_trace();
  const TraceRef& parent = caller ? caller : enclosing;

  TraceRef ids = given ? given : new_ids(parent);
  const bool later = !given && sampler_.decide;
  const bool sampled =
      given ? (given.flags & 1U) != 0 : later || sampler_.samples(parent, ids.trace);
  // The other flags of W3C are passed on as they came.
  ids.flags =
      static_cast<std::uint8_t>(((given ? given : parent).flags & ~1U) | (sampled ? 1U : 0U));
  if (!sampled) return {.ids = ids};

  auto record = std::make_shared<SpanRecord>();
  record->ids = ids;
  if (scope) record->traces = scope.kind();
  record->parent = parent.span;
  record->remote_parent = bool(caller);
  record->started = at == Instant{} ? Instant::clock::now() : at;
  record->began = unix_time(record->started, caller || !parent);
  if (caller && !origin->tracestate.empty()) {
    record->trace_state = record->kept(origin->tracestate);
    any_trace_state_.store(true, std::memory_order_relaxed);
  } else if (!caller && any_trace_state_.load(std::memory_order_relaxed)) {
    record->trace_state = record->kept(trace_state_of(scope.parent()));
  }
  if (caller && enclosing) record->add_link(enclosing);
  return {ids, std::move(record), later ? std::optional(parent) : std::nullopt};
}

bool Tracer::decide(Started& started) {
  if (!started.undecided) return started.record != nullptr;
  if (sampler_.decide(*started.record, *started.undecided)) {
    if (!started.record->trace_state.empty())
      any_trace_state_.store(true, std::memory_order_relaxed);
    return true;
  }
  started.record = nullptr;
  started.ids.flags = static_cast<std::uint8_t>(started.ids.flags & ~1U);
  return false;
}

std::string Tracer::trace_state_of(Id operation) {
  std::string state;
  update(operation, [&](const SpanRecord& record) { state = record.trace_state; });
  return state;
}

// Within a trace the distance of the two clocks is fixed, so that spans nest as they did. It is
// measured where a trace begins, and replaced when the wall clock was set or has drifted.
std::int64_t Tracer::unix_time(Instant at, bool local_root) noexcept {
  std::int64_t ahead = wall_clock_ahead_.load(std::memory_order_relaxed);
  if (local_root) {
    const std::int64_t measured = measure_clocks();
    if (std::abs(measured - ahead) > kClockTolerance) {
      ahead = measured;
      wall_clock_ahead_.store(measured, std::memory_order_relaxed);
    }
  }
  return steady_ns(at) + ahead;
}

void Tracer::keep(Id operation, std::shared_ptr<SpanRecord> record) {
  if (!record) return;
  {
    Shard& shard = shard_of(operation);
    const std::lock_guard lock(shard.mutex);
    // Asked under the lock, under which shutdown() empties the shard afterwards.
    if (!working() || shard.open.size() >= kMostOpen / shards_.size()) return;
    shard.open.insert_or_assign(operation, Taken{std::move(record), {}});
  }
}

bool Tracer::knows(Id operation) const {
  if (!working()) return false;
  const Shard& shard = shard_of(operation);
  const std::lock_guard lock(shard.mutex);
  return shard.open.contains(operation);
}

Tracer::Taken Tracer::take(Id operation) {
  if (!working()) return {};
  Shard& shard = shard_of(operation);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.open.find(operation);
  if (found == shard.open.end()) return {};
  Taken taken = std::move(found->second);
  shard.open.erase(found);
  return taken;
}

void Tracer::end(std::shared_ptr<SpanRecord> record, Instant at) {
  const Instant ended = at == Instant{} ? Instant::clock::now() : at;
  record->ended = std::max(record->unix_time(ended), record->began);
  deliver(std::move(record));
}

void Tracer::deliver(const SpanPtr& span) {
  for (const auto& exporter : exporters_) exporter->export_spans({&span, 1});
}

void Tracer::report_failure(const Scope& scope, Errc code) {
  if (!working()) return;
  const Id inside = scope.id();
  for (const Id id : {scope.parent(), scope.id(Kind::validation), scope.id(Kind::stream),
                      scope.id(Kind::sampling), scope.id(Kind::action), scope.id(Kind::agent),
                      scope.id(Kind::session)}) {
    if (!id || id == inside) continue;
    Shard& shard = shard_of(id);
    const std::lock_guard lock(shard.mutex);
    if (const auto found = shard.open.find(id); found != shard.open.end())
      found->second.failed_inside = code;
  }
}

bool Tracer::flush(Instant until) {
  if (!working()) return true;
  return flush_all(exporters_, until);
}

bool Tracer::shutdown(Instant until) {
  if (fork_.inherited() || closed_.exchange(true)) return true;
  std::vector<std::shared_ptr<SpanRecord>> open;
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (auto& [operation, taken] : shard.open) open.push_back(std::move(taken.record));
    shard.open.clear();
  }
  // As always, a span ends after those below it.
  std::sort(open.begin(), open.end(),
            [](const auto& a, const auto& b) { return a->began > b->began; });
  const Instant now = Instant::clock::now();
  for (auto& record : open) {
    record->set(Fact::unfinished, true);
    end(std::move(record), now);
  }
  return shutdown_all(exporters_, until);
}

std::size_t Tracer::open_spans() const {
  std::size_t count = 0;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    count += shard.open.size();
  }
  return count;
}

}  // namespace mellea::telemetry
