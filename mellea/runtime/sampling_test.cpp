#include "mellea/runtime/sampling.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <latch>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "mellea/runtime/component.h"
#include "mellea/runtime/session_for_test.h"

namespace mellea {
namespace {

using namespace std::chrono_literals;
using scripted::Line;
using scripted::say;

// What the answer has to contain.
Requirement has(std::string word) {
  return Requirement(Requirement::Parts{
      .name = "has_" + word,
      .description = "says " + word,
      .check = [word](const Answer& answer, const Call&) -> ValidationResult {
        const bool passed = answer.reply.text.find(word) != std::string::npos;
        return {.passed = passed, .reason = passed ? "" : "it does not say " + word};
      }});
}

Requirement throws() {
  return Requirement(
      Requirement::Parts{.check = [](const Answer&, const Call&) -> ValidationResult {
        throw std::runtime_error("the check broke");
      }});
}

// What was told from the first action on, with the operations that it is about.
class SamplingTest : public SessionTest {
 protected:
  std::vector<std::string> told() const {
    std::vector<std::string> lines;
    for (const std::string& line : recorder_->lines())
      if (!line.starts_with("session_") && !line.starts_with("call_begin") &&
          !line.starts_with("user_code_begin") && !line.starts_with("generation_event"))
        lines.push_back(line);
    return lines;
  }
  // The last message of each request.
  std::vector<std::string> asked() const {
    std::vector<std::string> texts;
    for (const Request& request : backend_->requests())
      texts.push_back(request.messages.back().text);
    return texts;
  }
};

TEST_F(SamplingTest, AnInstructionWithoutRequirementsIsSampledOnceAndNotValidated) {
  script(say("Tides."));
  const Result result = start().instruct("A word about the sea");
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(result.attempts().size(), 1U);
  EXPECT_EQ(told(), (Names{
                        "component_pre_execute action#1 in session#1",
                        "sampling_loop_start sampling#1 in action#1",
                        "generation_pre_call generation#1 in sampling#1",
                        "generation_post_call generation#1 in sampling#1: ok",
                        "sampling_iteration sampling#1 in action#1",
                        "sampling_loop_end sampling#1 in action#1: ok",
                        "component_post_success action#1 in session#1: ok",
                    }));
}

TEST_F(SamplingTest, TwoRequirementsOneJudgedAreCheckedAfterEachAttempt) {
  backend_ = std::make_shared<ScriptedBackend>([times = 0](const Request& request) mutable {
    const bool judging = request.messages.back().text.find("rhymes") != std::string::npos;
    if (!judging) return say(++times == 1 ? "land" : "sea");
    return say(times == 1 ? "no" : "yes");
  });
  const Result result = start().instruct(
      "Write", {.requirements = {Requirement("rhymes").checked_only(), has("sea").checked_only()},
                .strategy = rejection(3)});
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(result.text(), "sea");
  ASSERT_EQ(result.attempts().size(), 2U);
  EXPECT_FALSE(result.attempts()[0].ok());
  EXPECT_EQ(told(), (Names{
                        "component_pre_execute action#1 in session#1",
                        "sampling_loop_start sampling#1 in action#1",
                        "generation_pre_call generation#1 in sampling#1",
                        "generation_post_call generation#1 in sampling#1: ok",
                        "validation_pre_check validation#1 in sampling#1",
                        "generation_pre_call generation#2 in validation#1",
                        "generation_post_call generation#2 in validation#1: ok",
                        "validation_post_check validation#1 in sampling#1: ok",
                        "sampling_iteration sampling#1 in action#1",
                        "sampling_repair sampling#1 in action#1",
                        "generation_pre_call generation#3 in sampling#1",
                        "generation_post_call generation#3 in sampling#1: ok",
                        "validation_pre_check validation#2 in sampling#1",
                        "generation_pre_call generation#4 in validation#2",
                        "generation_post_call generation#4 in validation#2: ok",
                        "validation_post_check validation#2 in sampling#1: ok",
                        "sampling_iteration sampling#1 in action#1",
                        "sampling_loop_end sampling#1 in action#1: ok",
                        "component_post_success action#1 in session#1: ok",
                    }));
}

TEST_F(SamplingTest, ASpentBudgetIsNoErrorAndTheFirstAttemptIsTheAnswer) {
  script(say("one"));
  script(say("two"));
  const Result result = start().instruct("Write", {.requirements = {has("sea")}});
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.text(), "one");
  ASSERT_EQ(result.failures().size(), 1U);
  EXPECT_EQ(result.failures()[0].requirement, "has_sea");
  EXPECT_EQ(result.failures()[0].reason, "it does not say sea");
  EXPECT_EQ(recorder_->count("sampling_iteration"), 2U);
  EXPECT_EQ(recorder_->count("sampling_repair"), 1U);
  EXPECT_EQ(recorder_->count("component_post_success"), 1U);
}

TEST_F(SamplingTest, RejectionAsksTheSameAgain) {
  script(say("one"));
  script(say("sea"));
  EXPECT_TRUE(start().instruct("Write", {.requirements = {has("sea")}}).ok());
  ASSERT_EQ(asked().size(), 2U);
  EXPECT_EQ(asked()[0], asked()[1]);
}

TEST_F(SamplingTest, MultiTurnTellsTheModelWhatWasWrongAndTheConversationGrows) {
  script(say("one"));
  script(say("sea"));
  Session session = start({.context = Context::chat()});
  EXPECT_TRUE(
      session.instruct("Write", {.requirements = {has("sea")}, .strategy = multi_turn(2)}).ok());
  const std::vector<Message> second = backend_->requests()[1].messages;
  ASSERT_EQ(second.size(), 3U);
  EXPECT_EQ(second[1].text, "one");
  EXPECT_NE(second[2].text.find("* it does not say sea"), std::string::npos);
  EXPECT_EQ(session.context().size(), 4U);
}

TEST_F(SamplingTest, OnlyTheChosenAttemptIsRememberedAfterRejection) {
  script(say("one"));
  script(say("sea"));
  Session session = start({.context = Context::chat()});
  session.instruct("Write", {.requirements = {has("sea")}});
  ASSERT_EQ(session.context().size(), 2U);
  EXPECT_EQ(session.context().messages()[1].text, "sea");
}

TEST_F(SamplingTest, ACheckThatThrowsEndsTheCallAndEachOperationOnce) {
  script(say("one"));
  const Error error = error_of([&] { start().instruct("Write", {.requirements = {throws()}}); });
  EXPECT_EQ(error.code(), Errc::unknown);
  EXPECT_STREQ(error.what(), "requirement \"function\": the check broke");
  drain();
  EXPECT_EQ(recorder_->count("validation_post_check"), 1U);
  EXPECT_EQ(recorder_->count("sampling_iteration"), 0U);
  EXPECT_EQ(recorder_->count("sampling_loop_end"), 1U);
  EXPECT_EQ(recorder_->count("component_post_error"), 1U);
}

TEST_F(SamplingTest, WhereOneCheckThrowsTheJudgementsStillOnTheirWayAreCutOff) {
  backend_ = std::make_shared<ScriptedBackend>([](const Request& request) {
    return request.messages.back().text == "Write" ? say("one") : Line().hang();
  });
  const Error error = error_of([&] {
    start().instruct("Write", {.requirements = {Requirement("a").checked_only(), throws()}});
  });
  EXPECT_STREQ(error.what(), "requirement \"function\": the check broke");
  EXPECT_EQ(outcomes("generation"), (Names{"ok", "cancelled parent"}));
}

TEST_F(SamplingTest, TheFirstGoodCandidateWinsAndTheOthersAreSuperseded) {
  backend_ = std::make_shared<ScriptedBackend>([first = true](const Request&) mutable {
    return std::exchange(first, false) ? say("sea") : Line().hang();
  });
  const Result result = start().instruct(
      "Write", {.requirements = {has("sea")}, .strategy = in_parallel(rejection(2), 3)});
  EXPECT_EQ(result.text(), "sea");
  EXPECT_EQ(result.attempts().size(), 1U);
  std::multiset<std::string> ends;
  for (const std::string& end : outcomes("generation")) ends.insert(end);
  EXPECT_EQ(ends.count("ok"), 1U);
  EXPECT_EQ(ends.count("cancelled superseded") + 1, ends.size());
}

TEST_F(SamplingTest, BestOfNTakesTheHighestScoreOfThoseThatMeetTheRequirements) {
  script(say("the longest of all, but dry"));
  script(say("sea"));
  script(say("sea and sky"));
  const Strategy strategy = best_of_n(3, [](const Answer& answer, const Call&) {
    return static_cast<double>(answer.reply.text.size());
  });
  const Result result =
      start().instruct("Write", {.requirements = {has("sea")}, .strategy = strategy});
  EXPECT_EQ(result.text(), "sea and sky");
  EXPECT_EQ(result.attempts().size(), 3U);
  std::set<int> iterations;
  for (const Attempt& attempt : result.attempts()) iterations.insert(attempt.iteration);
  EXPECT_EQ(iterations, (std::set<int>{1, 2, 3}));
}

TEST_F(SamplingTest, TheMajorityIsTheAnswer) {
  for (const char* text : {"41", "42", "40", "42"}) script(say(text));
  EXPECT_EQ(start().instruct("6 times 7?", {.strategy = majority(4)}).text(), "42");
}

TEST_F(SamplingTest, AnAnswerThatIsNotOfItsFormatIsTriedAgain) {
  script(say("not JSON"));
  script(say(R"({"n":1})"));
  const Format format{
      .name = "Number",
      .schema = Json::parse(
          R"({"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]})")};
  const Result result = start().instruct("A number", {.format = format});
  EXPECT_EQ(result.text(), R"({"n":1})");
  EXPECT_EQ(recorder_->count("generation_parse_error"), 1U);
  EXPECT_EQ(recorder_->count("generation_error"), 0U);
}

