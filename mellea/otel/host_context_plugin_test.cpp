#include "mellea/otel/host_context_plugin.h"

#include <gtest/gtest.h>
#include <opentelemetry/baggage/baggage_context.h>

#include <memory>
#include <string>
#include <thread>

#include "mellea/otel/host_for_test.h"

namespace mellea::otel {
namespace {

namespace baggage = opentelemetry::baggage;
using opentelemetry::context::RuntimeContext;
using opentelemetry::nostd::shared_ptr;
using Active = opentelemetry::trace::Scope;

TraceRef some_ids(std::uint8_t number) {
  TraceRef ids;
  ids.trace[0] = 7;
  ids.span[0] = number;
  ids.flags = 1;
  return ids;
}

std::shared_ptr<const Origin> origin_at(const TraceRef& place) {
  return std::make_shared<const Origin>(Origin{
      .traceparent = place.traceparent(), .tracestate = "vendor=1", .baggage = "tenant=blue"});
}

class HostContextPluginTest : public testing::Test {
 protected:
  std::shared_ptr<const Origin> origin_of_call(const Scope& scope = {},
                                               std::shared_ptr<const Origin> given = nullptr) {
    CallBegin event{.scope = scope, .origin = std::move(given)};
    static_cast<void>(hooks_.decide(event));
    return event.origin;
  }

  // What `look` finds where user code within `scope` runs.
  template <class Look>
  auto in_user_code(const Scope& scope, Look look) {
    UserCodeBegin event{.scope = scope};
    static_cast<void>(hooks_.decide(event));
    auto found = look();
    while (!event.held.empty()) event.held.pop_back();
    return found;
  }

  HostForTest host_;
  const Hooks hooks_{{make_host_context_plugin()}, nullptr};
};

TEST_F(HostContextPluginTest, ACallComesFromTheSpanThatIsCurrentInTheThread) {
  const auto request = host_.start("request");
  const Active active(request);
  const auto origin = origin_of_call();
  ASSERT_NE(origin, nullptr);
  EXPECT_EQ(origin->traceparent, ids(request).traceparent());
  EXPECT_EQ(origin->baggage, "");
}

TEST_F(HostContextPluginTest, TraceStateAndBaggageComeAlong) {
  shared_ptr<opentelemetry::trace::Span> span(
      new opentelemetry::trace::DefaultSpan(to_context(some_ids(3), "vendor=1")));
  auto context = RuntimeContext::GetCurrent().SetValue(opentelemetry::trace::kSpanKey, span);
  context = baggage::SetBaggage(context, baggage::Baggage::FromHeader("tenant=blue"));
  const auto token = RuntimeContext::Attach(context);
  const auto origin = origin_of_call();
  ASSERT_NE(origin, nullptr);
  EXPECT_EQ(*origin, *origin_at(some_ids(3)));
}

TEST_F(HostContextPluginTest, WithNoSpanCurrentACallComesFromNowhere) {
  EXPECT_EQ(origin_of_call(), nullptr);
}

TEST_F(HostContextPluginTest, TheCallersOwnWordWins) {
  const Active active(host_.start("request"));
  const auto given = origin_at(some_ids(5));
  EXPECT_EQ(origin_of_call({}, given), given);
}

TEST_F(HostContextPluginTest, TheSpanThatACallIsPutBelowIsNoCaller) {
  const Scope tool = Scope::root(Kind::tool).traced(some_ids(4));
  in_user_code(tool, [&] {
    EXPECT_EQ(origin_of_call(tool), nullptr);
    const auto from_elsewhere = origin_of_call(Scope::root(Kind::session).traced(some_ids(1)));
    EXPECT_NE(from_elsewhere, nullptr);
    return 0;
  });
}

TEST_F(HostContextPluginTest, InUserCodeTheSpanOfItsOperationIsCurrent) {
  const Scope tool = Scope::root(Kind::tool).traced(some_ids(4));
  EXPECT_EQ(in_user_code(tool, current_ids), some_ids(4));
  EXPECT_EQ(current_ids(), TraceRef());
}

TEST_F(HostContextPluginTest, WhatTheHostHadThereIsCurrentAgainAfterwards) {
  const auto request = host_.start("request");
  const Active active(request);
  in_user_code(Scope::root(Kind::tool).traced(some_ids(4)), current_ids);
  EXPECT_EQ(current_ids(), ids(request));
}

TEST_F(HostContextPluginTest, AnOperationWithoutASpanIsWhereItsNearestEnclosingOneIs) {
  const Scope action = Scope::root(Kind::action).traced(some_ids(4));
  EXPECT_EQ(in_user_code(action.child(Kind::tool), current_ids), some_ids(4));
}

TEST_F(HostContextPluginTest, ACompletionIsWhereTheCallWasBegun) {
  const Scope session = Scope::root(Kind::session).traced(some_ids(1));
  EXPECT_EQ(in_user_code(session.entered(origin_at(some_ids(6))), current_ids), some_ids(6));
  EXPECT_EQ(in_user_code(session.entered(nullptr), current_ids), some_ids(1));
}

TEST_F(HostContextPluginTest, WithoutAnyTraceUserCodeStaysWhereItIs) {
  const auto request = host_.start("request");
  const Active active(request);
  EXPECT_EQ(in_user_code(Scope::root(Kind::tool), current_ids), ids(request));
  EXPECT_EQ(in_user_code(Scope(), current_ids), ids(request));
}

TEST_F(HostContextPluginTest, OnAnotherThreadUserCodeHasTheCallersBaggageAndTraceState) {
  const Scope tool = Scope::root(Kind::action, {.origin = origin_at(some_ids(1))})
                         .traced(some_ids(2))
                         .child(Kind::tool)
                         .traced(some_ids(3));
  std::string baggage_there;
  std::string state_there;
  std::jthread([&] {
    in_user_code(tool, [&] {
      const auto context = RuntimeContext::GetCurrent();
      baggage_there = baggage::GetBaggage(context)->ToHeader();
      state_there = opentelemetry::trace::GetSpan(context)->GetContext().trace_state()->ToHeader();
      return 0;
    });
  }).join();
  EXPECT_EQ(baggage_there, "tenant=blue");
  EXPECT_EQ(state_there, "vendor=1");
}

}  // namespace
}  // namespace mellea::otel
