// Which events a program's calls fire, in their order, and in which operation each is: the
// reference's sequences as they are here, and those that it lacks. A line is an event, its
// operation, the one around it, and how it ended.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "mellea/backends/scripted_backend.h"
#include "mellea/hooks/testing/recorder.h"
#include "mellea/mellea.h"

namespace mellea {
namespace {

using scripted::call;
using scripted::Line;
using scripted::say;

Requirement has(const std::string& word) { return contains(word); }

Tool weather() {
  return Tool({.name = "weather"}, [](const Json&, const Call&) { return std::string("sunny"); });
}
Tool broken() {
  return Tool({.name = "broken"},
              [](const Json&, const Call&) -> std::string { throw std::runtime_error("kaboom"); });
}

class SequencesTest : public ::testing::Test {
 protected:
  void script(std::initializer_list<Line> lines) {
    for (const Line& line : lines) backend_->add(line);
  }
  Session session(SessionOptions options = {}) {
    return runtime_->start_session(backend_, "demo", std::move(options));
  }

  // What was told, when the program is over, as one text. The beginning of public calls is left
  // out: it has no operation.
  std::string story() {
    runtime_.reset();
    EXPECT_EQ(recorder_->problems(), std::vector<std::string>{});
    std::string text = "\n";
    for (const std::string& line : recorder_->lines())
      if (!line.starts_with("call_begin")) text += line + '\n';
    return text;
  }

  // The same for what happens at once: the lines sorted. Each operation has its lines in order, or
  // the recorder would have found a problem.
  std::string sorted_story() {
    std::istringstream text(story());
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    std::sort(lines.begin(), lines.end());
    std::string sorted;
    for (const std::string& line : lines) sorted += line + '\n';
    return sorted;
  }

