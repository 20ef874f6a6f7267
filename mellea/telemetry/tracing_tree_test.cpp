// What people see of the operations, from the events to the tree.
#include "mellea/telemetry/tracing_for_test.h"
#include "mellea/telemetry/tree.h"

namespace mellea::telemetry {
namespace {

class TracingTreeTest : public TracingTest {
 protected:
  static Instant at(int ms) { return kStart + std::chrono::milliseconds(ms); }
  static Ending good(int ms) { return {.at = at(ms)}; }
  static Ending stopped(int ms, CancelReason reason) {
    Ending ending = cancelled(reason);
    ending.at = at(ms);
    return ending;
  }

  Opened<ComponentPreExecute> action(const Strategy& strategy, Requirements requirements) {
    return begin(ComponentPreExecute{.scope = Scope::root(Kind::action),
                                     .at = kStart,
                                     .component = "Instruction",
                                     .requirements = std::move(requirements),
                                     .strategy = strategy});
  }
  Opened<SamplingLoopStart> sampling(const Opened<ComponentPreExecute>& action) {
    return begin(SamplingLoopStart{.scope = action.scope.child(Kind::sampling),
                                   .at = kStart,
                                   .strategy = *action.opening->strategy,
                                   .requirements = action.opening->requirements,
                                   .budget = action.opening->strategy->parts().budget});
  }

  struct Span {
    int from;
    int to;
  };
  struct Tokens {
    std::int64_t input;
    std::int64_t output;
  };
  Opened<GenerationPreCall> chat(const Scope& parent, int from, int iteration = 0) {
    return begin(
        GenerationPreCall{.scope = parent.child(Kind::generation, {.iteration = iteration}),
                          .at = at(from),
                          .target = std::make_shared<const Target>(Target{.provider = "openai"}),
                          .request = Request{.model = "demo-small"}});
  }
  void end(const Opened<GenerationPreCall>& chat, const Ending& ending, Tokens tokens) {
    const Usage usage{.input_tokens = tokens.input, .output_tokens = tokens.output};
    hooks_.tell(GenerationPostCall{.opening = chat.opening,
                                   .ending = ending,
                                   .reply = std::make_shared<const Reply>(Reply{.usage = usage})});
  }
  Scope chat(const Scope& parent, Span when, Tokens tokens, int iteration = 0) {
    const auto chat = this->chat(parent, when.from, iteration);
    end(chat, good(when.to), tokens);
    return chat.scope;
  }
  Opened<ValidationPreCheck> validation(const Scope& parent, int from, const Scope& evaluated,
                                        int iteration) {
    return begin(ValidationPreCheck{
        .scope = parent.child(Kind::validation, {.iteration = iteration}),
        .at = at(from),
        .evaluated = evaluated,
        .reply = std::make_shared<const Reply>(),
        .requirements = {requirement("three lines")},
    });
  }
  void end(const Opened<ValidationPreCheck>& validation, int to, bool passed) {
    hooks_.tell(ValidationPostCheck{.opening = validation.opening,
                                    .ending = good(to),
                                    .checks = {found("three lines", passed)}});
  }
  void iterate(const Opened<SamplingLoopStart>& sampling, const Attempt& attempt) {
    hooks_.tell(SamplingIteration{.scope = sampling.opening->scope,
                                  .strategy = sampling.opening->strategy,
                                  .attempt = std::make_shared<const Attempt>(attempt)});
  }
  void end(const Opened<ComponentPreExecute>& action, const Opened<SamplingLoopStart>& sampling,
           int to, const Attempts& attempts, std::size_t chosen) {
    const auto all = std::make_shared<const Attempts>(attempts);
    hooks_.tell(SamplingLoopEnd{.opening = sampling.opening,
                                .ending = good(to),
                                .attempts = all,
                                .chosen = chosen,
                                .success = attempts[chosen].ok()});
    hooks_.tell(ComponentPostSuccess{.opening = action.opening,
                                     .ending = good(to),
                                     .generations = static_cast<int>(attempts.size()),
                                     .attempts = all,
                                     .chosen = chosen});
  }
  static Attempt attempt(int iteration, bool passed) {
    return {.iteration = iteration, .checks = {found("three lines", passed)}};
  }

