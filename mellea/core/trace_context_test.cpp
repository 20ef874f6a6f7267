#include "mellea/core/trace_context.h"

#include <gtest/gtest.h>

namespace mellea {
namespace {

const std::string kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

Origin read(Headers headers) {
  const auto origin = origin_of(headers);
  return origin ? *origin : Origin{};
}
std::string state_of(Headers headers) {
  headers.emplace_back("traceparent", kParent);
  return read(std::move(headers)).tracestate;
}
std::string baggage_in(const std::string& header) { return read({{"baggage", header}}).baggage; }

// "key=value" so many times, each of so many bytes.
std::string members(int count, std::size_t size) {
  std::string all;
  for (int at = 0; at < count; ++at) {
    std::string member = "k" + std::to_string(at) + "=";
    member.resize(std::max(size, member.size() + 1), 'x');
    all += (at == 0 ? "" : ",") + member;
  }
  return all;
}

TEST(OriginOfTest, TakesTheThreeHeadersInAnyCaseAndOrder) {
  const Origin origin = read({{"Baggage", "user=7"},
                              {"Host", "example.com"},
                              {"TRACESTATE", "vendor=1"},
                              {"traceParent", " " + kParent + "\t"}});
  EXPECT_EQ(origin,
            (Origin{.traceparent = kParent, .tracestate = "vendor=1", .baggage = "user=7"}));
}

TEST(OriginOfTest, IsNullWhereTheHeadersSayNothing) {
  EXPECT_EQ(origin_of({}), nullptr);
  EXPECT_EQ(origin_of({{"host", "example.com"}, {"traceparent", "00-zero"}, {"baggage", "no"}}),
            nullptr);
}

TEST(OriginOfTest, TwoParentsAreNoneAndAStateWithoutOneIsNone) {
  EXPECT_EQ(origin_of({{"traceparent", kParent}, {"traceparent", kParent}, {"tracestate", "a=1"}}),
            nullptr);
  EXPECT_EQ(origin_of({{"tracestate", "a=1"}}), nullptr);
  EXPECT_EQ(read({{"tracestate", "a=1"}, {"baggage", "b=2"}}), (Origin{.baggage = "b=2"}));
}

TEST(OriginOfTest, ARepeatedHeaderIsOneThatIsLonger) {
  EXPECT_EQ(state_of({{"tracestate", "a=1 , b=2"}, {"tracestate", ""}, {"TraceState", "\tc=3,"}}),
            "a=1,b=2,c=3");
  EXPECT_EQ(read({{"baggage", "a=1"}, {"x", "y"}, {"baggage", "b=2"}}).baggage, "a=1,b=2");
}

TEST(OriginOfTest, AMalformedStateIsNoneAtAll) {
  for (const char* bad : {"a", "=1", "a=", "A=1", "a b=1", "a=1,b", "a=x=y", "a=1,\x01=2", "@a=1"})
    EXPECT_EQ(state_of({{"tracestate", bad}}), "") << bad;
  EXPECT_EQ(state_of({{"tracestate", std::string(257, 'a') + "=1"}}), "");
  EXPECT_EQ(state_of({{"tracestate", "a=" + std::string(257, 'x')}}), "");
  for (const char* good : {"a=1", "tenant@vendor=1", "0a_-*/=!x y", "a=1,a=2"})
    EXPECT_EQ(state_of({{"tracestate", good}}), good);
}

TEST(OriginOfTest, AStateHas32MembersAtMost) {
  EXPECT_EQ(state_of({{"tracestate", members(32, 5)}}), members(32, 5));
  EXPECT_EQ(state_of({{"tracestate", members(33, 5)}}), "");
}

TEST(OriginOfTest, AStateThatIsTooLongLosesItsLongMembersAndThenItsLast) {
  const std::string long_one = "long=" + std::string(200, 'x');
  EXPECT_EQ(state_of({{"tracestate", long_one + "," + members(3, 100)}}),
            long_one + "," + members(3, 100));  // 508 bytes
  EXPECT_EQ(state_of({{"tracestate", long_one + "," + members(4, 100)}}), members(4, 100));
  EXPECT_EQ(state_of({{"tracestate", members(6, 100)}}), members(5, 100));
}

TEST(OriginOfTest, OfBaggageTheMalformedMembersAreLeftOut) {
  EXPECT_EQ(baggage_in("a=1, b = 2 ; ttl=3;flag ,c,=4,d e=5,f=\"6\",g=,h=a\x01z,i=%20x"),
            "a=1,b = 2 ; ttl=3;flag,g=,i=%20x");
}

TEST(OriginOfTest, OfBaggageThatIsTooLongTheFirstMembersAreKept) {
  EXPECT_EQ(baggage_in(members(65, 6)), members(64, 6));
  EXPECT_EQ(baggage_in(members(10, 1000)), members(8, 1000));
  EXPECT_EQ(baggage_in(members(1, kMostBaggage)).size(), kMostBaggage);
  EXPECT_EQ(baggage_in(members(1, kMostBaggage + 1)), "");
}

TEST(BaggageTest, AMemberIsKeyValueAndProperties) {
  const auto members = baggage_members(" user = al%20ice ; secret=yes ,b=2");
  ASSERT_EQ(members.size(), 2U);
  EXPECT_EQ(members[0].key, "user");
  EXPECT_EQ(members[0].value, "al%20ice");
  EXPECT_EQ(members[0].member, "user = al%20ice ; secret=yes");
  EXPECT_EQ(members[1].key, "b");
}

TEST(BaggageTest, OfSomeKeysIsThoseMembersAsTheyCame) {
  const std::vector<std::string> keys = {"tenant", "plan"};
  EXPECT_EQ(baggage_of("plan=pro;x=1,user=alice,tenant=7, tenant=8", keys),
            "plan=pro;x=1,tenant=7,tenant=8");
  EXPECT_EQ(baggage_of("user=alice", keys), "");
  EXPECT_EQ(baggage_of("Tenant=7", keys), "");  // keys are case-sensitive
  EXPECT_EQ(baggage_of("tenant=7\r\nhost: evil", keys), "");
}

TEST(TraceStateForTest, IsOfOneTraceOnly) {
  const Origin origin{.traceparent = kParent, .tracestate = "vendor=1"};
  TraceRef trace = TraceRef::from_traceparent(kParent);
  EXPECT_EQ(tracestate_for(trace, origin), "vendor=1");
  EXPECT_EQ(tracestate_for(trace, {.traceparent = kParent, .tracestate = "a=1\r\nhost: evil"}), "");
  trace.trace[0] ^= 1U;
  EXPECT_EQ(tracestate_for(trace, origin), "");
  EXPECT_EQ(tracestate_for({}, {.tracestate = "vendor=1"}), "");
}

}  // namespace
}  // namespace mellea
