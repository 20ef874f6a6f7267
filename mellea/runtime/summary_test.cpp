#include "mellea/runtime/summary.h"

#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "mellea/runtime/session_for_test.h"

namespace mellea {
namespace {

using scripted::fail;
using scripted::Line;
using scripted::say;

bool asks_for_a_summary(const Request& request) {
  return request.messages.back().text.starts_with("Sum up the conversation");
}

Names texts(const std::vector<Message>& messages) {
  Names all;
  for (const Message& message : messages) all.push_back(message.text);
  return all;
}

const Names kSummedUp{"Sum up what we have said so far.", "in short", "u3", "u3"};

// Sessions that remember four messages, and what else was said in short.
class SummaryTest : public SessionTest {
 protected:
  void SetUp() override { with_plugins({}); }

  void with_plugins(Plugins more) {
    make_runtime(std::move(more));
    backend_ = std::make_shared<ScriptedBackend>([this](const Request& request) {
      return asks_for_a_summary(request) ? summary_ : say(request.messages.back().text);
    });
  }

  Session overlong(Labels labels = {}) {
    Session session = start({.labels = std::move(labels),
                             .context = Context::chat(),
                             .compaction = {.window = 4, .summarise = true}});
    for (const char* text : {"u1", "u2", "u3"}) session.chat(text);
    return session;
  }
  // Of the last call.
  Names told_since(std::size_t line) const {
    Names lines = recorder_->lines();
    lines.erase(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(line));
    std::erase_if(lines, [](const std::string& one) {
      return one.starts_with("call_begin") || one.starts_with("generation_event");
    });
    return lines;
  }