TEST_F(SamplingTest, AnAnswerThatIsNeverOfItsFormatIsAnErrorWithTheText) {
  const Format format{.name = "Number", .schema = Json::parse(R"({"type":"integer"})")};
  script(say("one"));
  script(say("two"));
  const Error sampled = error_of([&] { start().instruct("A number", {.format = format}); });
  EXPECT_EQ(sampled.code(), Errc::parse_error);
  EXPECT_EQ(sampled.partial_text(), "one");
  script(say("three"));
  const Error single = error_of([&] { start().chat("A number", {.format = format}); });
  EXPECT_EQ(single.code(), Errc::parse_error);
  EXPECT_TRUE(sampled.details().unfit);
  EXPECT_TRUE(single.details().unfit);
  EXPECT_EQ(single.partial_text(), "three");
  drain();
  EXPECT_EQ(recorder_->count("generation_parse_error"), 3U);
  EXPECT_EQ(recorder_->count("component_post_error"), 2U);
}

TEST_F(SamplingTest, RequirementsThatNothingWouldCheckAreRefused) {
  const Error error = error_of([&] { start().chat("hi", {.requirements = {"is polite"}}); });
  EXPECT_EQ(error.code(), Errc::invalid_request);
  EXPECT_STREQ(error.what(),
               "requirement \"is polite\": without a strategy nothing would check it: "
               "instruct() has one, and chat() and act() take one");
  EXPECT_TRUE(backend_->requests().empty());
}

