// docs/events.md says in which order events come, and on which thread: each block of it that has a
// name is what the Recorder writes down of the calls below.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <latch>
#include <thread>

#include "mellea/runtime/session_for_test.h"

namespace mellea {
namespace {

using scripted::call;
using scripted::Line;
using scripted::say;

// The lines of the block "```text NAME".
Names documented(const std::string& name) {
  std::ifstream in(MELLEA_SOURCE_DIR "/docs/events.md");
  EXPECT_TRUE(in);
  Names lines;
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    if (inside && line == "```") break;
    if (inside) lines.push_back(line);
    if (line == "```text " + name) inside = true;
  }
  EXPECT_TRUE(inside) << name;
  return lines;
}

// Whether the answer has a word.
Requirement on(const std::string& word, bool wanted = true) {
  return Requirement(
      {.description = "about " + word, .check = [=](const Answer& answer, const Call&) {
         const bool has = answer.reply.text.find(word) != std::string::npos;
         return ValidationResult{.passed = has == wanted};
       }});
}

Tool look() {
  return Tool({.name = "look", .parameters = Json::parse(R"({"type":"object"})")},
              [](const Json&, const Call&) { return std::string("a cat"); });
}

Line asks_to_look() { return call({.id = "1", .name = "look", .arguments = "{}"}); }

class EventDocsTest : public SessionTest {
 protected:
  // What has been told since the session began, pieces of answers left out.
  Names told() const {
    Names lines;
    for (const std::string& line : recorder_->lines())
      if (!line.starts_with("generation_event")) lines.push_back(line);
    const auto begun = std::find(lines.begin(), lines.end(), "session_post_init session#1");
    if (begun != lines.end()) lines.erase(lines.begin(), begun + 1);
    return lines;
  }
};

TEST_F(EventDocsTest, OfASession) {
  Session session = start({.context = Context::chat()});
  session.reset();
  session.end();
  EXPECT_EQ(recorder_->lines(), documented("session"));
}

TEST_F(EventDocsTest, OfAnAction) {
  script(say("Hello."));
  Session session = start();
  session.chat("Hi");
  EXPECT_EQ(told(), documented("chat"));
}

TEST_F(EventDocsTest, OfAnActionThatFails) {
  script(Line()
             .chunk({.what = Notice{.kind = Notice::Kind::retry, .text = "again", .attempt = 1}})
             .fail(Error(Errc::server_error, "scripted: 500")));
  Session session = start();
  EXPECT_THROW(session.chat("Hi"), Error);
  EXPECT_EQ(told(), documented("failed"));
}

TEST_F(EventDocsTest, OfAnActionThatIsBlocked) {
  make_runtime({stops<ComponentPreExecute>()});
  Session session = start();
  EXPECT_THROW(session.chat("Hi"), Error);
  EXPECT_EQ(told(), documented("blocked"));
}

TEST_F(EventDocsTest, OfAnAnswerThatABlockedReplyFails) {
  make_runtime({stops<GenerationPostCall>()});
  script(say("Hello."));
  Session session = start();
  EXPECT_THROW(session.chat("Hi"), Error);
  EXPECT_EQ(told(), documented("blocked reply"));
}

TEST_F(EventDocsTest, OfAnActionThatIsCancelled) {
  script(Line().text("Hel").hang());
  Session session = start();
  Output output = session.start_chat("Hi");
  output.next();
  output.cancel();
  EXPECT_THROW(output.wait(), Error);
  EXPECT_EQ(told(), documented("cancelled"));
}

TEST_F(EventDocsTest, OfAnAnswerThatIsNotOfItsFormat) {
  script(say("[]"));
  const Json schema = Json::parse(R"({"type":"object"})");
  Session session = start();
  EXPECT_THROW(session.chat("Hi", {.format = Format{.name = "F", .schema = schema}}), Error);
  EXPECT_EQ(told(), documented("format"));
}

TEST_F(EventDocsTest, OfSampling) {
  script(say("land"));
  script(say("sea"));
  Session session = start();
  session.instruct("Write", {.requirements = {on("sea")}});
  EXPECT_EQ(told(), documented("sampling"));
}

TEST_F(EventDocsTest, OfAValidationByAJudge) {
  script(say("sea"));
  script(say("yes"));
  Session session = start();
  const Result answer = session.chat("Write");
  session.validate(answer, {Requirement("It rhymes.")});
  EXPECT_EQ(told(), documented("judge"));
}

TEST_F(EventDocsTest, OfTools) {
  script(asks_to_look());
  Session session = start();
  session.call_tools(session.chat("Hi", {.tools = {look()}}));
  EXPECT_EQ(told(), documented("tools"));
}

TEST_F(EventDocsTest, OfAnAgent) {
  script(asks_to_look());
  script(call({.id = "2", .name = "final_answer", .arguments = R"({"answer":"a cat"})"}));
  Session session = start();
  session.react("Look", {.tools = {look()}});
  EXPECT_EQ(told(), documented("agent"));
}

TEST_F(EventDocsTest, OfABatch) {
  script(Line().text("one").finish());
  Session session = start();
  session.generate_raw({"Hi"});
  EXPECT_EQ(told(), documented("batch"));
}

TEST_F(EventDocsTest, OfAStream) {
  script(Line().text("It rains. It").hang());
  script(say("The sun. It is warm."));
  Session session = start();
  Stream stream = session.stream("Write", {.chunking = Chunking::sentence(),
                                           .checks = {{.requirement = on("rain", false)}},
                                           .retries = 1});
  while (stream.next()) {
  }
  EXPECT_EQ(told(), documented("stream"));
}

TEST_F(EventDocsTest, OfAConversationThatForgets) {
  script(say("Hello."));
  Session session = start({.context = Context::chat(), .compaction = {.window = 1}});
  session.chat("Hi");
  EXPECT_EQ(told(), documented("window"));
}

TEST_F(EventDocsTest, OfAConversationThatIsSummedUp) {
  Context said = Context::chat();
  for (const char* text : {"a", "b", "c", "d", "e"}) said = said.add({.text = text});
  script(say("They said a to d."));
  script(say("Hello."));
  Session session = start({.context = said, .compaction = {.window = 4, .summarise = true}});
  session.chat("Hi");
  EXPECT_EQ(told(), documented("summary"));
}

// Which of the threads below an event was told on.
class ThreadDocsTest : public SessionTest {
 protected:
  void SetUp() override {
    make_runtime({plugin([this](Subscriber& hooks) {
      hooks.observe<GenerationPreCall>(
          [this](const auto&) { opened_ = std::this_thread::get_id(); });
      hooks.observe<GenerationPostCall>(
          [this](const auto&) { closed_ = std::this_thread::get_id(); });
      hooks.observe<SessionCleanup>([this](const auto&) { ended_ = std::this_thread::get_id(); });
    })});
    script(say("Hello."));
  }