  const std::shared_ptr<ScriptedBackend> backend_ = std::make_shared<ScriptedBackend>();
  const std::shared_ptr<testing::Recorder> recorder_ =
      std::make_shared<testing::Recorder>(testing::Recorder::Options{.chunks = false});
  std::unique_ptr<Runtime> runtime_ =
      std::make_unique<Runtime>(RuntimeOptions{.plugins = {recorder_}});
};

// ---- The six of the reference

TEST_F(SequencesTest, AnInstructionWithNothingToCheckHasNoValidation) {
  script({say("the sea")});
  session().instruct("Write");
  EXPECT_EQ(story(), R"(
session_pre_init session#1
session_post_init session#1
component_pre_execute action#1 in session#1
sampling_loop_start sampling#1 in action#1
generation_pre_call generation#1 in sampling#1
generation_post_call generation#1 in sampling#1: ok
sampling_iteration sampling#1 in action#1
sampling_loop_end sampling#1 in action#1: ok
component_post_success action#1 in session#1: ok
session_cleanup session#1: ok
)");
}

TEST_F(SequencesTest, WithoutAStrategyThereIsNoSampling) {
  script({say("the sea")});
  session().instruct("Write", {.strategy = off});
  EXPECT_EQ(story(), R"(
session_pre_init session#1
session_post_init session#1
component_pre_execute action#1 in session#1
generation_pre_call generation#1 in action#1
generation_post_call generation#1 in action#1: ok
component_post_success action#1 in session#1: ok
session_cleanup session#1: ok
)");
}

TEST_F(SequencesTest, AnOutputThatIsReadLaterKeepsItsActionOpen) {
  script({say("the sea")});
  {
    Session running = session();
    Output output = running.start_instruct("Write");
    EXPECT_EQ(recorder_->count("component_post_success"), 0U);
    output.wait();
  }
  EXPECT_EQ(story(), R"(
session_pre_init session#1
session_post_init session#1
component_pre_execute action#1 in session#1
sampling_loop_start sampling#1 in action#1
generation_pre_call generation#1 in sampling#1
generation_post_call generation#1 in sampling#1: ok
sampling_iteration sampling#1 in action#1
sampling_loop_end sampling#1 in action#1: ok
component_post_success action#1 in session#1: ok
session_cleanup session#1: ok
)");
}

TEST_F(SequencesTest, TwoRequirementsFailOnceAndHoldThen) {
  script({say("rain"), say("no"), say("the sea"), say("yes")});
  session().instruct("Write", {.requirements = {"is calm", has("sea")}, .strategy = rejection(3)});
  EXPECT_EQ(story(), R"(
session_pre_init session#1
session_post_init session#1
component_pre_execute action#1 in session#1
sampling_loop_start sampling#1 in action#1
generation_pre_call generation#1 in sampling#1
generation_post_call generation#1 in sampling#1: ok
validation_pre_check validation#1 in sampling#1
generation_pre_call generation#2 in validation#1
user_code_begin validation#1 in sampling#1
generation_post_call generation#2 in validation#1: ok
validation_post_check validation#1 in sampling#1: ok
sampling_iteration sampling#1 in action#1
sampling_repair sampling#1 in action#1
generation_pre_call generation#3 in sampling#1
generation_post_call generation#3 in sampling#1: ok
validation_pre_check validation#2 in sampling#1
generation_pre_call generation#4 in validation#2
user_code_begin validation#2 in sampling#1
generation_post_call generation#4 in validation#2: ok
validation_post_check validation#2 in sampling#1: ok
sampling_iteration sampling#1 in action#1
sampling_loop_end sampling#1 in action#1: ok
component_post_success action#1 in session#1: ok
session_cleanup session#1: ok
)");
}

TEST_F(SequencesTest, ASpentBudgetEndsWell) {
  script({say("rain"), say("snow")});
  session().instruct("Write", {.requirements = {has("sea")}});
  EXPECT_EQ(story(), R"(
session_pre_init session#1
session_post_init session#1
component_pre_execute action#1 in session#1
sampling_loop_start sampling#1 in action#1
generation_pre_call generation#1 in sampling#1
generation_post_call generation#1 in sampling#1: ok
validation_pre_check validation#1 in sampling#1
user_code_begin validation#1 in sampling#1
validation_post_check validation#1 in sampling#1: ok
sampling_iteration sampling#1 in action#1
sampling_repair sampling#1 in action#1
generation_pre_call generation#2 in sampling#1
generation_post_call generation#2 in sampling#1: ok
validation_pre_check validation#2 in sampling#1
user_code_begin validation#2 in sampling#1
validation_post_check validation#2 in sampling#1: ok
sampling_iteration sampling#1 in action#1
sampling_loop_end sampling#1 in action#1: ok
component_post_success action#1 in session#1: ok
session_cleanup session#1: ok
)");
}

TEST_F(SequencesTest, ACheckThatThrowsIsAnErrorOfAllAroundIt) {
  script({say("rain")});
  const Requirement breaks(
      {.name = "breaks", .check = [](const Answer&, const Call&) -> ValidationResult {
         throw std::runtime_error("kaboom");
       }});
  EXPECT_THROW(session().instruct("Write", {.requirements = {breaks}}), Error);
  EXPECT_EQ(story(), R"(
session_pre_init session#1
session_post_init session#1
component_pre_execute action#1 in session#1
sampling_loop_start sampling#1 in action#1
generation_pre_call generation#1 in sampling#1
generation_post_call generation#1 in sampling#1: ok
validation_pre_check validation#1 in sampling#1
user_code_begin validation#1 in sampling#1
validation_post_check validation#1 in sampling#1: error unknown
sampling_loop_end sampling#1 in action#1: error unknown
component_post_error action#1 in session#1: error unknown
session_cleanup session#1: ok
)");
}

TEST_F(SequencesTest, ToolsThatTheModelAskedFor) {
  Line asked;
  asked.tool_call({.id = "a", .name = "weather", .arguments = "{}"}, 0);
  asked.tool_call({.id = "b", .name = "broken", .arguments = "{}"}, 1);
  script({asked.finish("tool_calls")});
  {
    const Session running = session();
    const Result asks = running.chat("Look", {.tools = {weather(), broken()}});
    running.call_tools(asks);
  }
  EXPECT_EQ(story(), R"(
session_pre_init session#1
session_post_init session#1
component_pre_execute action#1 in session#1
generation_pre_call generation#1 in action#1
generation_post_call generation#1 in action#1: ok
component_post_success action#1 in session#1: ok
tool_pre_invoke tool#1 in session#1
user_code_begin tool#1 in session#1
tool_post_invoke tool#1 in session#1: ok
tool_pre_invoke tool#2 in session#1
user_code_begin tool#2 in session#1
tool_post_invoke tool#2 in session#1: error unknown
session_cleanup session#1: ok
)");
}

TEST_F(SequencesTest, AStreamWhoseSecondSentenceFails) {
  script({Line().text("Hello world. ").text("This is bad. ").text("And more.").hang()});
  {
    const Session running = session();
    Stream stream = running.stream(
        "Write", {.chunking = Chunking::sentence(), .checks = {{not_contains("bad")}}});
    stream.wait();
  }
  EXPECT_EQ(story(), R"(
session_pre_init session#1
session_post_init session#1
streaming_start stream#1 in session#1
generation_pre_call generation#1 in stream#1
user_code_begin stream#1 in session#1
streaming_event stream#1 in session#1: quick_check 0 passed
streaming_event stream#1 in session#1: chunk 0
user_code_begin stream#1 in session#1
streaming_event stream#1 in session#1: quick_check 1 failed
generation_post_call generation#1 in stream#1: cancelled requirement_failed
streaming_event stream#1 in session#1: completed
streaming_end stream#1 in session#1: ok, no success
session_cleanup session#1: ok
)");
}

TEST_F(SequencesTest, AStreamThatIsValidatedAsAWhole) {
  script({say("Hello world. All is well."), say("yes")});
  {
    const Session running = session();
    Stream stream = running.stream("Write", {.chunking = Chunking::sentence(),
                                             .checks = {{not_contains("bad")}},
                                             .requirements = {"is calm"}});
    stream.wait();
  }
  EXPECT_EQ(story(), R"(
session_pre_init session#1
session_post_init session#1
streaming_start stream#1 in session#1
generation_pre_call generation#1 in stream#1
user_code_begin stream#1 in session#1
streaming_event stream#1 in session#1: quick_check 0 passed
streaming_event stream#1 in session#1: chunk 0
generation_post_call generation#1 in stream#1: ok
user_code_begin stream#1 in session#1
streaming_event stream#1 in session#1: quick_check 1 passed
streaming_event stream#1 in session#1: chunk 1
streaming_event stream#1 in session#1: streaming_done
validation_pre_check validation#1 in stream#1
generation_pre_call generation#2 in validation#1
generation_post_call generation#2 in validation#1: ok
validation_post_check validation#1 in stream#1: ok
streaming_event stream#1 in session#1: full_validation passed
streaming_event stream#1 in session#1: completed
streaming_end stream#1 in session#1: ok
session_cleanup session#1: ok
)");
}

TEST_F(SequencesTest, ABatchOfThree) {
  Line answers;
  for (int i = 0; i < 3; ++i) answers.chunk({.index = i, .what = std::string("and so on")});
  script({answers});
  EXPECT_EQ(session().generate_raw({"a", "b", "c"}).replies.size(), 3U);
  EXPECT_EQ(story(), R"(
session_pre_init session#1
session_post_init session#1
generation_batch_pre_call batch#1 in session#1
generation_batch_post_call batch#1 in session#1: ok
session_cleanup session#1: ok
)");
}

TEST_F(SequencesTest, ABatchThatIsRefused) {
  script({scripted::fail(Errc::rate_limit, "scripted: 429")});
  EXPECT_THROW(session().generate_raw({"a", "b", "c"}), Error);
  EXPECT_EQ(story(), R"(
session_pre_init session#1
session_post_init session#1
generation_batch_pre_call batch#1 in session#1
generation_batch_error batch#1 in session#1: error rate_limit
session_cleanup session#1: ok
)");
}

TEST_F(SequencesTest, ARateLimitDuringAChat) {
  script({scripted::fail(Errc::rate_limit, "scripted: 429")});
  EXPECT_THROW(session().chat("Write"), Error);
  EXPECT_EQ(story(), R"(
session_pre_init session#1
session_post_init session#1
component_pre_execute action#1 in session#1
generation_pre_call generation#1 in action#1
generation_error generation#1 in action#1: error rate_limit
component_post_error action#1 in session#1: error rate_limit
session_cleanup session#1: ok
)");
}

// ---- And those that it lacks

TEST_F(SequencesTest, ACancelledCallIsNoError) {
  script({Line().text("the ").hang()});
  {
    Session running = session();
    Output output = running.start_chat("Write");
    output.cancel();
    EXPECT_THROW(output.wait(), Error);
  }
  EXPECT_EQ(story(), R"(
session_pre_init session#1
session_post_init session#1
component_pre_execute action#1 in session#1
generation_pre_call generation#1 in action#1
generation_post_call generation#1 in action#1: cancelled consumer
component_post_success action#1 in session#1: cancelled consumer
session_cleanup session#1: ok
)");
}

TEST_F(SequencesTest, ABlockBeforeTheRequestEndsWhatHadBegun) {
  struct Stops : Plugin {
    std::string_view name() const override { return "stops"; }
    void subscribe(Subscriber& hooks) override {
      hooks.intercept<GenerationPreCall>(
          [](GenerationPreCall&) { return Verdict::stop({.reason = "no"}); });
    }
  };
  const Session running = session().with(Plugins{std::make_shared<Stops>()});
  EXPECT_THROW(running.chat("Write"), Error);
  EXPECT_EQ(story(), R"(
session_pre_init session#1
session_post_init session#1
component_pre_execute action#1 in session#1
generation_pre_call generation#1 in action#1: stopped
generation_error generation#1 in action#1: blocked
component_post_error action#1 in session#1: blocked
session_cleanup session#1: ok
)");
}

TEST_F(SequencesTest, ARepairThatIsTold) {
  script({say("rain"), say("the sea")});
  session().instruct("Write", {.requirements = {has("sea")}, .strategy = repair(2)});
  EXPECT_EQ(story(), R"(
session_pre_init session#1
session_post_init session#1
component_pre_execute action#1 in session#1
sampling_loop_start sampling#1 in action#1
generation_pre_call generation#1 in sampling#1
generation_post_call generation#1 in sampling#1: ok
validation_pre_check validation#1 in sampling#1
user_code_begin validation#1 in sampling#1
validation_post_check validation#1 in sampling#1: ok
sampling_iteration sampling#1 in action#1
sampling_repair sampling#1 in action#1
generation_pre_call generation#2 in sampling#1
generation_post_call generation#2 in sampling#1: ok
validation_pre_check validation#2 in sampling#1
user_code_begin validation#2 in sampling#1
validation_post_check validation#2 in sampling#1: ok
sampling_iteration sampling#1 in action#1
sampling_loop_end sampling#1 in action#1: ok
component_post_success action#1 in session#1: ok
session_cleanup session#1: ok
)");
}

TEST_F(SequencesTest, TheBestOfTwoIsChosenOnceBothWereChecked) {
  script({say("the sea"), say("the deep sea")});
  const auto length = [](const Answer& answer, const Call&) {
    return static_cast<double>(answer.reply.text.size());
  };
  const Result best =
      session().instruct("Write", {.requirements = {has("sea")}, .strategy = best_of_n(2, length)});
  EXPECT_EQ(best.text(), "the deep sea");
  EXPECT_EQ(sorted_story(), R"(
component_post_success action#1 in session#1: ok
component_pre_execute action#1 in session#1
generation_post_call generation#1 in sampling#1: ok
generation_post_call generation#2 in sampling#1: ok
generation_pre_call generation#1 in sampling#1
generation_pre_call generation#2 in sampling#1
sampling_iteration sampling#1 in action#1
sampling_iteration sampling#1 in action#1
sampling_loop_end sampling#1 in action#1: ok
sampling_loop_start sampling#1 in action#1
session_cleanup session#1: ok
session_post_init session#1
session_pre_init session#1
user_code_begin sampling#1 in action#1
user_code_begin sampling#1 in action#1
user_code_begin sampling#1 in action#1
user_code_begin validation#1 in sampling#1
user_code_begin validation#2 in sampling#1
validation_post_check validation#1 in sampling#1: ok
validation_post_check validation#2 in sampling#1: ok
validation_pre_check validation#1 in sampling#1
validation_pre_check validation#2 in sampling#1
)");
}

TEST_F(SequencesTest, TheMajorityOfThree) {
  script({say("42"), say("42"), say("42")});
  session().instruct("Count", {.strategy = majority(3)});
  EXPECT_EQ(sorted_story(), R"(
component_post_success action#1 in session#1: ok
component_pre_execute action#1 in session#1
generation_post_call generation#1 in sampling#1: ok
generation_post_call generation#2 in sampling#1: ok
generation_post_call generation#3 in sampling#1: ok
generation_pre_call generation#1 in sampling#1
generation_pre_call generation#2 in sampling#1
generation_pre_call generation#3 in sampling#1
sampling_iteration sampling#1 in action#1
sampling_iteration sampling#1 in action#1
sampling_iteration sampling#1 in action#1
sampling_loop_end sampling#1 in action#1: ok
sampling_loop_start sampling#1 in action#1
session_cleanup session#1: ok
session_post_init session#1
session_pre_init session#1
user_code_begin sampling#1 in action#1
)");
}

TEST_F(SequencesTest, OfCandidatesTheOneThatFailsIsNoFailureOfTheOthers) {
  script({say("rain"), say("the sea")});
  const auto alike = [](const Answer&, const Call&) { return 1.0; };
  EXPECT_TRUE(
      session()
          .instruct("Write", {.requirements = {has("sea")}, .strategy = best_of_n(2, alike)})
          .ok());
  EXPECT_EQ(sorted_story(), R"(
component_post_success action#1 in session#1: ok
component_pre_execute action#1 in session#1
generation_post_call generation#1 in sampling#1: ok
generation_post_call generation#2 in sampling#1: ok
generation_pre_call generation#1 in sampling#1
generation_pre_call generation#2 in sampling#1
sampling_iteration sampling#1 in action#1
sampling_iteration sampling#1 in action#1
sampling_loop_end sampling#1 in action#1: ok
sampling_loop_start sampling#1 in action#1
session_cleanup session#1: ok
session_post_init session#1
session_pre_init session#1
user_code_begin sampling#1 in action#1
user_code_begin sampling#1 in action#1
user_code_begin validation#1 in sampling#1
user_code_begin validation#2 in sampling#1
validation_post_check validation#1 in sampling#1: ok
validation_post_check validation#2 in sampling#1: ok
validation_pre_check validation#1 in sampling#1
validation_pre_check validation#2 in sampling#1
)");
}

TEST_F(SequencesTest, AnAgentUntilItsFinalAnswer) {
  script({call({.id = "w", .name = "weather", .arguments = "{}"}),
          call({.id = "f", .name = "final_answer", .arguments = R"({"answer":"sunny"})"})});
  session().react("How is the weather?", {.tools = {weather()}});
  EXPECT_EQ(story(), R"(
session_pre_init session#1
session_post_init session#1
agent_start agent#1 in session#1
component_pre_execute action#1 in agent#1
generation_pre_call generation#1 in action#1
generation_post_call generation#1 in action#1: ok
component_post_success action#1 in agent#1: ok
tool_pre_invoke tool#1 in agent#1
user_code_begin tool#1 in agent#1
tool_post_invoke tool#1 in agent#1: ok
component_pre_execute action#2 in agent#1
generation_pre_call generation#2 in action#2
generation_post_call generation#2 in action#2: ok
component_post_success action#2 in agent#1: ok
tool_pre_invoke tool#2 in agent#1
user_code_begin tool#2 in agent#1
tool_post_invoke tool#2 in agent#1: ok
agent_end agent#1 in session#1: ok
session_cleanup session#1: ok
)");
}

TEST_F(SequencesTest, AConversationThatIsShortened) {
  script({say("one"), say("two")});
  {
    const Session running = session({.context = Context::chat(), .compaction = {.window = 2}});
    running.chat("first");
    running.chat("second");
  }
  EXPECT_EQ(story(), R"(
session_pre_init session#1
session_post_init session#1
component_pre_execute action#1 in session#1
generation_pre_call generation#1 in action#1
generation_post_call generation#1 in action#1: ok
component_post_success action#1 in session#1: ok
component_pre_execute action#2 in session#1
generation_pre_call generation#2 in action#2
generation_post_call generation#2 in action#2: ok
context_compacted action#2 in session#1
component_post_success action#2 in session#1: ok
session_cleanup session#1: ok
)");
}

TEST_F(SequencesTest, AConversationThatIsSummedUp) {
  script({say("one"), say("two"), say("three"), say("a summary"), say("four")});
  {
    const Session running =
        session({.context = Context::chat(), .compaction = {.window = 4, .summarise = true}});
    for (const char* text : {"first", "second", "third", "fourth"}) running.chat(text);
  }
  EXPECT_EQ(story(), R"(
session_pre_init session#1
session_post_init session#1
component_pre_execute action#1 in session#1
generation_pre_call generation#1 in action#1
generation_post_call generation#1 in action#1: ok
component_post_success action#1 in session#1: ok
component_pre_execute action#2 in session#1
generation_pre_call generation#2 in action#2
generation_post_call generation#2 in action#2: ok
component_post_success action#2 in session#1: ok
component_pre_execute action#3 in session#1
generation_pre_call generation#3 in action#3
generation_post_call generation#3 in action#3: ok
component_post_success action#3 in session#1: ok
component_pre_execute action#4 in session#1
component_pre_execute action#5 in action#4
generation_pre_call generation#4 in action#5
generation_post_call generation#4 in action#5: ok
component_post_success action#5 in action#4: ok
context_compacted action#4 in session#1
generation_pre_call generation#5 in action#4
generation_post_call generation#5 in action#4: ok
component_post_success action#4 in session#1: ok
session_cleanup session#1: ok
)");
}

TEST_F(SequencesTest, ASessionWithinAToolIsBelowIt) {
  script({call({.id = "a", .name = "ask", .arguments = "{}"}), say("inside")});
  {
    const Session running = session();
    const Tool ask({.name = "ask"}, [&](const Json&, const Call& call) {
      return running.within(call).chat("Tell me").text();
    });
    running.call_tools(running.chat("Look", {.tools = {ask}}));
  }
  EXPECT_EQ(story(), R"(
session_pre_init session#1
session_post_init session#1
component_pre_execute action#1 in session#1
generation_pre_call generation#1 in action#1
generation_post_call generation#1 in action#1: ok
component_post_success action#1 in session#1: ok
tool_pre_invoke tool#1 in session#1
user_code_begin tool#1 in session#1
component_pre_execute action#2 in tool#1
generation_pre_call generation#2 in action#2
generation_post_call generation#2 in action#2: ok
component_post_success action#2 in tool#1: ok
tool_post_invoke tool#1 in session#1: ok
session_cleanup session#1: ok
)");
}

TEST_F(SequencesTest, AStreamThatIsAskedForAgain) {
  script({say("bad."), say("good.")});
  {
    const Session running = session();
    Stream stream = running.stream(
        "Write",
        {.chunking = Chunking::sentence(), .checks = {{not_contains("bad")}}, .retries = 1});
    EXPECT_EQ(stream.wait().text(), "good.");
  }
  EXPECT_EQ(story(), R"(
session_pre_init session#1
session_post_init session#1
streaming_start stream#1 in session#1
generation_pre_call generation#1 in stream#1
generation_post_call generation#1 in stream#1: ok
user_code_begin stream#1 in session#1
streaming_event stream#1 in session#1: quick_check 0 failed
streaming_event stream#1 in session#1: retry 1
generation_pre_call generation#2 in stream#1
generation_post_call generation#2 in stream#1: ok
user_code_begin stream#1 in session#1
streaming_event stream#1 in session#1: quick_check 0 passed
streaming_event stream#1 in session#1: chunk 0
streaming_event stream#1 in session#1: streaming_done
streaming_event stream#1 in session#1: completed
streaming_end stream#1 in session#1: ok
session_cleanup session#1: ok
)");
}

TEST_F(SequencesTest, ASessionThatIsResetGoesOnUnderAnotherConversation) {
  script({say("one"), say("two")});
  {
    Session running = session({.context = Context::chat()});
    running.chat("first");
    running.reset();
    running.chat("second");
  }
  EXPECT_EQ(story(), R"(
session_pre_init session#1
session_post_init session#1
component_pre_execute action#1 in session#1
generation_pre_call generation#1 in action#1
generation_post_call generation#1 in action#1: ok
component_post_success action#1 in session#1: ok
session_reset session#1
component_pre_execute action#2 in session#1
generation_pre_call generation#2 in action#2
generation_post_call generation#2 in action#2: ok
component_post_success action#2 in session#1: ok
session_cleanup session#1: ok
)");
}

}  // namespace
}  // namespace mellea