TEST_F(SamplingTest, APluginMayChangeRequirementsBudgetAndVerdicts) {
  make_runtime({plugin([](Subscriber& hooks) {
    hooks.transform<SamplingLoopStart>([](SamplingLoopStart& event) {
      event.requirements = {has("moon")};
      event.budget = 3;
    });
    hooks.transform<ValidationPostCheck>([](ValidationPostCheck& event) {
      for (Checked& checked : event.checks) checked.result.passed = true;
    });
  })});
  script(say("land"));
  const Result result = start().instruct("Write", {.requirements = {has("sea")}});
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(result.attempts()[0].checks[0].requirement.name(), "has_moon");
}

TEST_F(SamplingTest, ABudgetBelowOneIsAnErrorThatIsTold) {
  make_runtime({plugin([](Subscriber& hooks) {
    hooks.transform<SamplingLoopStart>([](SamplingLoopStart& event) { event.budget = 0; });
  })});
  EXPECT_EQ(error_of([&] { start().instruct("Write"); }).code(), Errc::invalid_request);
  EXPECT_EQ(recorder_->count("sampling_loop_end"), 1U);
  EXPECT_EQ(recorder_->count("component_post_error"), 1U);
}

TEST_F(SamplingTest, ABlockAtAnyMomentEndsWhatHadBegun) {
  const auto blocked = [&](std::shared_ptr<Plugin> plugin) {
    backend_ = std::make_shared<ScriptedBackend>(ScriptedOptions{.echo = true});
    make_runtime({std::move(plugin)});
    return error_of([&] { start().instruct("Write", {.requirements = {has("x")}}); }).code();
  };
  EXPECT_EQ(blocked(stops<SamplingLoopStart>()), Errc::blocked);
  EXPECT_EQ(blocked(stops<ValidationPreCheck>()), Errc::blocked);
  EXPECT_EQ(blocked(stops<ValidationPostCheck>()), Errc::blocked);
  EXPECT_EQ(blocked(stops<GenerationPreCall>()), Errc::blocked);
  EXPECT_EQ(blocked(stops<GenerationPostCall>()), Errc::blocked);
  drain();
  EXPECT_EQ(recorder_->open_operations(), Names{});
}

