#include "mellea/telemetry/logging_plugins.h"

#include <gtest/gtest.h>

#include <thread>

#include "mellea/telemetry/log_events.h"
#include "mellea/telemetry/logs_for_test.h"
#include "mellea/telemetry/tracing_for_test.h"

namespace mellea::telemetry {
namespace {

// Fires events at the plugins of traces and logs, as the runtime does.
class LoggingPluginsTest : public TracingTest {
 protected:
  LoggingPluginsTest() {
    Plugins plugins = make_tracing_plugins(tracer_, false);
    for (auto& plugin : make_logging_plugins(logger_, [this] { return now_; }))
      plugins.push_back(std::move(plugin));
    hooks_ = Hooks(plugins, nullptr);
  }
  void TearDown() override {
    TracingTest::TearDown();
    for (const LogPtr& log : all_) {
      EXPECT_EQ(text_of(*log).find("SECRET"), std::string::npos) << text_of(*log);
    }
  }

  std::vector<LogPtr> take() {
    std::vector<LogPtr> logs = logs_->take();
    all_.insert(all_.end(), logs.begin(), logs.end());
    return logs;
  }
  // The only one since the last time.
  LogPtr log() {
    const auto logs = take();
    EXPECT_EQ(logs.size(), 1U);
    return logs.empty() ? std::make_shared<const LogRecord>() : logs.front();
  }

  static Target openai() {
    return {.provider = "openai", .conversation = std::make_shared<const std::string>("talk")};
  }
  // A chat in a session whose program says which tenant it works for.
  Opened<GenerationPreCall> chat() {
    scope_ =
        Scope::root(Kind::session,
                    {.labels = {{"tenant.id", "north"}, {"gen_ai.request.model", "not a label"}}});
    return generation(scope_.child(Kind::generation), {.model = "granite"}, openai());
  }

  Scope scope_;  // of the session
  Instant now_ = kStart;
  const std::shared_ptr<LogMemory> logs_ = std::make_shared<LogMemory>();
  const std::shared_ptr<Logger> logger_ =
      std::make_shared<Logger>(Severity::info, std::vector<std::shared_ptr<LogExporter>>{logs_});
  std::vector<LogPtr> all_;
};

TEST_F(LoggingPluginsTest, ARetryIsAWarningWithItsIds) {
  const auto g = chat();
  hooks_.tell(GenerationRetry{.scope = g.scope,
                              .at = kStart,
                              .notice = {.text = "SECRET",
                                         .name = "SECRET",
                                         .attempt = 1,
                                         .http_status = 429,
                                         .category = Errc::rate_limit,
                                         .delay = 250ms},
                              .target = g.opening->target});
  const LogPtr retry = log();
  EXPECT_EQ(text_of(*retry),
            "WARN mellea.generation.retry: request to openai failed with rate_limit: HTTP status "
            "429; attempt 2 in 0.250 s | mellea.session.id=" +
                scope_.id().text() + " | mellea.generation.id=" + g.scope.id().text() +
                " | gen_ai.conversation.id=talk | gen_ai.provider.name=openai | "
                "mellea.retry.attempt=1 | error.type=rate_limit | http.response.status_code=429 | "
                "mellea.retry.delay=0.25 | tenant.id=north");
  EXPECT_EQ(retry->span, g.opening->trace);
  EXPECT_TRUE(retry->for_people);
  EXPECT_GT(retry->at, 0);
  EXPECT_GT(retry->thread, 0);
  end(g);
  EXPECT_TRUE(take().empty()) << "that it ended well is no news";
}

TEST_F(LoggingPluginsTest, AFailedGenerationIsOneWarning) {
  const auto g = chat();
  end(g,
      failed(Errc::server_error, {.status = 500,
                                  .provider_code = "SECRET",
                                  .provider_message = "SECRET",
                                  .request_id = "req_1"}),
      {.text = "SECRET"}, {.retries = 2});
  const LogPtr failure = log();
  EXPECT_EQ(failure->event, log_event::kException);
  EXPECT_EQ(failure->severity, Severity::warn);
  EXPECT_EQ(failure->body, "request to openai failed with server_error: HTTP status 500");
  EXPECT_EQ(failure->span, g.opening->trace);
  EXPECT_EQ(at(failure, Fact::operation), "chat");
  EXPECT_EQ(at(failure, Fact::request_model), "granite");
  EXPECT_EQ(at(failure, Fact::error_type), "server_error");
  EXPECT_EQ(at(failure, Fact::exception_type), "server_error");
  EXPECT_EQ(at(failure, Fact::http_status), "500");
  EXPECT_EQ(at(failure, Fact::provider_code), "other");
  EXPECT_EQ(at(failure, Fact::request_id), "req_1");
  EXPECT_EQ(at(failure, Fact::retry_count), "2");
  EXPECT_EQ(at(failure, Fact::conversation_id), "talk");
  EXPECT_EQ(at(failure, Fact::generation_id), g.scope.id().text());
  EXPECT_EQ(at(failure, "tenant.id"), "north");
}

TEST_F(LoggingPluginsTest, SoIsAFailedBatch) {
  const auto opened =
      begin(GenerationBatchPreCall{.scope = Scope::root(Kind::batch),
                                   .at = kStart,
                                   .target = std::make_shared<const Target>(openai()),
                                   .request = Request{.kind = Request::Kind::embedding}});
  Ending ending = failed(Errc::timeout);
  ending.at = kStart + 1ms;
  hooks_.tell(GenerationBatchError{.opening = opened.opening, .ending = ending});
  const LogPtr failure = log();
  EXPECT_EQ(failure->body, "request to openai failed with timeout");
  EXPECT_EQ(at(failure, Fact::operation), "embeddings");
  EXPECT_EQ(at(failure, Fact::http_status), "");
}

TEST_F(LoggingPluginsTest, WhatWasCancelledIsNoFailure) {
  end(chat(), cancelled(CancelReason::caller));
  EXPECT_TRUE(take().empty());
}

class Stopper : public Plugin {
 public:
  explicit Stopper(std::string code) : code_(std::move(code)) {}
  std::string_view name() const override { return "stopper"; }
  void subscribe(Subscriber& hooks) override {
    hooks.intercept<ComponentPreExecute>([this](ComponentPreExecute&) {
      return Verdict::stop({.reason = "SECRET", .code = code_});
    });
  }