  std::thread::id opened_;
  std::thread::id closed_;
  std::thread::id ended_;
};

TEST_F(ThreadDocsTest, ABlockingCallTellsAllOnTheCallersThread) {
  Session session = start();
  session.chat("Hi");
  session.end();
  EXPECT_EQ(opened_, std::this_thread::get_id());
  EXPECT_EQ(closed_, std::this_thread::get_id());
  EXPECT_EQ(ended_, std::this_thread::get_id());
}

TEST_F(ThreadDocsTest, WhatIsStartedIsToldOnTheThreadThatWaits) {
  Session session = start();
  Output output = session.start_chat("Hi");
  std::jthread waits([&] { output.wait(); });
  const std::thread::id waiter = waits.get_id();
  waits.join();
  EXPECT_EQ(opened_, std::this_thread::get_id());
  EXPECT_EQ(closed_, waiter);
}

TEST_F(ThreadDocsTest, WhatNobodyWaitsForIsToldOnAWorker) {
  {
    Session session = start();
    session.start_chat("Hi");
  }
  drain();
  EXPECT_EQ(opened_, std::this_thread::get_id());
  for (const std::thread::id& id : {closed_, ended_}) {
    EXPECT_NE(id, std::thread::id());
    EXPECT_NE(id, std::this_thread::get_id());
  }
}

TEST_F(ThreadDocsTest, AnAsynchronousCallTellsAllOnWorkers) {
  Session session = start();
  std::latch done(1);
  session.chat_async("Hi", {}, [&](const std::exception_ptr&, const std::optional<Result>&) {
    done.count_down();
  });
  done.wait();
  for (const std::thread::id& id : {opened_, closed_}) {
    EXPECT_NE(id, std::thread::id());
    EXPECT_NE(id, std::this_thread::get_id());
  }
}

}  // namespace
}  // namespace mellea
