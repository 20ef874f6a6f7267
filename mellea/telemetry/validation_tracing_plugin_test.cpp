#include "mellea/telemetry/validation_tracing_plugin.h"

#include "mellea/telemetry/tracing_for_test.h"

namespace mellea::telemetry {
namespace {

class StopsVerdicts : public Plugin {
 public:
  std::string_view name() const override { return "no_verdicts"; }
  void subscribe(Subscriber& hooks) override {
    hooks.intercept<ValidationPostCheck>(
        [](ValidationPostCheck&) { return Verdict::stop({.reason = "SECRET"}); });
  }
};

class ValidationTracingTest : public TracingTest {
 protected:
  Opened<ValidationPreCheck> validation(const Scope& evaluated = {}, std::string response_id = "") {
    return begin(ValidationPreCheck{
        .scope = Scope::root(Kind::validation, {.iteration = 2}),
        .at = kStart,
        .evaluated = evaluated,
        .reply = std::make_shared<const Reply>(
            Reply{.text = "SECRET", .response = {.id = std::move(response_id)}}),
        .requirements = {requirement("a"), requirement("b"), requirement("c")},
    });
  }
  SpanPtr end(const Opened<ValidationPreCheck>& validation, std::vector<Checked> checks,
              Ending ending = {}) {
    ending.at = kStart + 5ms;
    ValidationPostCheck event{.opening = validation.opening, .ending = ending};
    event.checks = std::move(checks);
    if (ending.outcome == Outcome::ok) static_cast<void>(hooks_.decide(event));
    hooks_.tell(event);
    return span("validation");
  }
};

TEST_F(ValidationTracingTest, SaysWhatWasEvaluatedAndHowManyPassed) {
  const auto chat = generation(Scope::root(Kind::generation));
  const SpanPtr traced =
      end(validation(chat.scope), {found("a", true), found("b", false), found("c", true)});
  TracingTest::end(chat);
  EXPECT_EQ(traced->status, SpanStatus::unset);
  const std::vector<std::pair<std::string_view, std::string_view>> expected = {
      {"mellea.validation.requirement_count", "3"}, {"mellea.validation.passed", "false"},
      {"mellea.validation.passed_count", "2"},      {"mellea.validation.failed_count", "1"},
      {"mellea.sampling.iteration", "2"},
  };
  for (const auto& [key, value] : expected) EXPECT_EQ(at(traced, key), value) << key;
  EXPECT_EQ(at(traced, Fact::generation_id), chat.scope.id().text());
  ASSERT_EQ(traced->links().size(), 1U);
  EXPECT_EQ(traced->links()[0], span("chat granite")->ids);
}

TEST_F(ValidationTracingTest, EachRequirementIsAnEvaluationOfTheAnswer) {
  const Scope chat = Scope::root(Kind::generation);
  Checked judged{Requirement("SECRET words of a requirement"),
                 {.passed = false, .reason = "SECRET", .code = "off_topic", .score = 0.25}};
  Checked named = found("three lines", true);
  named.result.code = "SECRET is no code";
  const SpanPtr traced = end(validation(chat, "chatcmpl-1"), {judged, named});
  const auto events = traced->events();
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].name, "gen_ai.evaluation.result");
  EXPECT_EQ(at(events[0], Fact::evaluation_name), "judge");
  EXPECT_EQ(at(events[0], Fact::evaluation_label), "fail");
  EXPECT_EQ(at(events[0], Fact::evaluation_score), "0.25");
  EXPECT_EQ(at(events[0], Fact::validation_code), "off_topic");
  EXPECT_EQ(at(events[0], Fact::generation_id), chat.id().text());
  EXPECT_EQ(at(events[0], Fact::response_id), "chatcmpl-1");
  EXPECT_EQ(at(events[1], Fact::evaluation_name), "three lines");
  EXPECT_EQ(at(events[1], Fact::evaluation_label), "pass");
  EXPECT_EQ(at(events[1], Fact::evaluation_score), "");
  EXPECT_EQ(at(events[1], Fact::validation_code), "");
  EXPECT_EQ(all_of(traced).find("SECRET"), std::string::npos);
}

TEST_F(ValidationTracingTest, OneThatBrokeOffTellsWhatItFoundAndNoVerdict) {
  const SpanPtr traced = end(validation(), {found("a", true)}, failed(Errc::unknown));
  EXPECT_EQ(traced->status, SpanStatus::error);
  EXPECT_EQ(at(traced, Fact::validation_passed), "");
  EXPECT_EQ(at(traced, Fact::passed_count), "");
  ASSERT_EQ(traced->events().size(), 2U);
  EXPECT_EQ(at(traced->events()[0], Fact::evaluation_label), "pass");
  EXPECT_EQ(at(traced->events()[0], Fact::generation_id), "");
  EXPECT_EQ(traced->events()[1].name, "exception");
}

TEST_F(ValidationTracingTest, AVerdictThatIsStoppedIsABlock) {
  hooks_ = hooks_.with({std::make_shared<StopsVerdicts>()});
  const SpanPtr traced = end(validation(), {found("a", true)});
  EXPECT_EQ(traced->description, "blocked by plugin no_verdicts");
  EXPECT_EQ(at(traced, Fact::outcome), "blocked");
}

}  // namespace
}  // namespace mellea::telemetry