 private:
  const std::string code_;
};

TEST_F(LoggingPluginsTest, WhatAPluginStopsIsOneWarning) {
  Plugins plugins = make_logging_plugins(logger_);
  plugins.push_back(std::make_shared<Stopper>("no_secrets"));
  const Hooks hooks(plugins, nullptr);
  ComponentPreExecute event{.scope = Scope::root(Kind::action),
                            .conversation = std::make_shared<const std::string>("talk")};
  EXPECT_TRUE(hooks.decide(event).block());
  hooks.tell(event);
  EXPECT_EQ(text_of(*log()),
            "WARN mellea.plugin.block: plugin stopper stopped component_pre_execute: no_secrets | "
            "gen_ai.conversation.id=talk | mellea.block.plugin=stopper | "
            "mellea.block.event=component_pre_execute | mellea.block.code=no_secrets");
}

TEST_F(LoggingPluginsTest, ACodeThatIsNoneIsNotShown) {
  Plugins plugins = make_logging_plugins(logger_);
  plugins.push_back(std::make_shared<Stopper>("SECRET words"));
  const Hooks hooks(plugins, nullptr);
  ComponentPreExecute event{.scope = Scope::root(Kind::action)};
  EXPECT_TRUE(hooks.decide(event).block());
  hooks.tell(event);
  EXPECT_EQ(log()->body, "plugin stopper stopped component_pre_execute: other");
}

TEST_F(LoggingPluginsTest, AReplyThatAPluginStoppedIsABlockAndNoFailure) {
  const auto g = chat();
  end(g,
      failed(Errc::blocked, {.plugin = "guard", .block_reason = "SECRET", .block_code = "toxic"}));
  const LogPtr block = log();
  EXPECT_EQ(block->body, "plugin guard stopped generation_post_call: toxic");
  EXPECT_EQ(block->span, g.opening->trace);
  EXPECT_EQ(at(block, Fact::conversation_id), "talk");
}

TEST_F(LoggingPluginsTest, AnOptionThatAProviderDoesNotHaveIsAWarning) {
  const auto g = chat();
  hooks_.tell(Diagnostic{
      .scope = g.scope,
      .notice = {.kind = Notice::Kind::option_ignored, .text = "SECRET", .name = "top_k"},
      .target = g.opening->target});
  const LogPtr ignored = log();
  EXPECT_EQ(ignored->event, log_event::kOptionIgnored);
  EXPECT_EQ(ignored->body, "openai has no option top_k: it was not sent");
  EXPECT_EQ(at(ignored, Fact::ignored_option), "top_k");
  EXPECT_EQ(at(ignored, Fact::provider), "openai");
  EXPECT_EQ(ignored->span, g.opening->trace);
  end(g);
}

TEST_F(LoggingPluginsTest, ASlowPluginIsToldOfOnceAMinuteWithItsCount) {
  const auto slow = [&](std::string plugin) {
    hooks_.tell(Diagnostic{.notice = {.kind = Notice::Kind::plugin_slow,
                                      .text = "SECRET",
                                      .name = std::move(plugin),
                                      .delay = 5s}});
  };
  slow("audit");
  EXPECT_EQ(text_of(*log()),
            "WARN mellea.plugin.slow: plugin audit took longer than 5.000 s: 1 time | "
            "mellea.plugin.name=audit | mellea.plugin.slow_count=1");
  slow("audit");
  slow("audit");
  EXPECT_TRUE(take().empty());
  slow("guard");
  EXPECT_EQ(at(log(), Fact::plugin_name), "guard");
  now_ += 61s;
  slow("audit");
  EXPECT_EQ(at(log(), Fact::slow_count), "3");
}

TEST_F(LoggingPluginsTest, OtherNoticesAreNoRecords) {
  hooks_.tell(Diagnostic{.notice = {.kind = Notice::Kind::plugin_failed, .text = "SECRET"}});
  EXPECT_TRUE(take().empty());
}

TEST_F(LoggingPluginsTest, WhatIsFoundOfARequirementStandsOnTheChat) {
  const auto g = chat();
  const auto opened = begin(ValidationPreCheck{
      .scope = scope_.child(Kind::validation, {.labels = {{"tenant.id", "south"}}}),
      .at = kStart,
      .evaluated = g.scope,
      .reply = std::make_shared<const Reply>(Reply{.text = "SECRET", .response = {.id = "r-1"}}),
      .conversation = std::make_shared<const std::string>("talk")});
  Checked good = found("short", true);
  good.result.score = 0.5;
  good.result.code = "fits";
  hooks_.tell(ValidationPostCheck{
      .opening = opened.opening, .ending = {.at = kStart}, .checks = {good, found("kind", false)}});
  const auto logs = take();
  ASSERT_EQ(logs.size(), 2U);
  EXPECT_EQ(text_of(*logs[0]),
            "INFO gen_ai.evaluation.result: a requirement was met | mellea.session.id=" +
                scope_.id().text() + " | mellea.generation.id=" + g.scope.id().text() +
                " | gen_ai.conversation.id=talk | gen_ai.evaluation.name=short | "
                "gen_ai.evaluation.score.label=pass | gen_ai.evaluation.score.value=0.5 | "
                "mellea.validation.code=fits | gen_ai.response.id=r-1 | tenant.id=south");
  EXPECT_EQ(logs[1]->body, "a requirement was not met");
  EXPECT_EQ(at(logs[1], Fact::evaluation_label), "fail");
  for (const LogPtr& log : logs) {
    EXPECT_EQ(log->span, g.opening->trace);
    EXPECT_FALSE(log->for_people);
  }
  end(g);
}

TEST_F(LoggingPluginsTest, OrOnTheValidationWhereNobodyKnowsTheChat) {
  const auto opened = begin(ValidationPreCheck{.scope = Scope::root(Kind::validation),
                                               .at = kStart,
                                               .reply = std::make_shared<const Reply>()});
  hooks_.tell(ValidationPostCheck{
      .opening = opened.opening, .ending = {.at = kStart}, .checks = {found("kind", false)}});
  EXPECT_EQ(log()->span, opened.opening->trace);
}

TEST_F(LoggingPluginsTest, ARequirementThatEndsAStreamStandsOnItsChat) {
  const auto g = chat();
  const auto opened =
      begin(StreamingStart{.scope = scope_.child(Kind::stream),
                           .at = kStart,
                           .conversation = std::make_shared<const std::string>("talk")});
  hooks_.tell(StreamingEnd{.opening = opened.opening,
                           .ending = {.at = kStart},
                           .failures = std::make_shared<const std::vector<Checked>>(
                               std::vector<Checked>{found("kind", false)}),
                           .generation = g.opening});
  const LogPtr evaluation = log();
  EXPECT_EQ(evaluation->event, log_event::kEvaluation);
  EXPECT_EQ(evaluation->span, g.opening->trace);
  EXPECT_EQ(at(evaluation, Fact::generation_id), g.scope.id().text());
  EXPECT_EQ(at(evaluation, Fact::conversation_id), "talk");
  end(g);
}

TEST_F(LoggingPluginsTest, WithoutTracesTheCallersIdsStand) {
  hooks_ = Hooks(make_logging_plugins(logger_), nullptr);
  const TraceRef caller =
      TraceRef::from_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  const Scope session = Scope::root(
      Kind::session,
      {.origin = std::make_shared<const Origin>(Origin{.traceparent = caller.traceparent()})});
  const auto g = generation(session, {}, openai());
  end(g, failed(Errc::timeout));
  EXPECT_EQ(log()->span, caller);
}

TEST_F(LoggingPluginsTest, ALineInUserCodeBelongsToItsOperation) {
  const auto g = chat();
  UserCodeBegin code{.scope = g.scope};
  static_cast<void>(hooks_.decide(code));
  logger_->log_line({.body = "inside"});
  std::thread([&] { logger_->log_line({.body = "on another thread"}); }).join();
  {
    const UserCodeOnThread inner(scope_);
    logger_->log_line({.body = "deeper inside"});
  }
  logger_->log_line({.body = "inside again"});
  code.held.clear();
  logger_->log_line({.body = "outside"});
  const auto logs = take();
  ASSERT_EQ(logs.size(), 5U);
  EXPECT_EQ(logs[0]->span, g.opening->trace);
  EXPECT_EQ(at(logs[0], Fact::generation_id), g.scope.id().text());
  EXPECT_EQ(at(logs[0], "tenant.id"), "north");
  EXPECT_FALSE(logs[1]->span);
  EXPECT_FALSE(logs[2]->span) << "the session is not traced";
  EXPECT_EQ(at(logs[2], Fact::session_id), scope_.id().text());
  EXPECT_EQ(logs[3]->span, g.opening->trace);
  EXPECT_FALSE(logs[4]->span);
  EXPECT_TRUE(logs[4]->attributes.empty());
  end(g);
}

TEST_F(LoggingPluginsTest, WhatIsLessThanTheLevelIsLeftOut) {
  const Logger logger(Severity::warn, {logs_});
  EXPECT_FALSE(logger.wants(Severity::info));
  EXPECT_TRUE(logger.wants(Severity::warn));
  EXPECT_FALSE(Logger(Severity::trace, {}).wants(Severity::fatal)) << "it would go nowhere";
}

// What an exporter logs while it is given a record would never end.
class Echo : public LogExporter {
 public:
  void export_logs(std::span<const LogPtr> logs) noexcept override {
    seen += logs.size();
    logger->log({.body = "exported"});
  }
  bool flush(Instant) noexcept override { return true; }
  bool shutdown(Instant) noexcept override { return true; }

  std::size_t seen = 0;
  Logger* logger = nullptr;
};

TEST_F(LoggingPluginsTest, AnExporterThatLogsIsNotHeard) {
  const auto echo = std::make_shared<Echo>();
  Logger logger(Severity::info, {echo});
  echo->logger = &logger;
  logger.log({.body = "once"});
  logger.log({.body = "twice"});
  EXPECT_EQ(echo->seen, 2U);
}

}  // namespace
}  // namespace mellea::telemetry
