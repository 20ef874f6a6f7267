#include "mellea/hooks/testing/recorder.h"

#include <gtest/gtest.h>

namespace mellea::testing {
namespace {

using Lines = std::vector<std::string>;

class RecorderTest : public ::testing::Test {
 protected:
  // An action and a generation in it.
  std::shared_ptr<const ComponentPreExecute> open_action() {
    auto opening = std::make_shared<const ComponentPreExecute>(
        ComponentPreExecute{.scope = Scope::root(Kind::action)});
    hooks_.tell(*opening);
    return opening;
  }
  std::shared_ptr<const GenerationPreCall> open_generation(const Scope& parent) {
    auto opening = std::make_shared<const GenerationPreCall>(
        GenerationPreCall{.scope = parent.child(Kind::generation)});
    hooks_.tell(*opening);
    return opening;
  }
  void close(const std::shared_ptr<const ComponentPreExecute>& opening) {
    const ComponentPostSuccess closing{.opening = opening, .ending = Ending{}};
    hooks_.tell(closing);
  }
  void close(const std::shared_ptr<const GenerationPreCall>& opening, Ending ending = {}) {
    hooks_.tell(GenerationPostCall{.opening = opening, .ending = std::move(ending)});
  }

  std::shared_ptr<Recorder> recorder_ = std::make_shared<Recorder>();
  Hooks hooks_{{recorder_}, nullptr};
};

TEST_F(RecorderTest, WritesALineForEachEvent) {
  const auto action = open_action();
  const auto first = open_generation(action->scope);
  const auto second = open_generation(action->scope);
  hooks_.tell(GenerationRetry{.scope = second->scope});
  close(first, {.outcome = Outcome::cancelled, .reason = CancelReason::consumer});
  const auto error = std::make_shared<const Error>(Errc::rate_limit, "too many");
  hooks_.tell(
      GenerationError{.opening = second, .ending = {.outcome = Outcome::error, .error = error}});
  close(action);
  hooks_.report({}, {.kind = Notice::Kind::token_renewed});
  EXPECT_EQ(recorder_->lines(),
            (Lines{"component_pre_execute action#1", "generation_pre_call generation#1 in action#1",
                   "generation_pre_call generation#2 in action#1",
                   "generation_retry generation#2 in action#1: retry",
                   "generation_post_call generation#1 in action#1: cancelled consumer",
                   "generation_error generation#2 in action#1: error rate_limit",
                   "component_post_success action#1: ok", "diagnostic: token_renewed"}));
  EXPECT_EQ(recorder_->problems(), Lines{});
  EXPECT_EQ(recorder_->count("generation_pre_call"), 2U);
  EXPECT_EQ(recorder_->count("no_such_event"), 0U);
}

TEST_F(RecorderTest, ShowsThatAnOpeningWasStopped) {
  class Stops : public Plugin {
   public:
    std::string_view name() const override { return "stops"; }
    void subscribe(Subscriber& hooks) override {
      hooks.intercept<ComponentPreExecute>(
          [](ComponentPreExecute&) { return Verdict::stop({.reason = "no"}); });
    }
  };
  const Hooks hooks = hooks_.with({std::make_shared<Stops>()});
  ComponentPreExecute call{.scope = Scope::root(Kind::action)};
  EXPECT_TRUE(hooks.decide(call).block());
  hooks.tell(call);
  EXPECT_EQ(recorder_->lines(), (Lines{"component_pre_execute action#1: stopped"}));
}

TEST_F(RecorderTest, KnowsWhatIsOpen) {
  const auto action = open_action();
  const auto generation = open_generation(action->scope);
  EXPECT_EQ(recorder_->open_operations().size(), 2U);
  close(generation);
  EXPECT_EQ(recorder_->open_operations(), (Lines{"action#1"}));
  EXPECT_EQ(recorder_->problems(), (Lines{"action#1 never ended"}));
}

TEST_F(RecorderTest, FindsTwoBeginnings) {
  const auto action = open_action();
  hooks_.tell(*action);
  close(action);
  EXPECT_EQ(recorder_->problems(), (Lines{"component_pre_execute: action#1 began twice"}));
}

TEST_F(RecorderTest, FindsTwoEnds) {
  const auto action = open_action();
  close(action);
  close(action);
  EXPECT_EQ(recorder_->problems(), (Lines{"component_post_success: action#1 ended twice"}));
}

TEST_F(RecorderTest, FindsAnEndWithoutABeginning) {
  close(std::make_shared<const ComponentPreExecute>(
      ComponentPreExecute{.scope = Scope::root(Kind::action)}));
  EXPECT_EQ(recorder_->problems(),
            (Lines{"component_post_success: action#1 ended without a beginning"}));
}

TEST_F(RecorderTest, FindsAnEventAfterTheEnd) {
  const auto action = open_action();
  const auto generation = open_generation(action->scope);
  close(generation);
  hooks_.tell(GenerationRetry{.scope = generation->scope});
  close(action);
  EXPECT_EQ(recorder_->problems(), (Lines{"generation_retry: generation#1 in action#1 had ended"}));
}

TEST_F(RecorderTest, WantsAParseErrorAfterTheEnd) {
  const auto action = open_action();
  const auto generation = open_generation(action->scope);
  hooks_.tell(GenerationParseError{.scope = generation->scope});
  close(generation);
  hooks_.tell(GenerationParseError{.scope = generation->scope});
  close(action);
  EXPECT_EQ(recorder_->problems(),
            (Lines{"generation_parse_error: generation#1 in action#1 has not ended"}));
}

TEST_F(RecorderTest, FindsAChildThatIsOpenWhenItsParentEnds) {
  const auto action = open_action();
  const auto generation = open_generation(action->scope);
  close(action);
  close(generation);
  EXPECT_EQ(recorder_->problems(),
            (Lines{"component_post_success: action#1 ended before its parts"}));
}

TEST_F(RecorderTest, FindsAChildThatBeginsAfterItsParentEnded) {
  const auto action = open_action();
  close(action);
  close(open_generation(action->scope));
  EXPECT_EQ(recorder_->problems(),
            (Lines{"generation_pre_call: generation#1 in action#1 is part of what had ended"}));
}

TEST_F(RecorderTest, FindsAParentThatIsUnknown) {
  close(open_generation(Scope::root(Kind::action)));
  EXPECT_EQ(recorder_->problems(),
            (Lines{"generation_pre_call: generation#1 in ? is part of what never began"}));
}

TEST_F(RecorderTest, FindsAnEventOfAnotherKindOfOperation) {
  close(
      std::make_shared<const GenerationPreCall>(GenerationPreCall{.scope = open_action()->scope}));
  EXPECT_EQ(recorder_->problems(),
            (Lines{"generation_post_call: action#1 is about an operation of another kind"}));
}

TEST_F(RecorderTest, NeedNotAskForChunks) {
  const Hooks quiet({std::make_shared<Recorder>(Recorder::Options{.chunks = false})}, nullptr);
  EXPECT_FALSE(quiet.wanted<GenerationEvent>());
  EXPECT_TRUE(hooks_.wanted<GenerationEvent>());
}

TEST_F(RecorderTest, ForgetsWhenCleared) {
  open_action();
  recorder_->clear();
  EXPECT_EQ(recorder_->lines(), Lines{});
  EXPECT_EQ(recorder_->problems(), Lines{});
  close(open_action());
  EXPECT_EQ(recorder_->lines().front(), "component_pre_execute action#1");
}

}  // namespace
}  // namespace mellea::testing
