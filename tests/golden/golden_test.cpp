// Small programs over the scripted provider, and all that telemetry says of each:
// expected/NAME.txt. MELLEA_GOLDEN_WRITE=1 writes these files anew; read what git says of them
// then.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <latch>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "golden_text.h"
#include "mellea/backends/scripted_backend.h"
#include "mellea/core/folder_for_test.h"
#include "mellea/mellea.h"
#include "mellea/telemetry.h"
#include "mellea/typed.h"

namespace mellea::golden {

struct Dish {
  std::string title;
  int minutes = 0;
};
MELLEA_DESCRIBE(Dish, title, minutes)

namespace {

using namespace std::chrono_literals;
using scripted::call;
using scripted::fail;
using scripted::Line;
using scripted::say;
using telemetry::Vocabulary;

constexpr Usage kUsage{.input_tokens = 10, .output_tokens = 5, .total_tokens = 15};

// An answer that says what it took.
Line answer(std::string text, Usage usage = kUsage) {
  return Line().text(std::move(text)).usage(usage).finish();
}

Requirement has(const std::string& word) {
  return Requirement({.name = "has_" + word,
                      .kind = "function",
                      .check = [word](const Answer& given, const Call&) {
                        const bool passed = given.reply.text.find(word) != std::string::npos;
                        return ValidationResult{.passed = passed, .code = passed ? "" : "missing"};
                      }});
}

Tool weather() {
  return Tool({.name = "weather", .description = "What the weather is."},
              [](const Json&, const Call&) { return std::string("sunny"); });
}

// Stops events of one kind.
template <class Event>
class Stops : public Plugin {
 public:
  std::string_view name() const override { return "stops"; }
  void subscribe(Subscriber& hooks) override {
    hooks.intercept<Event>(
        [](Event&) { return Verdict::stop({.reason = "no", .code = "not_allowed"}); });
  }
};
template <class Event>
class Guards : public Plugin {
 public:
  std::string_view name() const override { return "guards"; }
  void subscribe(Subscriber& hooks) override {
    hooks.guard<Event>([](const Event&, const std::stop_token&) {
      return Verdict::stop({.reason = "no", .code = "not_allowed"});
    });
  }
};

std::string content_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

class GoldenTest : public testing::Test {
 protected:
  void SetUp() override { start({}); }

  void start(const Plugins& more, ScriptedBackend::Answer answers = {}) {
    runtime_.reset();
    Plugins plugins = telemetry_.plugins();
    plugins.insert(plugins.end(), more.begin(), more.end());
    runtime_ = std::make_unique<Runtime>(RuntimeOptions{.plugins = plugins});
    if (answers) backend_ = std::make_shared<ScriptedBackend>(std::move(answers));
  }
  void script(std::initializer_list<Line> lines) {
    for (const Line& line : lines) backend_->add(line);
  }
  Session session(SessionOptions options = {}) {
    return runtime_->start_session(backend_, "demo", std::move(options));
  }

  // The program is over, and said what the file says.
  void expect(const std::string& name, bool together = false) {
    runtime_.reset();
    EXPECT_TRUE(telemetry_.shutdown());
    GoldenText golden(together);
    const std::string spans = golden.spans(content_of(folder_.path() / "mellea"));
    std::string said = "# Spans\n" + spans + "# Metrics\n" +
                       golden.metrics(content_of(folder_.path() / "metrics"));
    const std::string logs = golden.logs(content_of(folder_.path() / "logs"));
    if (!logs.empty()) said += "# Log records\n" + logs;
    for (const Vocabulary other : kOthers) {
      const std::string vocabulary(to_string(other));
      const std::string shown = golden.spans(content_of(folder_.path() / vocabulary));
      said.append("# Spans in ").append(vocabulary).append("\n").append(differences(spans, shown));
    }
    const std::filesystem::path file =
        std::filesystem::path(MELLEA_GOLDEN_FOLDER) / (name + ".txt");
    if (std::getenv("MELLEA_GOLDEN_WRITE")) std::ofstream(file) << said;
    EXPECT_EQ(said, content_of(file)) << file;
  }

  telemetry::OtlpFile file(const std::string& name,
                           std::vector<Vocabulary> vocabularies = {}) const {
    return {.path = (folder_.path() / name).string(), .style = {.names = std::move(vocabularies)}};
  }
  std::vector<telemetry::Exporter> files() const {
    std::vector<telemetry::Exporter> all{file("mellea")};
    for (const Vocabulary other : kOthers)
      all.emplace_back(file(std::string(to_string(other)), {other}));
    return all;
  }