TEST_F(SamplingTest, ACallThatIsCancelledWhileItIsCheckedIsCancelledAsAWhole) {
  script(say("one"));
  std::stop_source stop;
  const Requirement cancels(Requirement::Parts{.check = [&](const Answer&, const Call& call) {
    stop.request_stop();
    EXPECT_TRUE(call.stop.stop_requested());
    return ValidationResult{.passed = false};
  }});
  const Error error = error_of(
      [&] { start().instruct("Write", {.requirements = {cancels}, .stop = stop.get_token()}); });
  EXPECT_EQ(error.code(), Errc::cancelled);
  EXPECT_EQ(outcomes("action"), (Names{"cancelled caller"}));
  EXPECT_EQ(backend_->requests().size(), 1U);
}

TEST_F(SamplingTest, ACheckMayCallTheSessionBelowItself) {
  backend_ = std::make_shared<ScriptedBackend>(ScriptedOptions{.echo = true});
  Session session = start();
  const Requirement asks(Requirement::Parts{.check = [&](const Answer&, const Call& call) {
    return ValidationResult{.passed = session.within(call).chat("fine?").text() == "fine?"};
  }});
  EXPECT_TRUE(session.instruct("Write", {.requirements = {asks}}).ok());
  const Names lines = told();
  EXPECT_NE(std::find(lines.begin(), lines.end(), "component_pre_execute action#2 in validation#1"),
            lines.end());
}

TEST_F(SamplingTest, SlowChecksRunBesideEachOther) {
  script(say("one"));
  const auto both = std::make_shared<std::latch>(2);
  const auto meets = [&] {
    return Requirement(Requirement::Parts{.check =
                                              [both](const Answer&, const Call&) {
                                                both->arrive_and_wait();
                                                return ValidationResult{.passed = true};
                                              },
                                          .slow = true});
  };
  EXPECT_TRUE(start().instruct("Write", {.requirements = {meets(), meets()}}).ok());
}

TEST_F(SamplingTest, StartedCallsGiveOneAnswerAndRefuseWhatNeedsMore) {
  for (int i = 0; i < 5; ++i) script(say("Tides."));
  Session session = start();
  const Result result = session.start_instruct("A word").wait();
  EXPECT_EQ(result.attempts().size(), 1U);
  EXPECT_EQ(recorder_->count("sampling_loop_end"), 1U);
  const std::vector<CallOptions> needs_more = {
      {.requirements = {has("sea")}},
      {.format = Format{.schema = Json::parse(R"({"type":"object"})")}},
      {.strategy = in_parallel(rejection(), 2)},
      {.strategy = best_of_n(1, [](const Answer&, const Call&) { return 1.0; })}};
  for (const CallOptions& options : needs_more) {
    const Error error = error_of([&] { session.start_instruct("A word", options); });
    EXPECT_EQ(error.code(), Errc::invalid_request);
    EXPECT_STREQ(error.what(),
                 "a call that is started has one answer: requirements, a format with a strategy, "
                 "candidates and scores need instruct(), chat() or act()");
  }
  EXPECT_EQ(backend_->requests().size(), 1U);
  EXPECT_EQ(recorder_->count("component_post_error"), needs_more.size());
}

