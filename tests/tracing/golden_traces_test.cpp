// Whole programs over the scripted provider, and the traces of them as people see them: who stands
// inside whom, and how each ended. Times are left out.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <latch>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "mellea/backends/scripted_backend.h"
#include "mellea/mellea.h"
#include "mellea/telemetry.h"
#include "mellea/telemetry/memory_exporter.h"
#include "mellea/telemetry/tree_layout.h"
#include "mellea/telemetry/tree_words.h"

namespace mellea {
namespace {

using scripted::call;
using scripted::Line;
using scripted::say;
using telemetry::Fact;
using telemetry::MemoryExporter;
using telemetry::SpanEvent;
using telemetry::SpanPtr;
using telemetry::SpanStatus;
using telemetry::TreeRow;

constexpr char kSecret[] = "SECRET";

// What the answer has to contain.
Requirement has(std::string word) {
  return Requirement({.name = "has_" + word,
                      .kind = "function",
                      .description = kSecret,
                      .check = [word](const Answer& answer, const Call&) {
                        const bool passed = answer.reply.text.find(word) != std::string::npos;
                        return ValidationResult{.passed = passed, .reason = kSecret};
                      }});
}

Tool weather() {
  return Tool({.name = "weather"}, [](const Json&, const Call&) { return std::string(kSecret); });
}
Tool broken() {
  return Tool({.name = "broken"},
              [](const Json&, const Call&) -> std::string { throw std::runtime_error(kSecret); });
}

std::string join(std::string text, std::string_view link, std::string_view more) {
  return more.empty() ? text : text.append(link).append(more);
}

class GoldenTracesTest : public testing::Test {
 protected:
  void script(Line line) { backend_->add(std::move(line)); }
  Session session(SessionOptions options = {}) {
    return runtime_->start_session(backend_, "demo", std::move(options));
  }

  // The trace of the program, which is over now: a line a span, and one for each event on it.
  std::string trace() {
    runtime_.reset();
    spans_ = memory_->spans();
    std::string text = "\n";
    for (const auto& tree : telemetry::lay_out(spans_))
      for (const TreeRow& row : tree.rows) {
        const std::string indent(depth(row) * 2, ' ');
        text += indent + join(telemetry::title_of(*row.span), "  ", telemetry::facts_of(*row.span));
        text += join("", "  ", telemetry::mark_of(row)) + '\n';
        for (const SpanEvent& event : row.span->events())
          text.append(indent).append("  * ").append(event.name).append("\n");
      }
    return text;
  }

  // In the order of their beginnings.
  std::vector<SpanPtr> spans(std::string_view name) const {
    std::vector<SpanPtr> found;
    for (const SpanPtr& span : spans_)
      if (span->name == name) found.push_back(span);
    std::stable_sort(found.begin(), found.end(),
                     [](const auto& a, const auto& b) { return a->began < b->began; });
    return found;
  }
  static std::int64_t number(const SpanPtr& span, Fact fact) {
    const auto* value = span->find(fact);
    return value ? std::get<std::int64_t>(*value) : 0;
  }

  std::shared_ptr<MemoryExporter> memory_ = std::make_shared<MemoryExporter>();
  Telemetry telemetry_{{.exporters = {memory_}}};
  std::shared_ptr<ScriptedBackend> backend_ = std::make_shared<ScriptedBackend>();
  std::unique_ptr<Runtime> runtime_ =
      std::make_unique<Runtime>(RuntimeOptions{.plugins = telemetry_.plugins()});

 private:
  static std::size_t depth(const TreeRow& row) { return row.parent ? 1 + depth(*row.parent) : 0; }

