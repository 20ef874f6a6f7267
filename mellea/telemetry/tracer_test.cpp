#include "mellea/telemetry/tracer.h"

#include <thread>
#include <utility>

#include "mellea/telemetry/tracing_for_test.h"

namespace mellea::telemetry {
namespace {

constexpr char kCaller[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
constexpr char kUnsampledCaller[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

class TracerTest : public TracingTest {
 protected:
  static Scope::Options from(std::string traceparent, std::string tracestate = "") {
    return {.origin = std::make_shared<const Origin>(Origin{.traceparent = std::move(traceparent),
                                                            .tracestate = std::move(tracestate)})};
  }
};

// Loses a span when it is told to hurry, before it is waited for.
class LosingExporter : public SpanExporter {
 public:
  void export_spans(std::span<const SpanPtr>) noexcept override {}
  bool flush(Instant) noexcept override { return std::exchange(lost_, 1) == 1; }
  bool shutdown(Instant) noexcept override { return false; }
  std::int64_t lost() const noexcept override { return lost_; }

 private:
  std::int64_t lost_ = 0;
};

TEST_F(TracerTest, AFlushTellsOfALossOnItsWay) {
  Tracer tracer({}, {std::make_shared<LosingExporter>()});
  EXPECT_FALSE(tracer.flush(Instant::clock::now()));
  EXPECT_TRUE(tracer.flush(Instant::clock::now()));
}

TEST_F(TracerTest, WithoutAnythingAroundASpanIsARoot) {
  const auto started = tracer_->start(Scope::root(Kind::action), kStart);
  EXPECT_EQ(started.record->parent, (std::array<std::uint8_t, 8>{}));
  EXPECT_FALSE(started.record->remote_parent);
  EXPECT_EQ(started.ids.flags, 1);
  EXPECT_EQ(started.record->ids, started.ids);
}

TEST_F(TracerTest, TheNearestTracedOperationIsTheParent) {
  const auto outer = tracer_->start(Scope::root(Kind::session), kStart);
  const Scope session = Scope::root(Kind::session).traced(outer.ids);
  const Scope untraced = session.child(Kind::sampling);
  const auto inner = tracer_->start(untraced.child(Kind::generation), kStart);
  EXPECT_EQ(inner.record->parent, outer.ids.span);
  EXPECT_EQ(inner.ids.trace, outer.ids.trace);
}

TEST_F(TracerTest, ACallersOwnSpanIsTheParentAndTheSessionsALink) {
  const auto outer = tracer_->start(Scope::root(Kind::session), kStart);
  const Scope session = Scope::root(Kind::session).traced(outer.ids);
  const auto inner = tracer_->start(session.child(Kind::action, from(kCaller, "vendor=1")), kStart);
  EXPECT_EQ(inner.ids.trace, TraceRef::from_traceparent(kCaller).trace);
  EXPECT_EQ(inner.record->parent, TraceRef::from_traceparent(kCaller).span);
  EXPECT_TRUE(inner.record->remote_parent);
  EXPECT_EQ(inner.record->trace_state, "vendor=1");
  ASSERT_EQ(inner.record->links().size(), 1U);
  EXPECT_EQ(inner.record->links()[0], outer.ids);
}

TEST_F(TracerTest, WhatTheCallerSaysBesideItsIdsIsInherited) {
  const std::string random_ids = std::string(kCaller).replace(53, 2, "03");
  const Scope action = Scope::root(Kind::action, from(random_ids, "vendor=1"));
  auto outer = tracer_->start(action, kStart);
  tracer_->keep(action.id(), outer.record);
  const auto inner = tracer_->start(action.traced(outer.ids).child(Kind::generation), kStart);
  EXPECT_EQ(inner.record->trace_state, "vendor=1");
  EXPECT_EQ(inner.ids.flags, 3);
  EXPECT_EQ(tracer_->start(Scope::root(Kind::action), kStart).record->trace_state, "");
  tracer_->end(tracer_->take(action.id()).record, kStart);
}

TEST_F(TracerTest, ACallerWithoutASessionSpanLinksToNothing) {
  const auto started = tracer_->start(Scope::root(Kind::action, from(kCaller)), kStart);
  EXPECT_TRUE(started.record->links().empty());
}

TEST_F(TracerTest, AnOriginThatIsNoTraceparentIsNoParent) {
  const auto started = tracer_->start(Scope::root(Kind::action, from("nonsense")), kStart);
  EXPECT_EQ(started.record->parent, (std::array<std::uint8_t, 8>{}));
}

TEST_F(TracerTest, WhatTheCallerDoesNotSampleIsNotRecordedButHasIds) {
  const auto started = tracer_->start(Scope::root(Kind::action, from(kUnsampledCaller)), kStart);
  EXPECT_EQ(started.record, nullptr);
  EXPECT_EQ(started.ids.flags, 0);
  EXPECT_EQ(started.ids.trace, TraceRef::from_traceparent(kCaller).trace);
  const Scope scope = Scope::root(Kind::action).traced(started.ids);
  EXPECT_EQ(tracer_->start(scope.child(Kind::generation), kStart).record, nullptr);
}

TEST_F(TracerTest, AnotherTracersIdsAreTakenOver) {
  const TraceRef given = TraceRef::from_traceparent(kCaller);
  EXPECT_EQ(tracer_->start(Scope::root(Kind::action), kStart, given).record->ids, given);
}

TEST_F(TracerTest, TheRatioIsThatOfTheTraces) {
  Tracer tracer({.ratio = 0.25}, {});
  int sampled = 0;
  for (int count = 0; count < 4000; ++count)
    sampled += tracer.start(Scope::root(Kind::action), kStart).record != nullptr;
  EXPECT_NEAR(sampled, 1000, 150);
}

TEST_F(TracerTest, ASamplerThatDoesNotFollowItsParentDecidesAnew) {
  Tracer all({.ratio = 1, .follow_parent = false}, {});
  Tracer none({.ratio = 0, .follow_parent = false}, {});
  const Scope unsampled = Scope::root(Kind::action, from(kUnsampledCaller));
  const Scope sampled = Scope::root(Kind::action, from(kCaller));
  EXPECT_NE(all.start(unsampled, kStart).record, nullptr);
  EXPECT_EQ(none.start(sampled, kStart).record, nullptr);
}

TEST_F(TracerTest, OpenSpansAreBounded) {
  Tracer tracer({}, {});
  for (std::size_t count = 0; count < Tracer::kMostOpen + 5000; ++count) {
    const Scope scope = Scope::root(Kind::action);
    tracer.keep(scope.id(), std::make_shared<SpanRecord>());
  }
  EXPECT_LE(tracer.open_spans(), Tracer::kMostOpen);
  tracer.shutdown(Instant::clock::now());
  EXPECT_EQ(tracer.open_spans(), 0U);
}

TEST_F(TracerTest, EventsAreBoundedAndTheLastOnesKept) {
  SpanRecord record;
  for (int count = 0; count < 1000; ++count) record.add_event("chunk", kStart, {});
  record.add_last_event("exception", kStart, {});
  EXPECT_EQ(record.events().size(), SpanRecord::kMostPassingEvents + 1);
  EXPECT_EQ(record.events().back().name, "exception");
  EXPECT_EQ(record.dropped_events(), 1000 - SpanRecord::kMostPassingEvents);
}

TEST_F(TracerTest, ARecordGrowsBeyondItsFirstMemory) {
  SpanRecord record;
  for (int count = 0; count < 500; ++count)
    record.set_label("label " + std::to_string(count), std::string_view(std::string(100, 'x')));
  EXPECT_EQ(record.attributes().size(), 500U);
  EXPECT_EQ(name_of(record.attributes()[499].key), "label 499");
}

// Meant for the thread sanitizer too.
TEST_F(TracerTest, ManyThreadsLoseNothing) {
  std::vector<std::jthread> threads;
  for (int count = 0; count < 4; ++count)
    threads.emplace_back([&] {
      for (int round = 0; round < 500; ++round) {
        const auto g = generation(Scope::root(Kind::generation));
        hooks_.tell(GenerationRetry{.scope = g.opening->scope, .at = kStart});
        end(g);
      }
    });
  threads.clear();
  EXPECT_EQ(memory_->spans().size(), 2000U);
}

TEST_F(TracerTest, AShutdownAmidOthersEndsEachSpanOnce) {
  std::vector<std::jthread> threads;
  for (int count = 0; count < 4; ++count)
    threads.emplace_back([&] {
      for (int round = 0; round < 500; ++round) end(generation(Scope::root(Kind::generation)));
    });
  tracer_->shutdown(Instant::clock::now());
}

}  // namespace
}  // namespace mellea::telemetry
