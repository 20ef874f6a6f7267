#include "mellea/telemetry/content_logging_plugin.h"

#include <gtest/gtest.h>

#include <mutex>
#include <nlohmann/json.hpp>

#include "mellea/telemetry/tracing_for_test.h"

namespace mellea::telemetry {
namespace {

class KeptLogs : public LogExporter {
 public:
  void export_logs(std::span<const LogPtr> logs) noexcept override {
    logs_.insert(logs_.end(), logs.begin(), logs.end());
  }
  bool flush(Instant) noexcept override { return true; }
  bool shutdown(Instant) noexcept override { return true; }
  const std::vector<LogPtr>& logs() const { return logs_; }

 private:
  std::vector<LogPtr> logs_;
};

const LogValue* find(const LogRecord& log, std::string_view name) {
  for (const LogAttribute& attribute : log.attributes)
    if (name_of(attribute) == name) return &attribute.value;
  return nullptr;
}
std::string text(const LogRecord& log, Fact fact) {
  const LogValue* value = find(log, name_of(fact));
  const auto* text = value ? std::get_if<std::string>(value) : nullptr;
  return text ? *text : std::string();
}

class ContentLoggingTest : public TracingTest {
 protected:
  void show(ContentMode mode, Sampler sampler = {}) {
    tracer_ = std::make_shared<Tracer>(std::move(sampler),
                                       std::vector<std::shared_ptr<SpanExporter>>{memory_});
    const auto content = std::make_shared<const Content>(ContentOptions{.mode = mode}, nullptr);
    Plugins plugins = make_tracing_plugins(tracer_, false, nullptr, content);
    plugins.push_back(make_content_logging_plugin(logger_, content, nullptr));
    hooks_ = Hooks(std::move(plugins), nullptr);
  }
  Opened<GenerationPreCall> asked(const Scope& scope = Scope::root(Kind::generation)) {
    return generation(scope, {.model = "granite", .messages = {{.text = "the question"}}});
  }

  std::shared_ptr<KeptLogs> kept_ = std::make_shared<KeptLogs>();
  std::shared_ptr<Logger> logger_ =
      std::make_shared<Logger>(Severity::debug, std::vector<std::shared_ptr<LogExporter>>{kept_});
};

TEST_F(ContentLoggingTest, SaysAllThatTheSpanSays) {
  show(ContentMode::both);
  const auto g = asked(Scope::root(Kind::generation, {.labels = {{"tenant.id", "t1"}}}));
  end(g, {},
      {.text = "the answer",
       .finish_reasons = {"stop"},
       .response = {.id = "r1"},
       .usage = Usage{.input_tokens = 3}});
  ASSERT_EQ(kept_->logs().size(), 1U);
  const LogRecord& log = *kept_->logs()[0];
  EXPECT_EQ(log.event, "gen_ai.client.inference.operation.details");
  EXPECT_EQ(log.severity, Severity::debug);
  const SpanPtr traced = span("chat granite");
  EXPECT_EQ(log.span.span, traced->ids.span);
  for (const Attribute& attribute : traced->attributes())
    EXPECT_NE(find(log, name_of(attribute.key)), nullptr) << name_of(attribute.key);
  EXPECT_EQ(text(log, Fact::response_id), "r1");
}

TEST_F(ContentLoggingTest, WhatWasSaidIsStructure) {
  show(ContentMode::event);
  end(asked(), {}, {.text = "the answer"});
  ASSERT_EQ(kept_->logs().size(), 1U);
  const auto* output = find(*kept_->logs()[0], name_of(Fact::output_messages));
  ASSERT_NE(output, nullptr);
  const auto messages = nlohmann::json::parse(std::get<JsonText>(*output).text);
  EXPECT_EQ(messages[0]["parts"][0]["content"], "the answer");
}

TEST_F(ContentLoggingTest, LogsWhatIsNotSampledToo) {
  show(ContentMode::event, {.ratio = 0});
  end(asked(), failed(Errc::timeout), {.text = "the beginning"});
  EXPECT_TRUE(memory_->spans().empty());
  ASSERT_EQ(kept_->logs().size(), 1U);
  EXPECT_EQ(text(*kept_->logs()[0], Fact::error_type), "timeout");
  EXPECT_TRUE(kept_->logs()[0]->span);
}

TEST_F(ContentLoggingTest, LogsBatches) {
  show(ContentMode::event);
  const auto batch = begin(GenerationBatchPreCall{
      .scope = Scope::root(Kind::batch),
      .at = kStart,
      .target = std::make_shared<const Target>(),
      .request = Request{.kind = Request::Kind::completion, .prompts = {"one", "two"}}});
  hooks_.tell(GenerationBatchPostCall{
      .opening = batch.opening,
      .replies = std::make_shared<const std::vector<Reply>>(2, Reply{.text = "so"})});
  ASSERT_EQ(kept_->logs().size(), 1U);
  const auto* output = find(*kept_->logs()[0], name_of(Fact::output_messages));
  ASSERT_NE(output, nullptr);
  EXPECT_EQ(nlohmann::json::parse(std::get<JsonText>(*output).text).size(), 2U);
}

TEST_F(ContentLoggingTest, IsSilentWhereContentIsNotForEvents) {
  for (const ContentMode mode : {ContentMode::none, ContentMode::span}) {
    show(mode);
    end(asked());
  }
  EXPECT_TRUE(kept_->logs().empty());
}

}  // namespace
}  // namespace mellea::telemetry