  std::vector<SpanPtr> spans_;
};

TEST_F(GoldenTracesTest, AnAnswerThatIsRepaired) {
  script(say("SECRET sky"));
  script(say("SECRET sea"));
  session().instruct("Write SECRET", {.requirements = {has("sea")}, .strategy = repair(3)});
  EXPECT_EQ(trace(), R"(
session
  action Instruction  passed, attempt 2
    sampling  repair, 2 of 3
      * iteration
      * repair
      * iteration
      chat demo
      validation  0 of 1 passed
        * gen_ai.evaluation.result
      chat demo
      validation  1 of 1 passed
        * gen_ai.evaluation.result
)");
  const auto chats = spans("chat demo");
  const auto validations = spans("validation");
  for (std::size_t at = 0; at < 2; ++at) {
    EXPECT_EQ(number(chats[at], Fact::sampling_iteration), static_cast<std::int64_t>(at) + 1);
    EXPECT_EQ(number(validations[at], Fact::sampling_iteration), static_cast<std::int64_t>(at) + 1);
    EXPECT_EQ(validations[at]->text(Fact::generation_id), chats[at]->text(Fact::generation_id));
    ASSERT_EQ(validations[at]->links().size(), 1U);
    EXPECT_EQ(validations[at]->links()[0].span, chats[at]->ids.span);
  }
}

TEST_F(GoldenTracesTest, AnAnswerThatNeverPassesIsNoError) {
  script(say("one"));
  script(say("two"));
  session().instruct("Write SECRET", {.requirements = {has("sea")}});
  EXPECT_EQ(trace(), R"(
session
  action Instruction  not passed, attempt 1
    sampling  rejection, 2 of 2
      * iteration
      * repair
      * iteration
      chat demo
      validation  0 of 1 passed
        * gen_ai.evaluation.result
      chat demo
      validation  0 of 1 passed
        * gen_ai.evaluation.result
)");
  for (const SpanPtr& span : spans("sampling")) EXPECT_EQ(span->status, SpanStatus::unset);
}

TEST_F(GoldenTracesTest, AJudgeIsAChatInsideTheValidation) {
  script(say("SECRET"));
  script(say("yes"));
  session().instruct("Write", {.requirements = {"is SECRET"}});
  EXPECT_EQ(trace(), R"(
session
  action Instruction  passed, attempt 1
    sampling  rejection, 1 of 2
      * iteration
      chat demo
      validation  1 of 1 passed
        * gen_ai.evaluation.result
        chat demo
)");
  EXPECT_EQ(spans("chat demo")[1]->text(Fact::component_type), "Requirement");
}

TEST_F(GoldenTracesTest, AValidatorThatBreaksFailsAllAroundItOnce) {
  script(say("one"));
  const Requirement breaks({.name = "breaks", .check = [](const Answer&, const Call&) {
                              throw std::runtime_error(kSecret);
                              return ValidationResult{};
                            }});
  EXPECT_THROW(session().instruct("Write", {.requirements = {breaks}}), Error);
  EXPECT_EQ(trace(), R"(
session
  action Instruction  ERROR unknown
    sampling  rejection, 0 of 2  ERROR unknown
      chat demo
      validation  ERROR unknown
        * exception
)");
}

TEST_F(GoldenTracesTest, ToolsThatRunBreakAndDoNotExist) {
  Line asked;
  asked.tool_call({.id = "a", .name = "weather", .arguments = R"({"city":"SECRET"})"}, 0);
  asked.tool_call({.id = "b", .name = "broken", .arguments = "{}"}, 1);
  asked.tool_call({.id = "c", .name = "SECRET", .arguments = "{}"}, 2);
  script(asked.finish("tool_calls"));
  {
    const Session running = session();
    const Result asks = Session(running).chat("SECRET", {.tools = {weather(), broken()}});
    running.call_tools(asks);
  }
  EXPECT_EQ(trace(), R"(
session
  action Message
    chat demo
  execute_tool weather
  execute_tool broken  ERROR unknown
    * exception
  execute_tool unknown  ERROR not_found
    * exception
)");
  const SpanPtr chat = spans("chat demo")[0];
  for (const auto* name : {"execute_tool weather", "execute_tool broken", "execute_tool unknown"}) {
    const SpanPtr tool = spans(name).at(0);
    EXPECT_EQ(tool->text(Fact::generation_id), chat->text(Fact::generation_id));
    ASSERT_EQ(tool->links().size(), 1U) << name;
    EXPECT_EQ(tool->links()[0].span, chat->ids.span);
  }
}

TEST_F(GoldenTracesTest, OfCandidatesBesideEachOtherTheLoserIsLeft) {
  const auto both = std::make_shared<std::latch>(2);
  const auto first = std::make_shared<std::atomic<bool>>(true);
  backend_ = std::make_shared<ScriptedBackend>([both, first](const Request&) {
    both->arrive_and_wait();
    return first->exchange(false) ? say("sea") : Line().hang();
  });
  session().instruct("Write", {.strategy = in_parallel(rejection(1), 2)});
  std::vector<std::string> lines;
  std::istringstream text(trace());
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  std::sort(lines.end() - 2, lines.end());  // either may have begun first, and either may win
  const std::int64_t chosen = number(spans("action")[0], Fact::chosen_iteration);
  EXPECT_EQ(lines,
            (std::vector<std::string>{
                "", "session",
                std::string("  action Instruction") + (chosen == 2 ? "  passed, attempt 2" : ""),
                "    sampling  rejection, 1 of 2, 2 at once", "      * iteration",
                "      chat demo", "      chat demo  CANCELLED by superseded"}));
  for (const SpanPtr& chat : spans("chat demo")) {
    EXPECT_EQ(chat->status, SpanStatus::unset);
    const bool won = number(chat, Fact::sampling_iteration) == chosen;
    EXPECT_EQ(chat->text(Fact::cancel_reason), won ? "" : "superseded");
  }
}

TEST_F(GoldenTracesTest, AnAgentAndItsSteps) {
  script(call({.id = "w", .name = "weather", .arguments = "{}"}));
  script(call({.id = "f", .name = "final_answer", .arguments = R"({"answer":"SECRET"})"}));
  session().react("SECRET", {.tools = {weather()}});
  EXPECT_EQ(trace(), R"(
session
  invoke_agent react  2 of 10 steps
    action ReactThought
      chat demo
    execute_tool weather
    action ReactThought
      chat demo
    execute_tool final_answer
)");
}

TEST_F(GoldenTracesTest, ABatchIsOneSpan) {
  script(say("one"));
  session().generate_raw({"SECRET"});
  EXPECT_EQ(trace(), R"(
session
  text_completion demo
)");
}

}  // namespace
}  // namespace mellea