  Line summary_ = say(" in short\n");
};

TEST_F(SummaryTest, TheNextCallBeginsWithASummaryOfWhatWouldBeForgotten) {
  Session session = overlong();
  EXPECT_EQ(session.context().size(), 6U);
  const std::size_t before = recorder_->lines().size();
  session.chat("u4");
  EXPECT_EQ(told_since(before), (Names{
                                    "component_pre_execute action#4 in session#1",
                                    "component_pre_execute action#5 in action#4",
                                    "generation_pre_call generation#4 in action#5",
                                    "generation_post_call generation#4 in action#5: ok",
                                    "component_post_success action#5 in action#4: ok",
                                    "context_compacted action#4 in session#1",
                                    "generation_pre_call generation#5 in action#4",
                                    "generation_post_call generation#5 in action#4: ok",
                                    "component_post_success action#4 in session#1: ok",
                                }));
  Names expected = kSummedUp;
  expected.emplace_back("u4");
  EXPECT_EQ(texts(backend_->requests().back().messages), expected);
  EXPECT_EQ(backend_->requests().back().messages[1].role, Message::Role::assistant);
  expected.emplace_back("u4");
  EXPECT_EQ(texts(session.context().messages()), expected);
}

TEST_F(SummaryTest, TheModelIsGivenWhatWasSaidAndNothingElse) {
  Session session = overlong();
  session.chat("u4");
  const std::vector<Message> asked = backend_->requests()[3].messages;
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_NE(asked[0].text.find("```\nuser: u1\nassistant: u1\nuser: u2\nassistant: u2\n```"),
            std::string::npos)
      << asked[0].text;
}

TEST_F(SummaryTest, CallsOfToolsPicturesAndFencesAreWrittenDown) {
  const auto shared = [](Message message) {
    return std::make_shared<const Message>(std::move(message));
  };
  const Summary summary(
      {shared({.text = "```look", .images = {{.url = "a"}, {.url = "b"}}}),
       shared({.role = Message::Role::assistant,
               .tool_calls = {{.id = "1", .name = "look", .arguments = R"({"at":2})"}}}),
       shared({.role = Message::Role::tool, .text = "a cat", .tool_name = "look"})});
  const std::string text = summary.render({}).text;
  EXPECT_TRUE(
      text.ends_with("\n````\n"
                     "user: ```look [2 images]\n"
                     "assistant: [calls look {\"at\":2}]\n"
                     "tool look: a cat\n"
                     "````"))
      << text;
}

TEST_F(SummaryTest, WhatWasSummedUpIsPartOfTheNextSummary) {
  Session session = overlong();
  for (const char* text : {"u4", "u5"}) session.chat(text);
  EXPECT_EQ(recorder_->count("context_compacted"), 2U);
  const std::string asked = backend_->requests().end()[-2].messages[0].text;
  EXPECT_NE(asked.find("assistant: in short\nuser: u3"), std::string::npos) << asked;
}

TEST_F(SummaryTest, TheSummaryIsNoInteractionAndHasTheLabelsAndTheConversationOfItsCall) {
  std::string label;
  std::vector<std::string> conversations;
  int interactions = 0;
  with_plugins({plugin([&](Subscriber& hooks) {
    hooks.observe<ComponentPreExecute>([&](const ComponentPreExecute& event) {
      if (event.component == "Summary")
        label = std::get<std::string>(event.scope.labels().at("tenant"));
    });
    hooks.observe<GenerationPreCall>([&](const GenerationPreCall& event) {
      conversations.push_back(*event.target->conversation);
    });
    hooks.observe<SessionCleanup>(
        [&](const SessionCleanup& event) { interactions = event.interactions; });
  })});
  Session session = overlong();
  session.chat("u4", {.labels = {{"tenant", "a"}}});
  session.end();
  EXPECT_EQ(label, "a");
  EXPECT_EQ(interactions, 4);
  ASSERT_EQ(conversations.size(), 5U);
  EXPECT_EQ(conversations[3], conversations[4]);
}

TEST_F(SummaryTest, WithoutASummaryTheCallGoesOnWithEverything) {
  for (const Line& nothing : {fail(Errc::server_error, "scripted: 500"), say(" ")}) {
    with_plugins({});
    summary_ = nothing;
    Session session = overlong();
    EXPECT_EQ(session.chat("u4").text(), "u4");
    EXPECT_EQ(backend_->requests().back().messages.size(), 7U);
    EXPECT_EQ(session.context().size(), 8U);
    EXPECT_EQ(recorder_->count("context_compacted"), 0U);
  }
  std::lock_guard lock(mutex_);
  EXPECT_EQ(notices_, (Names{"what was said could not be summed up: scripted: 500",
                             "what was said could not be summed up: the model said nothing"}));
}

TEST_F(SummaryTest, APluginMayForbidASummary) {
  with_plugins({plugin([](Subscriber& hooks) {
    hooks.intercept<ComponentPreExecute>([](ComponentPreExecute& event) {
      return event.component == "Summary" ? Verdict::stop({.reason = "private", .code = "private"})
                                          : Verdict::go_on();
    });
  })});
  Session session = overlong();
  EXPECT_EQ(session.chat("u4").text(), "u4");
  EXPECT_EQ(backend_->requests().size(), 4U);
}

TEST_F(SummaryTest, ACallThatIsCancelledWhileItWaitsForTheSummaryIsCancelled) {
  summary_ = Line().hang();
  std::stop_source stop;
  with_plugins({plugin([&](Subscriber& hooks) {
    hooks.observe<GenerationPreCall>([&](const GenerationPreCall& event) {
      if (event.target->component == "Summary") stop.request_stop();
    });
  })});
  Session session = overlong();
  const std::size_t before = recorder_->lines().size();
  EXPECT_EQ(error_of([&] { session.chat("u4", {.stop = stop.get_token()}); }).code(),
            Errc::cancelled);
  drain();
  EXPECT_EQ(told_since(before),
            (Names{
                "component_pre_execute action#4 in session#1",
                "component_pre_execute action#5 in action#4",
                "generation_pre_call generation#4 in action#5",
                "generation_post_call generation#4 in action#5: cancelled caller",
                "component_post_success action#5 in action#4: cancelled caller",
                "component_post_success action#4 in session#1: cancelled caller",
            }));
  summary_ = say("in short");
  session.chat("u5");  // the next one sums up
  EXPECT_EQ(recorder_->count("context_compacted"), 1U);
}

TEST_F(SummaryTest, AStreamWaitsForTheSummaryToo) {
  Session session = overlong();
  session.stream("u4").wait();
  Names expected = kSummedUp;
  expected.emplace_back("u4");
  EXPECT_EQ(texts(backend_->requests().back().messages), expected);
  EXPECT_EQ(session.context().size(), 6U);
}

TEST_F(SummaryTest, AnAsynchronousCallSumsUpOnItsWorker) {
  Session session = overlong();
  std::latch done(1);
  session.chat_async("u4", {}, [&](std::exception_ptr error, std::optional<Result> result) {
    EXPECT_FALSE(error);
    EXPECT_EQ(result->text(), "u4");
    done.count_down();
  });
  done.wait();
  EXPECT_EQ(recorder_->count("context_compacted"), 1U);
}

TEST_F(SummaryTest, AnAgentSumsUpItsStepsAndKeepsItsGoal) {
  int step = 0;
  backend_ = std::make_shared<ScriptedBackend>([&](const Request& request) {
    if (asks_for_a_summary(request)) return say("in short");
    return ++step < 4 ? say("hm")
                      : scripted::call(
                            {.id = "f", .name = "final_answer", .arguments = R"({"answer":"42"})"});
  });
  Session session = start({.compaction = {.window = 4, .summarise = true}});
  EXPECT_EQ(session.react("think", {}).answer, "42");
  const std::vector<Message> last = backend_->requests().back().messages;
  ASSERT_EQ(last.size(), 6U);
  EXPECT_NE(last[0].text.find("Goal: think"), std::string::npos);
  EXPECT_EQ(last[2].text, "in short");
  const Names lines = recorder_->lines();
  EXPECT_NE(std::find(lines.begin(), lines.end(), "context_compacted agent#1 in session#1"),
            lines.end());
}

TEST_F(SummaryTest, WhatIsSaidDuringASummaryIsAddedToIt) {
  std::latch asked(1);
  std::latch others_are_done(1);
  with_plugins({plugin([&](Subscriber& hooks) {
    hooks.observe<GenerationPreCall>([&](const GenerationPreCall& event) {
      if (event.target->component != "Summary") return;
      asked.count_down();
      others_are_done.wait();
    });
  })});
  Session session = overlong();
  std::jthread first([&] { session.chat("u4"); });
  asked.wait();
  EXPECT_EQ(session.chat("u5").text(), "u5");
  EXPECT_EQ(backend_->requests().back().messages.size(), 7U) << "it goes on with everything";
  others_are_done.count_down();
  first.join();
  Names expected = kSummedUp;
  for (const char* text : {"u5", "u5", "u4", "u4"}) expected.emplace_back(text);
  EXPECT_EQ(texts(session.context().messages()), expected);
  EXPECT_EQ(recorder_->count("context_compacted"), 1U);
}

TEST_F(SummaryTest, ASummaryOfWhatWasForgottenMeanwhileIsNoPartOfWhatFollows) {
  std::optional<Session> session;
  with_plugins({plugin([&](Subscriber& hooks) {
    hooks.observe<GenerationPreCall>([&](const GenerationPreCall& event) {
      if (event.target->component == "Summary") session->reset();
    });
  })});
  session = overlong();
  session->chat("u4");
  EXPECT_EQ(session->context().size(), 0U);
  session.reset();
}

TEST_F(SummaryTest, FromManyThreadsOneCallSumsUpAtATime) {
  std::atomic<int> at_once{0};
  with_plugins({plugin([&](Subscriber& hooks) {
    hooks.observe<ComponentPreExecute>([&](const ComponentPreExecute& event) {
      if (event.component == "Summary" && ++at_once > 1) ADD_FAILURE() << "two at once";
    });
    hooks.observe<ContextCompacted>([&](const ContextCompacted&) { --at_once; });
  })});
  Session session = overlong();
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 200; ++thread)
      threads.emplace_back([&, thread] {
        const std::string text = "t" + std::to_string(thread);
        EXPECT_EQ(session.chat(text).text(), text);
      });
  }
  session.chat("last");
  // What is not in the conversation is in what was given to be summed up.
  std::string all;
  for (const Request& request : backend_->requests())
    if (asks_for_a_summary(request)) all += request.messages[0].text + '\n';
  for (const Message& message : session.context().messages()) all += message.text + '\n';
  for (int thread = 0; thread < 200; ++thread) {
    const std::string text = "t" + std::to_string(thread) + '\n';
    EXPECT_NE(all.find(text), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace mellea