  // The tree, less its first line: its trace has another id each time.
  std::string tree() const {
    const std::string text = render_tree(memory_->spans());
    return text.substr(text.find('\n'));
  }
};

TEST_F(TracingTreeTest, ARepairedAnswer) {
  const auto a = action(repair(3), {requirement("three lines")});
  const auto s = sampling(a);
  const Scope first = chat(s.scope, {0, 62}, {51, 16}, 1);
  end(validation(s.scope, 62, first, 1), 62, false);
  iterate(s, attempt(1, false));
  const Scope second = chat(s.scope, {63, 221}, {57, 25}, 2);
  end(validation(s.scope, 221, second, 2), 221, true);
  iterate(s, attempt(2, true));
  end(a, s, 221, {attempt(1, false), attempt(2, true)}, 1);
  EXPECT_EQ(tree(), R"(
action Instruction  passed, attempt 2              108/41    221 ms  ███████████████████████████████
└─ sampling  repair, 2 of 3                        108/41    221 ms  ███████████████████████████████
   ├─ chat demo-small                               51/16     62 ms  ████████▊
   ├─ validation  0 of 1 passed                                0 ms          ▏
   ├─ chat demo-small                               57/25    158 ms          ██████████████████████▏
   └─ validation  1 of 1 passed                                0 ms                                ▏
)");
}

TEST_F(TracingTreeTest, AJudgeStandsInsideTheValidation) {
  const auto a = action(rejection(2), {Requirement("is polite")});
  const auto s = sampling(a);
  const Scope answer = chat(s.scope, {0, 50}, {10, 5}, 1);
  const auto v = validation(s.scope, 50, answer, 1);
  chat(v.scope, {51, 99}, {30, 1});
  end(v, 100, false);
  end(a, s, 100, {attempt(1, false)}, 0);
  EXPECT_EQ(tree(), R"(
action Instruction  not passed, attempt 1            40/6    100 ms  ███████████████████████████████
└─ sampling  rejection, 1 of 2                       40/6    100 ms  ███████████████████████████████
   ├─ chat demo-small                                10/5     50 ms  ███████████████▌
   └─ validation  0 of 1 passed                      30/1     50 ms                 ███████████████▌
      └─ chat demo-small                             30/1     48 ms                 ██████████████▉
)");
}

TEST_F(TracingTreeTest, ALosingCandidateIsLeft) {
  const auto a = action(in_parallel(rejection(2), 2), {});
  const auto s = sampling(a);
  const auto winner = chat(s.scope, 0, 1);
  const auto loser = chat(s.scope, 1, 3);
  end(winner, good(60), {10, 5});
  end(loser, stopped(61, CancelReason::superseded), {10, 2});
  end(a, s, 62, {attempt(1, true)}, 0);
  EXPECT_EQ(tree(), R"(
action Instruction                                   20/7     62 ms  ███████████████████████████████
└─ sampling  rejection, 1 of 4, 2 at once            20/7     62 ms  ███████████████████████████████
   ├─ chat demo-small                                10/5     60 ms  ██████████████████████████████
   └─ chat demo-small  CANCELLED by superseded       10/2     60 ms  ██████████████████████████████
)");
}

TEST_F(TracingTreeTest, AnAnswerThatCouldNotBeReadIsANote) {
  const auto a = action(rejection(2), {});
  const auto s = sampling(a);
  chat(s.scope, {0, 50}, {10, 5}, 1);
  Attempt first = attempt(1, true);
  first.unfit = std::make_shared<const Error>(Errc::parse_error, "SECRET");
  iterate(s, first);
  chat(s.scope, {50, 100}, {10, 5}, 2);
  iterate(s, attempt(2, true));
  end(a, s, 100, {first, attempt(2, true)}, 1);
  EXPECT_EQ(tree(), R"(
action Instruction  passed, attempt 2               20/10    100 ms  ███████████████████████████████
└─ sampling  rejection, 2 of 2                      20/10    100 ms  ███████████████████████████████
   │  · attempt 1: parse_error
   ├─ chat demo-small                                10/5     50 ms  ███████████████▌
   └─ chat demo-small                                10/5     50 ms                 ███████████████▌
)");
}

TEST_F(TracingTreeTest, AnAgentItsChatsAndItsTools) {
  const auto run = begin(AgentStart{.scope = Scope::root(Kind::agent),
                                    .at = kStart,
                                    .agent = "react",
                                    .tools = std::make_shared<const Tools>(),
                                    .max_steps = 10});
  const auto tool = [&](Span when, std::string name, const Ending& ending) {
    const auto call = begin(ToolPreInvoke{
        .scope = run.scope.child(Kind::tool),
        .at = at(when.from),
        .tool = std::make_shared<const ToolSpec>(ToolSpec{.name = std::move(name)}),
    });
    hooks_.tell(ToolPostInvoke{.opening = call.opening, .ending = ending, .took = 1ms});
  };
  chat(run.scope, {0, 40}, {10, 5});
  tool({41, 50}, "weather", good(50));
  Ending broken = failed(Errc::unknown);
  broken.at = at(60);
  tool({51, 60}, "clock", broken);
  chat(run.scope, {60, 99}, {20, 7});
  hooks_.tell(AgentEnd{.opening = run.opening, .ending = good(100), .steps = 2});
  EXPECT_EQ(tree(), R"(
invoke_agent react  2 of 10 steps, no answer        30/12    100 ms  ███████████████████████████████
├─ chat demo-small                                   10/5     40 ms  ████████████▍
├─ execute_tool weather                                        9 ms              ██▊
├─ execute_tool clock  ERROR unknown                           9 ms                 ██▊
└─ chat demo-small                                   20/7     39 ms                    ████████████▏
)");
}

TEST_F(TracingTreeTest, AStreamThatARequirementEnded) {
  const auto s = begin(
      StreamingStart{.scope = Scope::root(Kind::stream), .at = kStart, .chunking = "sentence"});
  const auto tell = [&](StreamingEvent::What what) {
    hooks_.tell(
        StreamingEvent{.scope = s.opening->scope,
                       .at = at(10),
                       .what = std::make_shared<const StreamingEvent::What>(std::move(what))});
  };
  end(chat(s.scope, 0), stopped(40, CancelReason::requirement_failed), {10, 5});
  tell(StreamRetry{.attempt = 1, .reason = "SECRET"});
  const auto second = chat(s.scope, 40);
  tell(StreamedChunk{.index = 0, .text = "SECRET"});
  end(second, stopped(99, CancelReason::requirement_failed), {10, 5});
  const auto failures = std::make_shared<const std::vector<Checked>>(1, found("polite", false));
  hooks_.tell(StreamingEnd{.opening = s.opening, .ending = good(100), .failures = failures});
  EXPECT_EQ(tree(), R"(
stream  1 chunk, ERROR requirement_failed           20/10    100 ms  ███████████████████████████████
│  · retry 1: requirement_failed
├─ chat demo-small  CANCELLED by requirement_failed  10/5     40 ms  ████████████▍
└─ chat demo-small  CANCELLED by requirement_failed  10/5     59 ms              ██████████████████▎
)");
}

TEST_F(TracingTreeTest, AStreamThatWasReadToItsEnd) {
  const auto s = begin(
      StreamingStart{.scope = Scope::root(Kind::stream), .at = kStart, .chunking = "sentence"});
  chat(s.scope, {0, 99}, {10, 5});
  for (std::size_t index = 0; index < 2; ++index)
    hooks_.tell(StreamingEvent{
        .scope = s.opening->scope,
        .at = at(50),
        .what = std::make_shared<const StreamingEvent::What>(StreamedChunk{.index = index})});
  hooks_.tell(StreamingEnd{.opening = s.opening, .ending = good(100), .success = true});
  EXPECT_EQ(tree(), R"(
stream  by sentence, 2 chunks                        10/5    100 ms  ███████████████████████████████
└─ chat demo-small                                   10/5     99 ms  ██████████████████████████████▊
)");
}

TEST_F(TracingTreeTest, ACompactedContextIsANoteOnItsAction) {
  const auto a = begin(ComponentPreExecute{
      .scope = Scope::root(Kind::action), .at = kStart, .component = "Message"});
  Context before = Context::chat();
  for (int turn = 0; turn < 12; ++turn) before = before.add({.text = "SECRET"});
  hooks_.tell(ContextCompacted{.scope = a.opening->scope,
                               .how = "window",
                               .before = before,
                               .after = Context::chat().add({.text = "SECRET"})});
  TracingTest::end(a);
  EXPECT_EQ(tree(), R"(
action Message                                                80 ms  ███████████████████████████████
· context compacted: 12 turns to 1
)");
}

}  // namespace
}  // namespace mellea::telemetry
