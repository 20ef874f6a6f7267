#include "mellea/telemetry/sampling_tracing_plugin.h"

#include "mellea/telemetry/tracing_for_test.h"

namespace mellea::telemetry {
namespace {

class SamplingTracingTest : public TracingTest {
 protected:
  Opened<SamplingLoopStart> sampling(const Strategy& strategy) {
    return begin(SamplingLoopStart{
        .scope = Scope::root(Kind::sampling),
        .at = kStart,
        .strategy = strategy,
        .requirements = {requirement("three lines"), requirement("rhymes")},
        .budget = strategy.parts().budget,
    });
  }
  static Attempt attempt(int iteration, std::vector<Checked> checks) {
    return {.iteration = iteration,
            .reply = std::make_shared<const Reply>(Reply{.text = "SECRET"}),
            .scope = Scope::root(Kind::generation),
            .checks = std::move(checks)};
  }
  void iterate(const Opened<SamplingLoopStart>& sampling, const Attempt& attempt) {
    hooks_.tell(SamplingIteration{.scope = sampling.opening->scope,
                                  .strategy = sampling.opening->strategy,
                                  .attempt = std::make_shared<const Attempt>(attempt)});
  }
  void mend(const Opened<SamplingLoopStart>& sampling, const Attempt& attempt) {
    const Strategy& strategy = sampling.opening->strategy;
    hooks_.tell(SamplingRepair{
        .scope = sampling.opening->scope,
        .strategy = strategy,
        .repair_type = to_string(strategy.parts().repair),
        .failed = std::make_shared<const Attempt>(attempt),
        .next = std::make_shared<const Message>(Message{.text = "SECRET"}),
    });
  }
  SpanPtr end(const Opened<SamplingLoopStart>& sampling, Attempts attempts,
              std::optional<std::size_t> chosen, Ending ending = {}) {
    ending.at = kStart + 50ms;
    const bool success = chosen && attempts[*chosen].ok();
    hooks_.tell(SamplingLoopEnd{.opening = sampling.opening,
                                .ending = std::move(ending),
                                .attempts = std::make_shared<const Attempts>(std::move(attempts)),
                                .chosen = chosen,
                                .success = success});
    return span("sampling");
  }
};

TEST_F(SamplingTracingTest, ARepairedAnswerSaysWhatItTook) {
  const auto loop = sampling(repair(3));
  const Attempt first = attempt(1, {found("three lines", true), found("rhymes", false)});
  const Attempt second = attempt(2, {found("three lines", true), found("rhymes", true)});
  iterate(loop, first);
  mend(loop, first);
  iterate(loop, second);
  const SpanPtr traced = end(loop, {first, second}, 1);
  const std::vector<std::pair<std::string_view, std::string_view>> expected = {
      {"mellea.sampling.strategy_type", "RepairTemplateStrategy"},
      {"mellea.sampling.loop_budget", "3"},
      {"mellea.sampling.candidate_count", ""},
      {"mellea.sampling.requirement_count", "2"},
      {"mellea.sampling.success", "true"},
      {"mellea.sampling.iterations_used", "2"},
      {"mellea.sampling.chosen_iteration", "2"},
      {"mellea.sampling.failure_reason", ""},
  };
  for (const auto& [key, value] : expected) EXPECT_EQ(at(traced, key), value) << key;

  const auto events = traced->events();
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].name, "iteration");
  EXPECT_EQ(at(events[0], Fact::sampling_iteration), "1");
  EXPECT_EQ(at(events[0], Fact::all_passed), "false");
  EXPECT_EQ(at(events[0], Fact::valid_count), "1");
  EXPECT_EQ(at(events[0], Fact::requirement_count), "2");
  EXPECT_EQ(at(events[0], Fact::generation_id), first.scope.id().text());
  EXPECT_EQ(at(events[0], Fact::error_type), "");
  EXPECT_EQ(events[1].name, "repair");
  EXPECT_EQ(at(events[1], Fact::repair_iteration), "1");
  EXPECT_EQ(at(events[1], Fact::repair_type), "template");
  EXPECT_EQ(at(events[1], Fact::failed_count), "1");
  EXPECT_EQ(at(events[2], Fact::all_passed), "true");
  EXPECT_EQ(all_of(traced).find("SECRET"), std::string::npos);
}

TEST_F(SamplingTracingTest, ThatNoneHasPassedIsNoError) {
  const auto loop = sampling(rejection(2));
  const Attempt first = attempt(1, {found("rhymes", false)});
  const Attempt second = attempt(2, {found("rhymes", false)});
  const SpanPtr traced = end(loop, {first, second}, 0);
  EXPECT_EQ(traced->status, SpanStatus::unset);
  EXPECT_EQ(at(traced, Fact::sampling_success), "false");
  EXPECT_EQ(at(traced, Fact::chosen_iteration), "1");
  EXPECT_EQ(at(traced, Fact::failure_reason), "none of 2 passed");
}

TEST_F(SamplingTracingTest, AnAnswerThatIsNotOfItsFormatSaysSoOnTheIteration) {
  const auto loop = sampling(rejection(2));
  Attempt first = attempt(1, {});
  first.unfit = std::make_shared<const Error>(Errc::parse_error, "SECRET");
  iterate(loop, first);
  const SpanPtr traced = end(loop, {first, attempt(2, {})}, 1);
  EXPECT_EQ(at(traced->events()[0], Fact::all_passed), "false");
  EXPECT_EQ(at(traced->events()[0], Fact::error_type), "parse_error");
  EXPECT_EQ(traced->status, SpanStatus::unset);
}

TEST_F(SamplingTracingTest, CandidatesBesideEachOtherAreCounted) {
  const auto loop = sampling(in_parallel(rejection(2), 3));
  EXPECT_EQ(at(end(loop, {attempt(3, {})}, 0), Fact::candidate_count), "3");
}

TEST_F(SamplingTracingTest, OneThatFailedSaysHowFarItCameAndNoMore) {
  const auto loop = sampling(rejection(2));
  const SpanPtr traced = end(loop, {attempt(1, {})}, {}, failed(Errc::timeout, {.status = 504}));
  EXPECT_EQ(traced->status, SpanStatus::error);
  EXPECT_EQ(at(traced, Fact::error_type), "timeout");
  EXPECT_EQ(at(traced, Fact::iterations_used), "1");
  EXPECT_EQ(at(traced, Fact::sampling_success), "");
  EXPECT_EQ(at(traced, Fact::failure_reason), "");
}

TEST_F(SamplingTracingTest, ACancelledOneIsNeitherSuccessNorFailure) {
  const auto loop = sampling(rejection(2));
  const SpanPtr traced = end(loop, {}, {}, cancelled(CancelReason::caller));
  EXPECT_EQ(traced->status, SpanStatus::unset);
  EXPECT_EQ(at(traced, Fact::outcome), "cancelled");
  EXPECT_EQ(at(traced, Fact::sampling_success), "");
}

}  // namespace
}  // namespace mellea::telemetry
