#include "mellea/runtime/compaction.h"

#include <gtest/gtest.h>

#include <latch>
#include <random>
#include <sstream>
#include <thread>

#include "mellea/runtime/compaction_rule.h"
#include "mellea/runtime/session_for_test.h"

namespace mellea {
namespace {

using scripted::call;
using scripted::Line;
using scripted::say;
using Role = Message::Role;
using Turns = Context::Turns;

// A conversation in short: "s" is the system's, "u1" the user's, "a1" the assistant's, "c1" its
// call of a tool, and "t1" what that gave.
Message message(const std::string& word) {
  const std::string number = word.substr(1);
  switch (word.front()) {
    case 's': return {.role = Role::system, .text = word};
    case 'a': return {.role = Role::assistant, .text = word};
    case 'c':
      return {
          .role = Role::assistant, .text = word, .tool_calls = {{.id = number, .name = "look"}}};
    case 't':
      return {.role = Role::tool, .text = word, .tool_call_id = number, .tool_name = "look"};
    default: return {.text = word};
  }
}

Context conversation(const std::string& words) {
  Context context = Context::chat();
  std::istringstream in(words);
  for (std::string word; in >> word;) context = context.add(message(word));
  return context;
}

std::string text(const Turns& turns) {
  std::string words;
  for (const auto& turn : turns) words += (words.empty() ? "" : " ") + turn->text;
  return words;
}

std::string text(const Context& context) { return text(context.turns()); }

std::string sent(const Request& request) {
  std::string words;
  for (const Message& message : request.messages)
    words += (words.empty() ? "" : " ") + message.text;
  return words;
}

// What stays, with what goes in parentheses in front; "all" if nothing has to go.
std::string divided(const Compaction& compaction, const std::string& words,
                    const Measure& measure = {}, std::size_t pinned = 99) {
  const Context context = conversation(words);
  const Message* pin = pinned < context.size() ? context.turns()[pinned].get() : nullptr;
  const auto division = divide(compaction, context.turns(), measure, pin);
  if (!division) return "all";
  return std::string(division->how) + ": (" + text(division->forgotten) + ") " +
         text(division->what_stays());
}

TEST(CompactionTest, WithoutALimitNothingIsForgotten) {
  EXPECT_EQ(divided({}, "u1 a1 u2 a2", {.tokens = 1'000'000, .size = 1}), "all");
}

TEST(CompactionTest, AWindowKeepsTheNewestMessages) {
  EXPECT_EQ(divided({.window = 4}, "u1 a1 u2 a2"), "all");
  EXPECT_EQ(divided({.window = 4}, "u1 a1 u2 a2 u3 a3"), "window: (u1 a1) u2 a2 u3 a3");
}

TEST(CompactionTest, TheSystemMessagesAtTheFrontStayAndDoNotCount) {
  EXPECT_EQ(divided({.window = 2}, "s1 s2 u1 a1"), "all");
  EXPECT_EQ(divided({.window = 2}, "s1 s2 u1 a1 u2 a2"), "window: (u1 a1) s1 s2 u2 a2");
  EXPECT_EQ(divided({.window = 2}, "s1 u1 a1 s2 u2 a2"), "window: (u1 a1 s2) s1 u2 a2");
}

TEST(CompactionTest, WhatStaysBeginsWhereTheUserSpeaks) {
  EXPECT_EQ(divided({.window = 3}, "u1 a1 u2 a2"), "window: (u1 a1) u2 a2");
  EXPECT_EQ(divided({.window = 4}, "u1 c1 t1 a1 u2 a2"), "window: (u1 c1 t1 a1) u2 a2");
}

TEST(CompactionTest, OfATurnLongerThanTheWindowTheNewestMessagesStay) {
  EXPECT_EQ(divided({.window = 1}, "u1 a1"), "window: (u1) a1");
  EXPECT_EQ(divided({.window = 3}, "u1 c1 t1 a1"), "window: (u1) c1 t1 a1");
}

TEST(CompactionTest, AToolsResultNeverStaysWithoutItsCall) {
  EXPECT_EQ(divided({.window = 2}, "u1 c1 t1 a1"), "window: (u1 c1 t1) a1");
  EXPECT_EQ(divided({.window = 3}, "u1 c1 u2 a2 t1"), "window: (u1 c1 t1) u2 a2");
}

TEST(CompactionTest, AResultWithoutAnIdBelongsToACallOfItsTool) {
  Message asks{.role = Role::assistant, .text = "asks", .tool_calls = {{.name = "look"}}};
  Message result{.role = Role::tool, .text = "found", .tool_name = "look"};
  const Context context = Context::chat().add({.text = "u"}).add(asks).add(result);
  EXPECT_EQ(text(divide({.window = 2}, context.turns(), {})->rest), "asks found");
  EXPECT_EQ(text(divide({.window = 1}, context.turns(), {})->rest), "");
}

TEST(CompactionTest, WhatIsPinnedStaysInItsPlace) {
  EXPECT_EQ(divided({.window = 2}, "s u1 a1 u2 u3 a3 u4 a4", {}, 3),
            "window: (u1 a1 u3 a3) s u2 u4 a4");
  EXPECT_EQ(divided({.window = 4}, "u1 a1 u2 a2 u3 u4 a4", {}, 4),
            "window: (u1 a1) u2 a2 u3 u4 a4");
}

TEST(CompactionTest, ThreeQuartersStayOnceAnAnswerHasTakenTooManyTokens) {
  const std::string words = "u1 a1 u2 a2 u3 a3 u4 a4";  // each an eighth
  const std::size_t size = size_of(conversation(words).turns());
  EXPECT_EQ(divided({.tokens = 800}, words, {.tokens = 800, .size = size}), "all");
  EXPECT_EQ(divided({.tokens = 800}, words, {.tokens = 801, .size = size}),
            "tokens: (u1 a1 u2 a2) u3 a3 u4 a4");
  EXPECT_EQ(divided({.tokens = 810}, words, {.tokens = 811, .size = size}),
            "tokens: (u1 a1 u2 a2) u3 a3 u4 a4");
  EXPECT_EQ(divided({.tokens = 800}, words, {}), "all") << "nobody counted";
}

TEST(CompactionTest, TheNewestTurnStaysHoweverManyTokensItTook) {
  const std::size_t size = size_of(conversation("u1 a1 u2 c2 t2 a2").turns());
  EXPECT_EQ(divided({.tokens = 1}, "u1 a1 u2 c2 t2 a2", {.tokens = 900, .size = size}),
            "tokens: (u1 a1) u2 c2 t2 a2");
  EXPECT_EQ(divided({.tokens = 1}, "u2 c2 t2 a2", {.tokens = 900, .size = size}), "all");
}

TEST(CompactionTest, WhatWasSaidSinceIsReckonedAsWhatWasMeasured) {
  const Measure of_two{.tokens = 100, .size = size_of(conversation("u1 a1").turns())};
  EXPECT_EQ(divided({.tokens = 200}, "u1 a1 u2 a2", of_two), "all");
  EXPECT_EQ(divided({.tokens = 200}, "u1 a1 u2 a2 u3 a3", of_two), "tokens: (u1 a1 u2 a2) u3 a3");
}

TEST(CompactionTest, ThinkingIsNotCountedForItIsNotSentBack) {
  const Turns turns = conversation("u1 a1").turns();
  EXPECT_EQ(measured(turns, Usage{.input_tokens = 10, .output_tokens = 50, .reasoning_tokens = 40})
                .tokens,
            20);
  EXPECT_EQ(measured(turns, Usage{.input_tokens = 10, .total_tokens = 60}).tokens, 60);
  EXPECT_EQ(measured(turns, {}).tokens, 0);
}

TEST(CompactionTest, OfTwoLimitsTheTighterOneIsKept) {
  const std::string words = "u1 a1 u2 a2 u3 a3";
  const Measure measure{.tokens = 600, .size = size_of(conversation(words).turns())};
  EXPECT_EQ(divided({.window = 4, .tokens = 300}, words, measure), "tokens: (u1 a1 u2 a2) u3 a3");
  EXPECT_EQ(divided({.window = 2, .tokens = 590}, words, measure), "window: (u1 a1 u2 a2) u3 a3");
}

TEST(CompactionTest, ASummaryLeavesRoomForItselfAndForWhatIsSaidNext) {
  EXPECT_EQ(divided({.window = 4, .summarise = true}, "u1 a1 u2 a2 u3 a3"),
            "window: (u1 a1 u2 a2) u3 a3");
}

// Whatever is said: what stays is the newest of it, in its order, and nothing that a provider
// refuses.
TEST(CompactionTest, TheRuleHoldsForAnyConversation) {
  std::mt19937 random(7);
  for (int round = 0; round < 5'000; ++round) {
    const auto below = [&](std::size_t most) { return random() % most; };
    std::string words;
    for (std::size_t count = below(12), i = 0; i < count; ++i) {
      const std::string number = std::to_string(i - below(std::min<std::size_t>(i + 1, 3)));
      words += std::string(1, "suact"[below(5)]) + number + ' ';
    }
    const Compaction compaction{.window = below(6), .tokens = std::int64_t(below(300))};
    const Context context = conversation(words);
    const Turns& all = context.turns();
    const Measure measure{.tokens = std::int64_t(below(500)), .size = size_of(all)};
    const Message* goal = all.empty() ? nullptr : all[below(all.size())].get();
    const auto division = divide(compaction, all, measure, goal);
    if (!division) continue;

    SCOPED_TRACE(words + "=> " + text(division->pinned) + " | " + text(division->rest));
    const Turns kept = division->what_stays();
    EXPECT_EQ(kept.size() + division->forgotten.size(), all.size());
    EXPECT_FALSE(division->forgotten.empty());
    auto place = all.begin();
    bool leading = true;
    std::size_t counted = 0;
    for (const auto& turn : all) {
      leading = leading && turn->role == Role::system;
      const bool pinned = leading || turn.get() == goal;
      const bool stays = std::find(kept.begin(), kept.end(), turn) != kept.end();
      EXPECT_TRUE(stays || !pinned);
      counted += stays && !pinned ? 1 : 0;
    }
    if (compaction.window > 0) {
      EXPECT_LE(counted, compaction.window);
    }
    for (const auto& turn : kept) place = std::find(place, all.end(), turn);  // in their order
    EXPECT_NE(place, all.end());
    for (std::size_t at = 0; at < division->rest.size(); ++at) {
      const Message& result = *division->rest[at];
      if (result.role != Role::tool || &result == goal) continue;
      EXPECT_TRUE(std::any_of(division->rest.begin(), division->rest.begin() + std::ptrdiff_t(at),
                              [&](const auto& earlier) {
                                return !earlier->tool_calls.empty() &&
                                       earlier->tool_calls[0].id == result.tool_call_id;
                              }));
    }
  }
}

class CompactingSessionTest : public SessionTest {
 protected:
  // What was told of actions, agents and compactions, and no more.
  Names told() const {
    Names lines;
    for (const std::string& line : recorder_->lines())
      if (line.starts_with("component_") || line.starts_with("agent_") ||
          line.starts_with("context_") || line.starts_with("session_p"))
        lines.push_back(line);
    return lines;
  }
  void echo() { backend_ = std::make_shared<ScriptedBackend>(ScriptedOptions{.echo = true}); }
};

TEST_F(CompactingSessionTest, WhatIsBeyondTheWindowIsForgottenAsSoonAsATurnIsAdded) {
  std::string forgotten;
  make_runtime({plugin([&](Subscriber& hooks) {
    hooks.observe<ContextCompacted>([&](const ContextCompacted& event) {
      forgotten = std::string(event.how) + ": " + text(event.before) + " => " + text(event.after);
    });
  })});
  echo();
  Session session = start({.context = Context::chat(), .compaction = {.window = 2}});
  session.chat("one");
  session.chat("two");
  EXPECT_EQ(text(session.context()), "two two");
  EXPECT_EQ(forgotten, "window: one one two two => two two");
  EXPECT_EQ(told(), (Names{"session_pre_init session#1", "session_post_init session#1",
                           "component_pre_execute action#1 in session#1",
                           "component_post_success action#1 in session#1: ok",
                           "component_pre_execute action#2 in session#1",
                           "context_compacted action#2 in session#1",
                           "component_post_success action#2 in session#1: ok"}));
  session.chat("three");
  EXPECT_EQ(sent(backend_->requests().back()), "two two three");
}

TEST_F(CompactingSessionTest, ACloneKeepsToTheSameRule) {
  echo();
  Session session = start({.context = Context::chat(), .compaction = {.window = 2}});
  session.chat("one");
  Session copy = session.clone();
  copy.chat("two");
  EXPECT_EQ(text(copy.context()), "two two");
}

TEST_F(CompactingSessionTest, MoreThanTheWindowIsForgottenBeforeTheFirstCall) {
  start({.context = conversation("s u1 a1 u2 a2"), .compaction = {.window = 2}}).end();
  EXPECT_EQ(told(), (Names{"session_pre_init session#1", "session_post_init session#1",
                           "context_compacted session#1"}));
}

TEST_F(CompactingSessionTest, TheTokensOfTheNewestAnswerDecide) {
  const auto answer = [](std::int64_t input) {
    return Line().text("fine").usage({.input_tokens = input, .output_tokens = 10}).finish();
  };
  for (const std::int64_t input : {40, 70, 100, 60}) script(answer(input));
  Session session = start({.context = Context::chat(), .compaction = {.tokens = 100}});
  session.chat("aaaa");
  session.chat("bbbb");
  EXPECT_EQ(text(session.context()), "aaaa fine bbbb fine");
  session.chat("cccc");
  EXPECT_EQ(text(session.context()), "bbbb fine cccc fine");
  session.chat("dddd");
  EXPECT_EQ(text(session.context()), "bbbb fine cccc fine dddd fine");
  EXPECT_EQ(recorder_->count("context_compacted"), 1U);
}

TEST_F(CompactingSessionTest, ResultsOfToolsAreForgottenWithTheirCall) {
  script(call({.id = "1", .name = "look", .arguments = "{}"}));
  const Tools tools{
      Tool({.name = "look"}, [](const Json&, const Call&) { return std::string("found"); })};
  Session session = start({.context = Context::chat(), .compaction = {.window = 2}});
  const Result asked = session.chat("look", {.tools = tools});
  session.call_tools(asked, {.add_results = true});
  EXPECT_EQ(session.context().size(), 2U);
  EXPECT_EQ(session.context().turns()[1]->text, "found");
  script(say("done"));
  session.chat("and?");
  EXPECT_EQ(text(session.context()), "and? done");
  EXPECT_EQ(recorder_->lines().back(), "component_post_success action#2 in session#1: ok");
}

TEST_F(CompactingSessionTest, AStreamedAnswerIsATurnLikeAnyOther) {
  echo();
  Session session = start({.context = Context::chat(), .compaction = {.window = 2}});
  session.chat("one");
  session.stream("two").wait();
  EXPECT_EQ(text(session.context()), "two two");
  EXPECT_EQ(recorder_->count("context_compacted"), 1U);
}

TEST_F(CompactingSessionTest, AnAgentForgetsItsFirstStepsAndNeverItsGoal) {
  const auto look = [](const std::string& id) {
    return call({.id = id, .name = "look", .arguments = "{}"});
  };
  for (const char* id : {"1", "2", "3"}) script(look(id));
  script(call({.id = "f", .name = "final_answer", .arguments = R"({"answer":"here"})"}));
  Session session = start({.compaction = {.window = 6}});  // a step is 3 messages
  const AgentResult result =
      session.react("find it", {.tools = {Tool({.name = "look"}, [](const Json&, const Call& c) {
                                  return "found in " + std::string(to_string(c.scope.kind()));
                                })}});
  EXPECT_EQ(result.answer, "here");
  const std::vector<Message> last = backend_->requests().back().messages;
  ASSERT_EQ(last.size(), 1U + 6U + 1U);
  EXPECT_NE(last[0].text.find("Goal: find it"), std::string::npos);
  EXPECT_EQ(last[2].tool_calls.at(0).id, "2");
  EXPECT_EQ(last[3].tool_call_id, "2");
  EXPECT_EQ(told(), (Names{
                        "session_pre_init session#1",
                        "session_post_init session#1",
                        "agent_start agent#1 in session#1",
                        "component_pre_execute action#1 in agent#1",
                        "component_post_success action#1 in agent#1: ok",
                        "component_pre_execute action#2 in agent#1",
                        "component_post_success action#2 in agent#1: ok",
                        "component_pre_execute action#3 in agent#1",
                        "component_post_success action#3 in agent#1: ok",
                        "context_compacted agent#1 in session#1",
                        "component_pre_execute action#4 in agent#1",
                        "component_post_success action#4 in agent#1: ok",
                        "agent_end agent#1 in session#1: ok",
                    }));
}

TEST_F(CompactingSessionTest, RulesThatCannotBeKeptToAreRefusedBeforeTheSessionBegins) {
  for (const Compaction& wrong : {Compaction{.tokens = -1}, Compaction{.summarise = true},
                                  Compaction{.window = 3, .summarise = true}}) {
    EXPECT_EQ(error_of([&] { start({.compaction = wrong}); }).code(), Errc::invalid_request);
  }
  EXPECT_EQ(recorder_->count("session_pre_init"), 0U);
}

TEST_F(CompactingSessionTest, FromManyThreadsNoMoreThanTheWindowIsSentAndEachTurnIsForgottenOnce) {
  constexpr std::size_t kThreads = 200;
  constexpr std::size_t kWindow = 6;
  std::mutex mutex;
  std::vector<std::string> heard_of;  // guarded by mutex: what was forgotten
  make_runtime({plugin([&](Subscriber& hooks) {
    hooks.observe<ContextCompacted>([&](const ContextCompacted& event) {
      const std::lock_guard lock(mutex);
      const std::size_t gone = event.before.size() - event.after.size();
      for (std::size_t place = 0; place < gone; ++place)
        heard_of.push_back(event.before.turns()[place]->text);
    });
  })});
  echo();
  Session session = start({.context = Context::chat(), .compaction = {.window = kWindow}});
  {
    std::latch all_there(kThreads);
    std::vector<std::jthread> threads;
    for (std::size_t thread = 0; thread < kThreads; ++thread)
      threads.emplace_back([&, thread] {
        all_there.arrive_and_wait();
        for (int time = 0; time < 2; ++time)
          session.chat(std::to_string(thread) + "." + std::to_string(time));
      });
  }
  for (const Request& request : backend_->requests())
    EXPECT_LE(request.messages.size(), kWindow + 1);
  EXPECT_EQ(session.context().size(), kWindow);
  for (const auto& turn : session.context().turns()) heard_of.push_back(turn->text);
  std::sort(heard_of.begin(), heard_of.end());
  ASSERT_EQ(heard_of.size(), 2 * 2 * kThreads) << "a question and its answer, in two calls each";
  EXPECT_EQ(std::unique(heard_of.begin(), heard_of.end()) - heard_of.begin(),
            std::ptrdiff_t(2 * kThreads));
}

}  // namespace
}  // namespace mellea
