// Whole programs over the scripted provider, and what was counted of them.
#include <gtest/gtest.h>

#include <memory>
#include <sstream>
#include <string>
#include <string_view>

#include "mellea/backends/scripted_backend.h"
#include "mellea/mellea.h"
#include "mellea/telemetry.h"

namespace mellea {
namespace {

using scripted::fail;
using scripted::Line;
using scripted::say;

Requirement has(std::string word) {
  return Requirement({.name = "has_" + word,
                      .kind = "function",
                      .check = [word](const Answer& answer, const Call&) {
                        const bool passed = answer.reply.text.find(word) != std::string::npos;
                        return ValidationResult{.passed = passed, .reason = "SECRET"};
                      }});
}

// Stops what comes of generations.
class Censor : public Plugin {
 public:
  std::string_view name() const override { return "censor"; }
  void subscribe(Subscriber& hooks) override {
    hooks.intercept<GenerationPostCall>(
        [](GenerationPostCall&) { return Verdict::stop({.reason = "SECRET", .code = "rude"}); });
  }
};

class GoldenMetricsTest : public testing::Test {
 protected:
  void script(Line line) { backend_->add(std::move(line)); }
  Session session() { return runtime_->start_session(backend_, "demo"); }
  void add(std::shared_ptr<Plugin> plugin) {
    Plugins plugins = telemetry_.plugins();
    plugins.push_back(std::move(plugin));
    runtime_ = std::make_unique<Runtime>(RuntimeOptions{.plugins = plugins});
  }
  static Line answer(std::string text) {
    return Line().text(std::move(text)).usage({.input_tokens = 10, .output_tokens = 5}).finish();
  }

  // The sums and the counts of the program, which is over now: a line each, as Prometheus has them,
  // without what is the same in all of them and without times.
  std::string counted() {
    runtime_.reset();
    std::string text = "\n";
    std::istringstream page(telemetry_.metrics_text());
    for (std::string line; std::getline(page, line);) {
      if (line.starts_with("#") || line.starts_with("target_info")) continue;
      if (line.find("_bucket{") != std::string::npos) continue;
      if (line.find("_seconds_sum{") != std::string::npos) continue;
      EXPECT_EQ(line.find("SECRET"), std::string::npos) << line;
      constexpr std::string_view kCall =
          "gen_ai_provider_name=\"scripted\",gen_ai_request_model=\"demo\",";
      if (const std::size_t at = line.find(kCall); at != std::string::npos)
        line.erase(at, kCall.size());
      const std::size_t scope = line.find("otel_scope_name");
      line.erase(scope, line.find('}') - scope);
      if (const std::size_t at = line.find(",}"); at != std::string::npos) line.erase(at, 1);
      text += line + '\n';
    }
    return text;
  }

