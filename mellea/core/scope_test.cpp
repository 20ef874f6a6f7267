#include "mellea/core/scope.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <set>

namespace mellea {
namespace {

constexpr std::string_view kHeader = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(ScopeTest, KnowsWhatEnclosesIt) {
  const Scope session = Scope::root(Kind::session);
  const Scope action = session.child(Kind::action);
  const Scope sampling = action.child(Kind::sampling);
  const Scope chat = sampling.child(Kind::generation, {.iteration = 2});
  EXPECT_EQ(chat.parent(), sampling.id());
  EXPECT_EQ(chat.id(Kind::sampling), sampling.id());
  EXPECT_EQ(chat.id(Kind::action), action.id());
  EXPECT_EQ(chat.id(Kind::session), session.id());
  EXPECT_EQ(chat.iteration(), 2);
  EXPECT_EQ(session.iteration(), 0);
  EXPECT_FALSE(session.parent());
}

TEST(ScopeTest, AnActionHidesTheSamplingAroundIt) {
  const Scope outer = Scope::root(Kind::session).child(Kind::sampling, {.iteration = 3});
  const Scope inner = outer.child(Kind::tool).child(Kind::action).child(Kind::generation);
  EXPECT_FALSE(inner.id(Kind::sampling));
  EXPECT_EQ(inner.iteration(), 0);
  EXPECT_TRUE(inner.id(Kind::session));
}

TEST(ScopeTest, NothingIsOutsideOfEverything) {
  const Scope nowhere;
  EXPECT_FALSE(nowhere);
  EXPECT_FALSE(nowhere.id());
  EXPECT_FALSE(nowhere.parent_trace());
  EXPECT_EQ(nowhere.origin(), nullptr);
  EXPECT_TRUE(nowhere.labels().empty());
}

TEST(ScopeTest, TheTraceOfTheNearestTracedOneIsTheParents) {
  TraceRef ref;
  ref.trace[0] = 1;
  ref.span[0] = 2;
  const Scope session = Scope::root(Kind::session).traced(ref);
  const Scope chat = session.child(Kind::action).child(Kind::generation);
  EXPECT_EQ(chat.parent_trace(), ref);
  EXPECT_FALSE(chat.trace());
  EXPECT_EQ(session.id(), session.traced(ref).id());
}

TEST(ScopeTest, LabelsAreInheritedAndTheNearestWin) {
  const Scope session = Scope::root(Kind::session, {.labels = {{"a", "1"}, {"b", "1"}}});
  const Scope action = session.child(Kind::action, {.labels = {{"b", "2"}}});
  EXPECT_EQ(action.labels(), (Labels{{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(session.labels().size(), 2U);
  EXPECT_EQ(action.labelled({{"c", true}}).labels().size(), 3U);
}

TEST(ScopeTest, LabelsOfTheProgramWinOverThoseOfItsCaller) {
  const Scope session = Scope::root(
      Kind::session, {.labels = {{"tenant", "mine"}}, .caller_labels = {{"user", "alice"}}});
  const Scope action = session.child(
      Kind::action, {.caller_labels = {{"tenant", "theirs"}, {"user", "bob"}, {"plan", "pro"}}});
  EXPECT_EQ(action.labels(), (Labels{{"tenant", "mine"}, {"user", "bob"}, {"plan", "pro"}}));
  EXPECT_EQ(action.program_labels(), (Labels{{"tenant", "mine"}}));
  EXPECT_EQ(action.caller_labels().at("tenant"), Label("theirs"));
  EXPECT_EQ(session.labels(), (Labels{{"tenant", "mine"}, {"user", "alice"}}));
  EXPECT_EQ(action.labelled({{"plan", "free"}}).labels().at("plan"), Label("free"));
  EXPECT_EQ(Scope().labels(), Labels());
}

TEST(ScopeTest, AnOriginIsOfTheOperationThatWasEnteredWithIt) {
  const auto origin = std::make_shared<const Origin>(Origin{.traceparent = std::string(kHeader)});
  const Scope action = Scope::root(Kind::session).child(Kind::action, {.origin = origin});
  EXPECT_EQ(action.origin(), origin.get());
  EXPECT_EQ(action.child(Kind::generation).origin(), nullptr);
  EXPECT_EQ(action.child(Kind::generation).nearest_origin(), origin.get());
  EXPECT_EQ(Scope::root(Kind::session).nearest_origin(), nullptr);
}

TEST(TraceRefTest, ReadsWhatItWrites) {
  EXPECT_EQ(TraceRef::from_traceparent(kHeader).traceparent(), kHeader);
}

TEST(TraceRefTest, RefusesWhatTheStandardRefuses) {
  const std::string good(kHeader);
  const std::array<std::string, 9> bad = {
      "",
      good.substr(1),
      "ff" + good.substr(2),
      good + "x",
      "00-00000000000000000000000000000000-b7ad6b7169203331-01",
      "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
      "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g",
      "00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01"};
  for (const std::string& header : bad) EXPECT_FALSE(TraceRef::from_traceparent(header)) << header;
  EXPECT_TRUE(TraceRef::from_traceparent("01" + good.substr(2) + "-later"));
}

TEST(IdTest, IsAUuidInText) {
  const Id id{0x0123456789abcdef, 0xfedcba9876543210};
  EXPECT_EQ(id.text(), "01234567-89ab-cdef-fedc-ba9876543210");
}

TEST(IdTest, AChildOfForkGivesOutOtherIds) {
  (void)Id::random();
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const Id id = Id::random();
    ::_exit(::write(ends[1], &id, sizeof id) == sizeof id ? 0 : 1);
  }
  const Id mine = Id::random();
  Id theirs;
  ASSERT_EQ(::read(ends[0], &theirs, sizeof theirs), static_cast<ssize_t>(sizeof theirs));
  ::waitpid(child, nullptr, 0);
  EXPECT_NE(mine, theirs);
}

TEST(IdTest, NoTwoAreAlike) {
  std::set<Id> seen;
  for (int at = 0; at < 10'000; ++at) EXPECT_TRUE(seen.insert(Id::random()).second);
}

}  // namespace
}  // namespace mellea