TEST_F(SamplingTest, AnotherCallThatWasCancelledIsAFailureOfTheCheckThatMadeIt) {
  script(say("one"));
  script(Line().hang());
  const Session session = start();
  const Requirement asks({.check = [&](const Answer&, const Call& call) -> ValidationResult {
    std::stop_source own;
    own.request_stop();
    session.within(call).chat("Is it right?", {.stop = own.get_token()});
    return {.passed = true};
  }});
  const Error error = error_of([&] { session.instruct("Write", {.requirements = {asks}}); });
  EXPECT_EQ(error.code(), Errc::unknown);
  EXPECT_TRUE(std::string(error.what()).starts_with("requirement \"")) << error.what();
  const std::vector<std::string> lines = told();
  EXPECT_EQ(lines.back(), "component_post_error action#1 in session#1: error unknown");
}

TEST_F(SamplingTest, CallsOfToolsInAFailedAttemptAreAnsweredBeforeTheNextTurn) {
  script(scripted::call({.id = "c", .name = "look", .arguments = "{}"}));
  script(say("the sea"));
  EXPECT_TRUE(start()
                  .instruct("Write", {.tools = {Tool(ToolSpec{.name = "look"})},
                                      .requirements = {has("sea")},
                                      .strategy = multi_turn()})
                  .ok());
  const std::vector<Message> sent = backend_->requests().at(1).messages;
  ASSERT_EQ(sent.size(), 4U);
  EXPECT_EQ(sent[1].tool_calls.size(), 1U);
  EXPECT_EQ(sent[2].role, Message::Role::tool);
  EXPECT_EQ(sent[2].tool_call_id, "c");
  EXPECT_EQ(sent[3].role, Message::Role::user);
}

TEST_F(SamplingTest, ASessionThatCutsOffACheckSaysSo) {
  script(say("one"));
  Session session = start();
  std::latch checks(1);
  const Requirement waits({.check = [&](const Answer&, const Call& call) -> ValidationResult {
    checks.count_down();
    std::latch stopped(1);
    const std::stop_callback wake(call.stop, [&] { stopped.count_down(); });
    stopped.wait();
    return {.passed = true};
  }});
  Errc how{};
  std::jthread caller([&] {
    how = error_of([&] { session.instruct("Write", {.requirements = {waits}}); }).code();
  });
  checks.wait();
  session.end();
  caller.join();
  EXPECT_EQ(how, Errc::cancelled);
  drain();
  EXPECT_EQ(outcomes("session"), Names{"cancelled parent"});
}

TEST_F(SamplingTest, ABudgetOfTooManyAttemptsIsRefused) {
  const Strategy endless = rejection(std::numeric_limits<int>::max());
  script(say("the sea"));
  const Session session = start();
  EXPECT_TRUE(session.instruct("Write", {.requirements = {has("sea")}, .strategy = endless}).ok());
  EXPECT_STREQ(
      error_of([&] { session.instruct("Write", {.strategy = in_parallel(endless, 2)}); }).what(),
      "strategy: budget is 2147483647: too much for 2 candidates");
}

TEST_F(SamplingTest, AScoreThatIsNoNumberIsAnError) {
  script(say("one"));
  script(say("two"));
  const auto score = [](const Answer&, const Call&) { return std::nan(""); };
  EXPECT_STREQ(
      error_of([&] { start().instruct("Write", {.strategy = best_of_n(2, score)}); }).what(),
      "strategy BestOfNStrategy: the score is no number");
}

