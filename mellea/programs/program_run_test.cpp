#include "mellea/programs/program_run.h"

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "mellea/runtime/runtime.h"

namespace mellea {
namespace {

// Runs programs whose model is their own script, and keeps what came of each step.
class ProgramRunTest : public ::testing::Test {
 protected:
  ProgramResult run(const std::string& text, RunOptions options = {}) {
    const ReadProgram read = read_program({.text = text, .allow_commands = true});
    for (const Fault& fault : read.faults) ADD_FAILURE() << to_string(fault, "test.yaml");
    if (!read.program) return {};
    backend_ = std::make_shared<ScriptedBackend>();
    for (const scripted::Line& line : read.program->backend.script) backend_->add(line);
    const Session session =
        runtime_.start_session(backend_, "scripted", session_options(*read.program));
    options.on_step = [this](const ProgramStep&, const StepResult& result) {
      steps_.push_back(result);
    };
    options.on_piece = [this](std::string_view piece, int attempt) {
      pieces_.push_back(std::to_string(attempt) + ' ' + std::string(piece));
    };
    return run_program(*read.program, session, options);
  }

  static std::string script(const std::string& lines) {
    return "backend: {provider: scripted, script: [" + lines + "]}\n";
  }
  // What the model was told last in the request at `place`.
  std::string told(std::size_t place) const {
    return backend_->requests().at(place).messages.back().text;
  }