  Telemetry telemetry_{
      {.metrics = {.exporters = {telemetry::MetricsText{.write = [](std::string_view) {}}}}}};
  std::shared_ptr<ScriptedBackend> backend_ = std::make_shared<ScriptedBackend>();
  std::unique_ptr<Runtime> runtime_ =
      std::make_unique<Runtime>(RuntimeOptions{.plugins = telemetry_.plugins()});
};

TEST_F(GoldenMetricsTest, AnAnswerThatIsRepaired) {
  script(answer("sky"));
  script(answer("sea"));
  session().instruct("Write", {.requirements = {has("sea")}, .strategy = repair(3)});
  EXPECT_EQ(counted(), R"(
gen_ai_client_token_usage_sum{gen_ai_operation_name="chat",gen_ai_token_type="input"} 20
gen_ai_client_token_usage_count{gen_ai_operation_name="chat",gen_ai_token_type="input"} 2
gen_ai_client_token_usage_sum{gen_ai_operation_name="chat",gen_ai_token_type="output"} 10
gen_ai_client_token_usage_count{gen_ai_operation_name="chat",gen_ai_token_type="output"} 2
gen_ai_client_operation_duration_seconds_count{gen_ai_operation_name="chat",gen_ai_request_stream="false"} 2
mellea_sampling_attempts_total{strategy="RepairTemplateStrategy"} 2
mellea_sampling_successes_total{strategy="RepairTemplateStrategy"} 1
mellea_requirement_checks_total{requirement="has_sea"} 2
mellea_requirement_failures_total{requirement="has_sea",reason="check failed"} 1
)");
}

TEST_F(GoldenMetricsTest, AStreamWhoseProviderFailsIsOneError) {
  Line line = Line().text("One. Two. ");
  script(line.fail(Error(Errc::server_error, "SECRET")));
  Stream stream = session().stream("Write");
  EXPECT_THROW(while (stream.next()){}, Error);
  EXPECT_EQ(counted(), R"(
gen_ai_client_operation_duration_seconds_count{gen_ai_operation_name="chat",gen_ai_request_stream="true",error_type="server_error",mellea_outcome="error"} 1
gen_ai_client_operation_time_to_first_chunk_seconds_count{gen_ai_operation_name="chat"} 1
mellea_llm_errors_total{gen_ai_operation_name="chat",mellea_error_category="server_error",error_type="server_error"} 1
)");
}

TEST_F(GoldenMetricsTest, AStreamThatARequirementEndsIsNoError) {
  script(answer("One. Two. Three."));
  const Requirement is_short({.name = "short", .check = [](const Answer&, const Call&) {
                                return ValidationResult{.code = "too_long"};
                              }});
  Stream stream = session().stream("Write", {.checks = {{is_short}}});
  while (stream.next()) {
  }
  const std::string text = counted();
  EXPECT_EQ(text.find("mellea_llm_errors"), std::string::npos);
  EXPECT_NE(text.find("\nmellea_sampling_failures_total{strategy=\"stream\"} 1\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("\nmellea_requirement_checks_total{requirement=\"short\"} 1\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("\nmellea_requirement_failures_total{requirement=\"short\","
                      "reason=\"too_long\"} 1\n"),
            std::string::npos)
      << text;
}

TEST_F(GoldenMetricsTest, AnAnswerThatItsReaderLeavesIsNoError) {
  script(Line().text("One").hang());
  Session running = session();
  {
    Output output = running.start_chat("Write", {.stream = true});
    ASSERT_TRUE(output.next());
  }
  EXPECT_EQ(counted(), R"(
gen_ai_client_operation_duration_seconds_count{gen_ai_operation_name="chat",gen_ai_request_stream="true",mellea_outcome="cancelled",mellea_generation_cancel_reason="consumer"} 1
gen_ai_client_operation_time_to_first_chunk_seconds_count{gen_ai_operation_name="chat"} 1
mellea_generation_usage_missing_total{gen_ai_operation_name="chat"} 1
)");
}

TEST_F(GoldenMetricsTest, AnAnswerThatIsBlockedWasPaidFor) {
  add(std::make_shared<Censor>());
  script(answer("SECRET"));
  EXPECT_THROW(session().chat("Write"), Error);
  EXPECT_EQ(counted(), R"(
gen_ai_client_token_usage_sum{gen_ai_operation_name="chat",gen_ai_token_type="input"} 10
gen_ai_client_token_usage_count{gen_ai_operation_name="chat",gen_ai_token_type="input"} 1
gen_ai_client_token_usage_sum{gen_ai_operation_name="chat",gen_ai_token_type="output"} 5
gen_ai_client_token_usage_count{gen_ai_operation_name="chat",gen_ai_token_type="output"} 1
gen_ai_client_operation_duration_seconds_count{gen_ai_operation_name="chat",gen_ai_request_stream="false",mellea_outcome="blocked"} 1
mellea_plugin_blocks_total{mellea_block_plugin="censor",mellea_block_event="generation_post_call",mellea_block_code="rude"} 1
)");
}

TEST_F(GoldenMetricsTest, ToolsThatRunAndDoNotExist) {
  Line asked;
  asked.tool_call({.id = "a", .name = "weather", .arguments = "{}"}, 0);
  asked.tool_call({.id = "b", .name = "SECRET", .arguments = "{}"}, 1);
  script(asked.finish("tool_calls"));
  {
    const Session running = session();
    const Tool weather({.name = "weather"},
                       [](const Json&, const Call&) { return std::string("SECRET"); });
    const Result asks = Session(running).chat("Ask", {.tools = {weather}});
    running.call_tools(asks);
  }
  EXPECT_EQ(counted(), R"(
gen_ai_client_operation_duration_seconds_count{gen_ai_operation_name="chat",gen_ai_request_stream="false"} 1
mellea_generation_usage_missing_total{gen_ai_operation_name="chat"} 1
mellea_tool_calls_total{gen_ai_tool_name="weather",status="success"} 1
mellea_tool_calls_total{gen_ai_tool_name="unknown",status="failure"} 1
)");
}

TEST_F(GoldenMetricsTest, ABatchIsOneRequest) {
  script(answer("one"));
  session().generate_raw({"Write"});
  EXPECT_NE(counted().find("gen_ai_client_operation_duration_seconds_count{"
                           "gen_ai_operation_name=\"text_completion\","
                           "gen_ai_request_stream=\"false\"} 1\n"),
            std::string::npos);
}

}  // namespace
}  // namespace mellea