TEST_F(SamplingTest, WhatAComponentThrowsIsAnErrorWithItsName) {
  struct Odd : Component {
    std::string_view name() const override { return "Odd"; }
    Message render(const Told&) const override { throw std::runtime_error("no words"); }
  };
  const Session session = start();
  EXPECT_STREQ(error_of([&] { session.act(Odd()); }).what(), "Odd: no words");
  EXPECT_EQ(error_of([&] { session.act(std::shared_ptr<const Component>()); }).code(),
            Errc::invalid_request);
}

TEST_F(SamplingTest, WhatAVerbHasNoUseForIsRefused) {
  script(say("one"));
  const Session session = start();
  const Result answer = session.chat("Write");
  EXPECT_STREQ(error_of([&] {
                 session.validate(answer, {has("one")}, {.requirements = {has("two")}});
               }).what(),
               "validate has no use for the option requirements");
  EXPECT_STREQ(error_of([&] { session.generate_raw({"a"}, {.system = "be brief"}); }).what(),
               "a batch has no use for the option system");
}

TEST_F(SamplingTest, AfterItsDeadlineNothingIsSent) {
  const Session session = start();
  const Instant past = std::chrono::steady_clock::now() - 1ms;
  const Error error = error_of([&] { session.chat("Write", {.until = past}); });
  EXPECT_EQ(error.code(), Errc::timeout);
  EXPECT_STREQ(error.what(), "the time was up before the request was sent");
  EXPECT_EQ(error_of([&] { session.embed({"a"}, {.until = past}); }).code(), Errc::timeout);
  EXPECT_TRUE(backend_->requests().empty());
}

TEST_F(SamplingTest, AnAsynchronousCallIsSampledLikeABlockingOne) {
  script(say("one"));
  script(say("sea"));
  Session session = start();
  std::latch done(1);
  std::optional<Result> result;
  session.instruct_async("Write", {.requirements = {has("sea")}},
                         [&](std::exception_ptr error, std::optional<Result> got) {
                           EXPECT_FALSE(error);
                           result = std::move(got);
                           done.count_down();
                         });
  done.wait();
  EXPECT_EQ(result->text(), "sea");
  EXPECT_EQ(result->attempts().size(), 2U);
}

TEST_F(SamplingTest, TheEndOfTheRuntimeEndsASamplingInTheMiddle) {
  backend_ = std::make_shared<ScriptedBackend>([](const Request&) { return Line().hang(); });
  Session session = start();
  std::latch done(1);
  session.instruct_async("Write", {.requirements = {has("sea")}},
                         [&](std::exception_ptr error, std::optional<Result>) {
                           EXPECT_TRUE(error);
                           done.count_down();
                         });
  runtime_.reset();
  done.wait();
}

TEST_F(SamplingTest, AnAnswerCanBeValidatedAlone) {
  script(say("sea"));
  script(say("no"));
  Session session = start({.context = Context::chat()});
  EXPECT_EQ(error_of([&] { session.validate({has("sea")}); }).code(), Errc::invalid_request);
  const Result answer = session.chat("Write");
  EXPECT_TRUE(all_passed(session.validate(answer, {has("sea")})));
  const std::vector<Checked> checks = session.validate({has("sea"), "rhymes"});
  ASSERT_EQ(checks.size(), 2U);
  EXPECT_TRUE(checks[0].result.passed);
  EXPECT_FALSE(checks[1].result.passed);
  EXPECT_EQ(checks[1].result.judgement->text, "no");
}

TEST_F(SamplingTest, TheUsageOfAllIsTheSumOfAttemptsAndJudgements) {
  script(Line().text("one").usage({.input_tokens = 5, .output_tokens = 1}));
  script(Line().text("no").usage({.input_tokens = 20, .output_tokens = 2}));
  script(Line().text("two").usage({.input_tokens = 7, .output_tokens = 3}));
  script(Line().text("yes").usage({.input_tokens = 30, .output_tokens = 4}));
  const Result result = start().instruct("Write", {.requirements = {"rhymes"}});
  EXPECT_EQ(result.usage()->input_tokens, 7);
  EXPECT_EQ(result.total_usage()->input_tokens, 62);
  EXPECT_EQ(result.total_usage()->output_tokens, 10);
  EXPECT_FALSE(result.total_usage()->total_tokens);
}

}  // namespace
}  // namespace mellea