  static constexpr std::array kOthers{Vocabulary::otel_1_41, Vocabulary::otel_2026_10,
                                      Vocabulary::openinference};
  const FolderForTest folder_;
  Telemetry telemetry_{{.exporters = files(),
                        .metrics = {.exporters = {file("metrics")}},
                        .logs = {.exporters = {file("logs")}}}};
  std::shared_ptr<ScriptedBackend> backend_ = std::make_shared<ScriptedBackend>();
  std::unique_ptr<Runtime> runtime_;
};

// ---- One answer

TEST_F(GoldenTest, ARetryAndThenAnAnswer) {
  script({Line()
              .chunk({.what = Notice{.kind = Notice::Kind::retry,
                                     .attempt = 1,
                                     .http_status = 429,
                                     .category = Errc::rate_limit,
                                     .delay = 500ms}})
              .text("Blue.")
              .usage(kUsage)
              .finish()});
  session().chat("Why?");
  expect("retry_then_success");
}

TEST_F(GoldenTest, AnErrorInTheStream) {
  script({Line().text("Bl").fail(
      Error(Errc::server_error, "overloaded", {.status = 529, .provider_code = "overloaded"}))});
  EXPECT_THROW(session().start_chat("Why?", {.stream = true}).wait(), Error);
  expect("error_in_the_stream");
}

TEST_F(GoldenTest, AStreamThatIsCut) {
  script({Line().text("Bl").cut()});
  EXPECT_THROW(session().start_chat("Why?", {.stream = true}).wait(), Error);
  expect("cut");
}

TEST_F(GoldenTest, AnOutputThatIsDroppedUnread) {
  script({Line().text("Bl").text("ue").hang()});
  {
    const Session running = session();
    const Output output = running.start_chat("Why?", {.stream = true});
  }
  expect("dropped_unread");
}

TEST_F(GoldenTest, AnOutputThatIsDroppedAfterTwoChunks) {
  script({Line().text("Bl").text("ue").hang()});
  {
    const Session running = session();
    Output output = running.start_chat("Why?", {.stream = true});
    output.next();
    output.next();
  }
  expect("dropped_after_two_chunks");
}

TEST_F(GoldenTest, ACallThatItsCallerStops) {
  std::stop_source stop;
  start({}, [&](const Request&) {
    stop.request_stop();
    return Line().hang();
  });
  EXPECT_THROW(session().chat("Why?", {.stop = stop.get_token()}), Error);
  expect("stopped_by_its_caller");
}

TEST_F(GoldenTest, AnOutputAtTheEndOfTheRuntime) {
  script({Line().text("Bl").hang()});
  const Output output = session().start_chat("Why?", {.stream = true});
  runtime_.reset();
  expect("runtime_ends");
}

TEST_F(GoldenTest, UsageThatIsAbsent) {
  script({say("Blue.")});
  session().chat("Why?");
  expect("usage_absent");
}

TEST_F(GoldenTest, UsageThatIsZero) {
  script({answer("Blue.", {.input_tokens = 0, .output_tokens = 0, .total_tokens = 0})});
  session().chat("Why?");
  expect("usage_zero");
}

TEST_F(GoldenTest, UsageWithACacheAndThinking) {
  script({answer("Blue.", {.input_tokens = 100,
                           .output_tokens = 50,
                           .total_tokens = 150,
                           .cache_read_tokens = 60,
                           .cache_write_tokens = 20,
                           .reasoning_tokens = 30})});
  session().chat("Why?");
  expect("usage_cached");
}

TEST_F(GoldenTest, AllThatARequestCanSay) {
  script({Line()
              .chunk({.what = ResponseInfo{.id = "r-1",
                                           .model = "demo-2026",
                                           .service_tier = "default",
                                           .system_fingerprint = "fp_1"}})
              .text("Blue.")
              .usage(kUsage)
              .finish()});
  session({.labels = {{"tenant.id", "blue"}}, .conversation = "c-1"})
      .chat("Why?", {.options = {.temperature = 0.5,
                                 .top_p = 0.9,
                                 .max_tokens = 64,
                                 .seed = 7,
                                 .stop = std::vector<std::string>{"END"}},
                     .tools = {weather()},
                     .system = "Be brief.",
                     .labels = {{"feature", "sky"}}});
  expect("all_of_a_request");
}

TEST_F(GoldenTest, Batches) {
  script({answer("one"), Line().chunk({.what = Embedding{.values = {0.5F, 0.25F}}})});
  {
    const Session running = session();
    running.generate_raw({"Write"});
    running.embed({"sea"});
  }
  expect("batches");
}

// ---- Plugins that stop

TEST_F(GoldenTest, ARequestThatIsStopped) {
  start({std::make_shared<Stops<GenerationPreCall>>()});
  EXPECT_THROW(session().chat("Why?"), Error);
  expect("blocked_request");
}

TEST_F(GoldenTest, ARequestThatAGuardStops) {
  start({std::make_shared<Guards<GenerationPreCall>>()});
  EXPECT_THROW(session().chat("Why?"), Error);
  expect("blocked_by_guard");
}

TEST_F(GoldenTest, AReplyThatIsStopped) {
  start({std::make_shared<Stops<GenerationPostCall>>()});
  script({answer("Blue.")});
  EXPECT_THROW(session().chat("Why?"), Error);
  expect("blocked_reply");
}

TEST_F(GoldenTest, AToolThatIsStopped) {
  start({std::make_shared<Stops<ToolPreInvoke>>()});
  script({call({.id = "a", .name = "weather", .arguments = "{}"})});
  {
    const Session running = session();
    running.call_tools(running.chat("Look", {.tools = {weather()}}));
  }
  expect("blocked_tool");
}

// ---- Answers that are checked

TEST_F(GoldenTest, AnAnswerThatIsRepaired) {
  script({answer("sky"), answer("sea")});
  session().instruct("Write", {.requirements = {has("sea")}, .strategy = repair(3)});
  expect("repaired");
}

TEST_F(GoldenTest, AnAnswerThatNeverPasses) {
  script({answer("one"), answer("two")});
  session().instruct("Write", {.requirements = {has("sea")}});
  expect("budget_exhausted");
}

TEST_F(GoldenTest, TheBestOfTwo) {
  script({answer("sea"), answer("sea")});
  session().instruct("Write",
                     {.requirements = {has("sea")},
                      .strategy = best_of_n(2, [](const Answer&, const Call&) { return 1.0; })});
  expect("best_of_two", true);
}

TEST_F(GoldenTest, TheMajorityOfThree) {
  script({answer("42"), answer("42"), answer("42")});
  session().instruct("Count", {.strategy = majority(3)});
  expect("majority_of_three", true);
}

TEST_F(GoldenTest, AWinnerAndALoser) {
  const auto both = std::make_shared<std::latch>(2);
  const auto first = std::make_shared<std::atomic<bool>>(true);
  start({}, [both, first](const Request& request) {
    both->arrive_and_wait();
    static_cast<void>(request);
    return first->exchange(false) ? answer("sea") : Line().hang();
  });
  session().instruct("Write", {.strategy = in_parallel(rejection(1), 2)});
  runtime_.reset();
  telemetry_.shutdown();
  // Either may win: what its attempt is called is left out.
  const std::string spans = GoldenText(true).spans(content_of(folder_.path() / "mellea"));
  EXPECT_NE(spans.find("mellea.generation.cancel_reason = \"superseded\""), std::string::npos);
  EXPECT_EQ(spans.find("ERROR"), std::string::npos);
}

TEST_F(GoldenTest, AnAnswerThatIsNotOfItsFormat) {
  script({answer("no JSON")});
  EXPECT_THROW(session().chat<Dish>("A soup."), Error);
  expect("parse_failure");
}

TEST_F(GoldenTest, AnAnswerThatIsNotOfItsFormatIsAskedForAgain) {
  script({answer("no JSON"), answer(R"({"title":"Soup","minutes":20})")});
  session().instruct<Dish>("A soup.");
  expect("parse_failure_in_a_loop");
}

TEST_F(GoldenTest, AJudgeInALoop) {
  script({answer("sky"), answer("no"), answer("sea"), answer("yes")});
  session().instruct("Write", {.requirements = {"is about the sea"}});
  expect("judge_in_a_loop");
}

TEST_F(GoldenTest, AJudgeAlone) {
  script({answer("sea"), answer("yes")});
  {
    const Session running = session();
    running.validate(running.chat("Write"), {"is about the sea"});
  }
  expect("judge_alone");
}

TEST_F(GoldenTest, AValidatorThatThrows) {
  script({answer("one")});
  const Requirement breaks({.name = "breaks", .check = [](const Answer&, const Call&) {
                              throw std::runtime_error("kaboom");
                              return ValidationResult{};
                            }});
  EXPECT_THROW(session().instruct("Write", {.requirements = {breaks}}), Error);
  expect("validator_throws");
}

// ---- Streams

TEST_F(GoldenTest, AStreamThatPasses) {
  script({answer("One. Two.")});
  session()
      .stream(
          "Write",
          {.chunking = Chunking::sentence(), .checks = {{has("")}}, .requirements = {has("Two")}})
      .wait();
  expect("stream_passes");
}

TEST_F(GoldenTest, AStreamThatARequirementEnds) {
  script({answer("One. Two. Three.")});
  session().stream("Write", {.chunking = Chunking::sentence(), .checks = {{has("One")}}}).wait();
  expect("stream_ended_by_a_requirement");
}

TEST_F(GoldenTest, AStreamThatAJudgeChecks) {
  script({answer("One."), answer("yes")});
  session().stream("Write", {.chunking = Chunking::sentence(), .checks = {{"is short"}}}).wait();
  expect("judge_in_a_stream");
}

TEST_F(GoldenTest, AStreamThatIsAskedForAgain) {
  script({answer("bad."), answer("good.")});
  session()
      .stream("Write", {.chunking = Chunking::sentence(), .checks = {{has("good")}}, .retries = 1})
      .wait();
  expect("stream_asked_for_again");
}

// ---- Tools and agents

TEST_F(GoldenTest, ToolsOfAllKinds) {
  Line asked;
  asked.tool_call({.id = "a", .name = "weather", .arguments = R"({"city":"Bonn"})"}, 0);
  asked.tool_call({.id = "b", .name = "broken", .arguments = "{}"}, 1);
  asked.tool_call({.id = "c", .name = "made_up", .arguments = "{}"}, 2);
  asked.tool_call({.id = "d", .name = "ask", .arguments = "{}"}, 3);
  script({asked.finish("tool_calls"), answer("inside")});
  {
    const Session running = session();
    const Tool broken({.name = "broken"}, [](const Json&, const Call&) -> std::string {
      throw std::runtime_error("kaboom");
    });
    const Tool ask({.name = "ask"}, [&](const Json&, const Call& call) {
      return running.within(call).chat("Tell me").text();
    });
    running.call_tools(running.chat("Look", {.tools = {weather(), broken, ask}}));
  }
  expect("tools");
}

TEST_F(GoldenTest, AnAgentWithItsAnswer) {
  script({call({.id = "w", .name = "weather", .arguments = "{}"}),
          call({.id = "f", .name = "final_answer", .arguments = R"({"answer":"sunny"})"})});
  session().react("What is the weather?", {.tools = {weather()}});
  expect("agent");
}

TEST_F(GoldenTest, AnAgentThatIsOutOfSteps) {
  script({call({.id = "w", .name = "weather", .arguments = "{}"}),
          call({.id = "v", .name = "weather", .arguments = "{}"})});
  session().react("What is the weather?", {.tools = {weather()}, .max_steps = 2});
  expect("agent_out_of_steps");
}

// ---- The caller's own trace

std::shared_ptr<const Origin> at(const std::string& span, bool sampled = true) {
  return std::make_shared<const Origin>(Origin{
      .traceparent = "00-0123456789abcdef0123456789abcdef-" + span + (sampled ? "-01" : "-00"),
      .tracestate = "vendor=1"});
}

TEST_F(GoldenTest, CallsOfAHostThatIsTraced) {
  script({answer("one"), answer("two")});
  {
    const Session running = session();
    running.chat("Why?", {.origin = at("1111111111111111")});
    running.chat("Why?", {.origin = at("2222222222222222")});
  }
  expect("host_spans");
}

TEST_F(GoldenTest, ACallOfAHostThatDoesNotSampleIt) {
  script({answer("one")});
  session().chat("Why?", {.origin = at("1111111111111111", false)});
  expect("host_span_unsampled");
}

TEST_F(GoldenTest, ASessionWithoutASpan) {
  script({answer("one"), answer("two")});
  {
    const Session running = session({.span = false});
    running.chat("Why?");
    running.chat("Why?");
  }
  expect("session_without_span");
}

TEST_F(GoldenTest, AConversationThatIsShortened) {
  script({answer("one"), answer("two"), answer("three")});
  {
    const Session running = session({.context = Context::chat(), .compaction = {.window = 1}});
    running.chat("a");
    running.chat("b");
    running.chat("c");
  }
  expect("compacted");
}

}  // namespace
}  // namespace mellea::golden