  Runtime runtime_;
  std::shared_ptr<ScriptedBackend> backend_;
  std::vector<StepResult> steps_;
  std::vector<std::string> pieces_;
};

TEST_F(ProgramRunTest, ATextOfAStepIsForThoseBehindIt) {
  const ProgramResult result =
      run(script("{say: Waves., usage: {input: 5, output: 1}}, {say: Night.}") +
          "variables: {topic: the sea}\n"
          "system: On {{topic}}.\n"
          "steps:\n"
          "- {instruct: 'Write about {{topic}}.', id: poem}\n"
          "- {chat: 'Unlike \"{{poem.text}}\".', system: ''}\n");
  EXPECT_TRUE(result.ok());
  ASSERT_EQ(steps_.size(), 2U);
  EXPECT_EQ(steps_[0].number, 1U);
  EXPECT_EQ(steps_[0].id, "poem");
  EXPECT_EQ(steps_[0].kind, "instruct");
  EXPECT_EQ(steps_[0].text, "Waves.");
  EXPECT_EQ(steps_[0].usage->input_tokens, 5);
  EXPECT_EQ(steps_[1].text, "Night.");
  EXPECT_EQ(backend_->requests()[0].messages.front().text, "On the sea.");
  EXPECT_NE(told(0).find("Write about the sea."), std::string::npos);
  EXPECT_EQ(told(1), "Unlike \"Waves.\".");
  EXPECT_EQ(backend_->requests()[1].messages.size(), 1U) << "no system, no turns before";
}

TEST_F(ProgramRunTest, AnAnswerIsRepairedUntilItIsWhatItHasToBe) {
  const ProgramResult result =
      run(script("{say: storm}, {say: calm}") +
          "requirements: {calm: {text: 'no {{bad}}', not_contains: '{{bad}}'}}\n"
          "variables: {bad: storm}\n"
          "steps: [{instruct: a, requirements: [calm, {max_words: 3, check_only: true}],\n"
          "         strategy: {kind: repair, budget: 3}}]");
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(steps_.front().attempts, 2);
  EXPECT_EQ(steps_.front().text, "calm");
  EXPECT_NE(told(0).find("no storm"), std::string::npos);
  EXPECT_EQ(told(0).find("3 words"), std::string::npos);
}

TEST_F(ProgramRunTest, ARequirementThatIsNotMetDoesNotEndTheProgram) {
  const ProgramResult result =
      run(script("{say: storm}, {say: b}") +
          "steps:\n- {chat: a, requirements: [{text: calm, not_regex: storm}]}\n- chat: b\n");
  EXPECT_EQ(result.failed, 0U);
  EXPECT_EQ(result.unmet, 1U);
  ASSERT_EQ(steps_.size(), 2U);
  EXPECT_FALSE(steps_[0].ok());
  ASSERT_EQ(steps_[0].failures.size(), 1U);
  EXPECT_EQ(steps_[0].failures[0].requirement, "calm");
  EXPECT_TRUE(steps_[1].ok());
}

TEST_F(ProgramRunTest, AStepThatFailsEndsTheProgram) {
  const ProgramResult result =
      run(script("{error: 429, retry_after: 1}, {say: b}") + "steps:\n- chat: a\n- chat: b\n");
  EXPECT_EQ(result.failed, 1U);
  ASSERT_EQ(steps_.size(), 1U);
  EXPECT_EQ(steps_[0].error->code(), Errc::rate_limit);
  EXPECT_EQ(steps_[0].error->details().status, 429);
  EXPECT_EQ(steps_[0].error->details().retry_after, std::chrono::seconds(1));
}

TEST_F(ProgramRunTest, AProgramThatKeepsGoingFailsOnlyWhatNeedsTheStep) {
  const ProgramResult result =
      run(script("{error: 500}, {say: c}") +
              "steps:\n- {chat: a, id: one}\n- chat: '{{one.text}}'\n- chat: c\n"
              "- validate: {of: one, requirements: [{max_words: 1}]}\n",
          {.keep_going = true});
  EXPECT_EQ(result.failed, 3U);
  ASSERT_EQ(steps_.size(), 4U);
  EXPECT_STREQ(steps_[1].error->what(), "{{one.text}}: that step gave no text");
  EXPECT_EQ(steps_[2].text, "c");
  EXPECT_TRUE(steps_[3].error);
  EXPECT_EQ(backend_->requests().size(), 2U);
}

TEST_F(ProgramRunTest, AnAnswerThatIsCutKeepsWhatCame) {
  run(script("{say: [a, b], cut: 1}") + "steps: [{chat: a}]");
  EXPECT_EQ(steps_.front().error->code(), Errc::transport_error);
  EXPECT_EQ(steps_.front().text, "a");
}

TEST_F(ProgramRunTest, AnAnswerOfAFormatHasAValue) {
  const std::string formats =
      "formats: {weather: {type: object, properties: {c: {type: number}}, required: [c]}}\n";
  const ProgramResult result =
      run(script("{say: '{\"c\":22}'}, {say: warm}, {say: hot}") + formats +
          "steps: [{instruct: a, format: weather}, {instruct: b, format: weather, id: b}, "
          "{validate: {of: b, requirements: [{contains: warm}]}}]");
  EXPECT_EQ(steps_[0].value.text(), R"({"c":22})");
  EXPECT_EQ(result.unmet, 1U);
  EXPECT_EQ(result.failed, 0U);
  EXPECT_EQ(steps_[1].failures.front().requirement, "format weather");
  EXPECT_FALSE(steps_[1].value);
  EXPECT_TRUE(steps_[2].ok()) << "it is checked all the same";
}

TEST_F(ProgramRunTest, AStreamGivesItsPiecesAndIsCheckedWhileItComes) {
  const ProgramResult result =
      run(script("{say: ['Calm. ', 'A storm. ']}, {say: ['Calm. ', 'Quiet. ']}") +
          "steps: [{chat: a, stream: {chunking: sentence, retries: 1,\n"
          "         checks: [{text: calm, not_regex: storm}]}}]");
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(pieces_, (std::vector<std::string>{"1 Calm.", "2 Calm.", "2 Quiet."}));
  EXPECT_EQ(steps_.front().attempts, 2);
  EXPECT_EQ(steps_.front().text, "Calm. Quiet. ");
}

TEST_F(ProgramRunTest, AStreamThatFailsItsCheckIsNotMet) {
  const ProgramResult result = run(script("{say: ['A storm. ', b]}") +
                                   "steps: [{instruct: a, stream: {chunking: sentence,\n"
                                   "         checks: [{text: calm, not_regex: storm}]}}]");
  EXPECT_EQ(result.unmet, 1U);
  EXPECT_EQ(steps_.front().failures.front().requirement, "calm");
}

constexpr const char* kTools =
    "tools:\n"
    "- {name: get_weather, description: Weather, returns: {celsius: 22},\n"
    "   parameters: {type: object, properties: {city: {type: string}}, required: [city]}}\n";

TEST_F(ProgramRunTest, TheCallsOfTheStepBeforeAreRunAndReadByTheModel) {
  const ProgramResult result =
      run(script("{call: get_weather, arguments: {city: Boston}}, {say: It is 22 C.}") + kTools +
          "context: chat\n"
          "steps:\n- {chat: a, tools: [get_weather]}\n- {call_tools: , id: weather}\n"
          "- chat: 'So {{weather.text}}'\n");
  EXPECT_TRUE(result.ok());
  ASSERT_EQ(steps_.size(), 3U);
  ASSERT_EQ(steps_[0].tool_calls.size(), 1U);
  EXPECT_EQ(steps_[0].tool_calls[0].name, "get_weather");
  ASSERT_EQ(steps_[1].tool_results.size(), 1U);
  EXPECT_EQ(steps_[1].tool_results[0].text, R"({"celsius":22})");
  const std::vector<Message> messages = backend_->requests()[1].messages;
  ASSERT_EQ(messages.size(), 4U);
  EXPECT_EQ(messages[2].role, Message::Role::tool);
  EXPECT_EQ(messages[3].text, R"(So {"celsius":22})");
}

TEST_F(ProgramRunTest, ACommandIsGivenItsArgumentsAndItsFailureIsTheModels) {
  const ProgramResult result =
      run(script("{call: echo, arguments: {b: 1}}, {call: fail}") +
          "tools:\n- {name: echo, command: [cat], parameters: {type: object}}\n"
          "- {name: fail, command: [/bin/false]}\n"
          "steps:\n- {chat: a, tools: [echo]}\n- call_tools\n- {chat: a, tools: [fail]}\n"
          "- call_tools\n");
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(steps_[1].tool_results.front().text, R"({"b":1})");
  EXPECT_FALSE(steps_[3].tool_results.front().ok());
  EXPECT_NE(steps_[3].tool_results.front().text.find("ended with code 1"), std::string::npos);
}

TEST_F(ProgramRunTest, TheLastAnswerOrANamedOneIsChecked) {
  const ProgramResult result =
      run(script("{say: one two}, {say: one}, {say: 'yes', usage: {input: 3, output: 1}}, "
                 "{say: 'no'}") +
          "steps:\n- {chat: a, id: long}\n- chat: b\n- validate: [{max_words: 1}, mentions one]\n"
          "- validate: {of: long, requirements: [{max_words: 1}, mentions three]}\n");
  EXPECT_EQ(result.unmet, 1U);
  EXPECT_TRUE(steps_[2].ok());
  EXPECT_EQ(steps_[2].usage->input_tokens, 3);
  ASSERT_EQ(steps_[3].failures.size(), 2U);
  EXPECT_EQ(steps_[3].failures[0].code, "too_many_words");
  EXPECT_EQ(steps_[3].failures[1].requirement, "mentions three");
}

TEST_F(ProgramRunTest, SeveralTextsAreContinuedAndMeasuredAtOnce) {
  const ProgramResult result =
      run(script("{texts: [a, b], usage: {input: 2, output: 2}}, {vectors: [[0.5, 1], [1, 0]]}") +
          "variables: {x: two}\n"
          "steps:\n- raw: [one, '{{x}}']\n- embed: [one, two]\n");
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(steps_[0].texts, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(backend_->requests()[0].prompts, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(backend_->requests()[0].kind, Request::Kind::completion);
  ASSERT_EQ(steps_[1].vectors.size(), 2U);
  EXPECT_EQ(steps_[1].vectors[0].values, (std::vector<float>{0.5F, 1}));
}

TEST_F(ProgramRunTest, AnAgentWorksUntilItHasAnAnswer) {
  const ProgramResult result =
      run(script("{call: get_weather, arguments: {city: Boston}}, "
                 "{call: final_answer, arguments: {answer: 22 C}}, {say: done}") +
          kTools +
          "steps:\n- {react: Find the weather., tools: [get_weather], id: found}\n"
          "- validate: [{contains: '22'}]\n- chat: '{{found.text}}'\n");
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(steps_[0].text, "22 C");
  EXPECT_EQ(steps_[0].tool_results.size(), 2U);
  EXPECT_EQ(told(2), "22 C");
}

TEST_F(ProgramRunTest, AnAgentThatIsOutOfStepsIsNotMet) {
  const ProgramResult result =
      run(script("{call: get_weather, arguments: {city: Boston}}") + kTools +
          "steps: [{react: a, tools: [get_weather], "
          "max_steps: 1}]");
  EXPECT_EQ(result.unmet, 1U);
  EXPECT_EQ(steps_.front().failures.front().reason, "no answer after 1 steps");
  EXPECT_FALSE(steps_.front().text);
}

TEST_F(ProgramRunTest, TheNearerOptionWinsAndTheCallersWinsOverAll) {
  run(script("{say: a}, {say: b}") +
          "options: {temperature: 0.1, seed: 1, max_tokens: 5}\n"
          "steps: [{chat: a, options: {seed: 2, max_tokens: 6}}]",
      {.call = {.options = {.max_tokens = 7}}});
  const ModelOptions& options = backend_->requests().front().options;
  EXPECT_EQ(*options.temperature, 0.1);
  EXPECT_EQ(*options.seed, 2);
  EXPECT_EQ(*options.max_tokens, 7);
}

TEST_F(ProgramRunTest, AStepThatTakesTooLongFails) {
  const ProgramResult result =
      run(script("{say: a, delay: 1h}") + "steps: [{chat: a, options: {timeout: 20ms}}]");
  EXPECT_EQ(result.failed, 1U);
  EXPECT_EQ(steps_.front().error->code(), Errc::timeout);
}

TEST_F(ProgramRunTest, AStopEndsTheProgramEvenIfItKeepsGoing) {
  std::stop_source stop;
  stop.request_stop();
  const ProgramResult result = run(script("{say: a}") + "steps:\n- chat: a\n- chat: b\n",
                                   {.keep_going = true, .stop = stop.get_token()});
  EXPECT_EQ(result.failed, 1U);
  ASSERT_EQ(steps_.size(), 1U);
  EXPECT_EQ(steps_.front().error->code(), Errc::cancelled);
  EXPECT_TRUE(backend_->requests().empty());
}

TEST_F(ProgramRunTest, WhatACallbackThrowsIsNoFailureOfAStep) {
  const ReadProgram read = read_program({.text = "steps: [{chat: a, stream: true}]"});
  const auto backend = std::make_shared<ScriptedBackend>(ScriptedOptions{.echo = true});
  const Session session = runtime_.start_session(backend, "scripted");
  EXPECT_THROW(run_program(*read.program, session,
                           {.keep_going = true,
                            .on_piece = [](std::string_view,
                                           int) { throw std::runtime_error("disk full"); }}),
               std::runtime_error);
}

TEST_F(ProgramRunTest, TheBestOfSeveralMeetsMostOfItsRequirements) {
  run(script("{say: a}, {say: a b}, {say: a}") +
      "steps: [{instruct: x, strategy: {kind: best_of_n, budget: 3},\n"
      "         requirements: [{contains: a}, {contains: b}, {contains: c}]}]");
  EXPECT_EQ(steps_.front().text, "a b");
  EXPECT_EQ(steps_.front().failures.size(), 1U);
  EXPECT_EQ(steps_.front().attempts, 3);
}

TEST_F(ProgramRunTest, AConversationIsKeptAsShortAsTheProgramSays) {
  run(script("{say: one}, {say: two}, {say: three}") +
      "context: {kind: chat, window: 2}\nsteps: [{chat: a}, {chat: b}, {chat: c}]");
  EXPECT_EQ(backend_->requests()[1].messages.size(), 3U);
  EXPECT_EQ(backend_->requests()[2].messages.size(), 3U);
}

TEST_F(ProgramRunTest, WithoutAStrategyTheOneAnswerIsChecked) {
  const ProgramResult result =
      run(script("{say: a}, {say: b}") +
          "steps: [{instruct: x, strategy: none, requirements: [{contains: z}]},\n"
          "        {chat: x, requirements: [{contains: z}]}]");
  EXPECT_EQ(result.unmet, 2U);
  EXPECT_EQ(backend_->requests().size(), 2U);
}

TEST_F(ProgramRunTest, WhatIsSaidHasAllItsParts) {
  run(script("{say: a}") +
      "variables: {x: pond}\n"
      "steps: [{instruct: 'on {{x}}', examples: ['old {{x}}'], prefix: 'p {{x}}',\n"
      "         output_prefix: 'Poem:', grounding: {facts: 'a {{x}} is wet'}}]");
  for (const char* part : {"on pond", "old pond", "p pond", "a pond is wet", "Poem:"})
    EXPECT_NE(told(0).find(part), std::string::npos) << told(0);
}

}  // namespace
}  // namespace mellea
