// Whole programs over the scripted provider, and the log records of them: what is told, and on
// which span.
#include <gtest/gtest.h>
#include <spdlog/logger.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "mellea/backends/scripted_backend.h"
#include "mellea/core/folder_for_test.h"
#include "mellea/mellea.h"
#include "mellea/telemetry.h"
#include "mellea/telemetry/log_exporters.h"
#include "mellea/telemetry/memory_exporter.h"
#include "mellea/telemetry/spdlog_sink.h"

namespace mellea {
namespace {

using scripted::Line;
using scripted::say;
using telemetry::Fact;
using telemetry::LogMemory;
using telemetry::LogPtr;
using telemetry::MemoryExporter;
using telemetry::SpanPtr;

class GoldenLogsTest : public testing::Test {
 protected:
  void script(Line line) { backend_->add(std::move(line)); }
  Session session() {
    return runtime_->start_session(backend_, "demo", {.labels = {{"tenant.id", "north"}}});
  }

  // What the program told, which is over now: a line a record, with its span.
  std::string told() {
    runtime_.reset();
    records_ = logs_->logs();
    std::string text = "\n";
    for (const LogPtr& log : records_)
      text.append(log->body).append("  @ ").append(name_of(log->span)).append("\n");
    return text;
  }
  std::string text_at(std::size_t record, Fact fact) const {
    for (const auto& one : records_.at(record)->attributes)
      if (telemetry::name_of(one) == telemetry::name_of(fact))
        return std::get<std::string>(one.value);
    return {};
  }

  std::string name_of(const TraceRef& ids) const {
    for (const SpanPtr& span : spans_->spans())
      if (span->ids.trace == ids.trace && span->ids.span == ids.span)
        return std::string(span->name);
    return "none";
  }

  std::shared_ptr<MemoryExporter> spans_ = std::make_shared<MemoryExporter>();
  std::shared_ptr<LogMemory> logs_ = std::make_shared<LogMemory>();
  Telemetry telemetry_{{.exporters = {spans_}, .logs = {.exporters = {logs_}}}};
  std::shared_ptr<ScriptedBackend> backend_ = std::make_shared<ScriptedBackend>();
  std::unique_ptr<Runtime> runtime_ =
      std::make_unique<Runtime>(RuntimeOptions{.plugins = telemetry_.plugins()});
  std::vector<LogPtr> records_;
};

TEST_F(GoldenLogsTest, AVerdictStandsOnTheChatThatItIsAbout) {
  script(say("SECRET sky"));
  script(say("SECRET sea"));
  const Requirement has_sea({.name = "has_sea", .check = [](const Answer& answer, const Call&) {
                               return ValidationResult{.passed = answer.reply.text.ends_with("sea"),
                                                       .reason = "SECRET"};
                             }});
  const Result result =
      session().instruct("Write SECRET", {.requirements = {has_sea}, .strategy = repair(3)});
  telemetry_.record_evaluation(result.trace_ref(), {.name = "helpfulness", .label = "pass"});
  EXPECT_EQ(told(), R"(
a requirement was not met  @ chat demo
a requirement was met  @ chat demo
an answer was evaluated  @ chat demo
)");
  EXPECT_NE(records_[0]->span, records_[1]->span);
  EXPECT_EQ(records_[1]->span, records_[2]->span);
  EXPECT_NE(text_at(0, Fact::conversation_id), "");
  EXPECT_EQ(text_at(0, Fact::conversation_id), text_at(1, Fact::conversation_id));
  EXPECT_NE(text_at(0, Fact::generation_id), text_at(1, Fact::generation_id));
  for (const LogPtr& log : records_)
    for (const auto& one : log->attributes)
      if (const auto* text = std::get_if<std::string>(&one.value)) {
        EXPECT_EQ(text->find("SECRET"), std::string::npos);
      }
}

TEST_F(GoldenLogsTest, AFailureIsToldOnceHoweverMuchIsAroundIt) {
  Line line = Line().text("One. Two. ");
  script(line.fail(Error(Errc::server_error, "SECRET")));
  {
    Stream stream = session().stream("Write");
    EXPECT_THROW(while (stream.next()){}, Error);
  }
  EXPECT_EQ(told(), R"(
request to scripted failed with server_error  @ chat demo
)");
}

TEST_F(GoldenLogsTest, ARetryAndAnOptionThatIsIgnoredNameTheProvider) {
  script(Line()
             .chunk({.what = Notice{.kind = Notice::Kind::retry,
                                    .text = "SECRET",
                                    .attempt = 1,
                                    .http_status = 503,
                                    .category = Errc::server_error,
                                    .delay = std::chrono::milliseconds(500)}})
             .chunk({.what = Notice{.kind = Notice::Kind::option_ignored,
                                    .text = "SECRET",
                                    .name = "top_k"}})
             .text("sea")
             .finish());
  session().chat("Write");
  EXPECT_EQ(told(), R"(
request to scripted failed with server_error: HTTP status 503; attempt 2 in 0.500 s  @ chat demo
scripted has no option top_k: it was not sent  @ chat demo
)");
  for (const std::size_t record : {0U, 1U}) {
    EXPECT_NE(text_at(record, Fact::conversation_id), "");
    EXPECT_NE(text_at(record, Fact::session_id), "");
    EXPECT_NE(text_at(record, Fact::generation_id), "");
  }
}

TEST_F(GoldenLogsTest, WhatAToolLogsStandsOnItsSpan) {
  spdlog::logger shop("shop", std::make_shared<telemetry::SpdlogSink>(telemetry_.logger()));
  const Tool sell({.name = "sell"}, [&](const Json&, const Call&) {
    shop.info("sold {} apples", 3);
    telemetry_.log(telemetry::Severity::warn, "none are left");
    return std::string("done");
  });
  Line asked;
  asked.tool_call({.id = "a", .name = "sell", .arguments = "{}"}, 0);
  script(asked.finish("tool_calls"));
  {
    const Session running = session();
    shop.info("open");
    running.call_tools(Session(running).chat("Sell", {.tools = {sell}}));
    shop.info("closed");
  }
  EXPECT_EQ(told(), R"(
open  @ none
sold 3 apples  @ execute_tool sell
none are left  @ execute_tool sell
closed  @ none
)");
  EXPECT_EQ(records_[1]->logger, "shop");
}

TEST(LogStyleTest, WhatWasSaidGoesToThoseThatMayHaveItAlone) {
  const FolderForTest folder;
  const auto file = [&](const std::string& name) { return (folder.path() / name).string(); };
  std::string told;
  Telemetry telemetry({.logs = {.exporters = {telemetry::OtlpFile{.path = file("all")},
                                              telemetry::OtlpFile{.path = file("less"),
                                                                  .style = {.content = false}},
                                              telemetry::LogFile{.path = file("lines")}}},
                       .warn = [&](std::string_view warning) { told += warning; },
                       .content = {.mode = telemetry::ContentMode::event}});
  {
    const auto backend = std::make_shared<ScriptedBackend>();
    backend->add(say("SECRET"));
    backend->add(scripted::fail(Errc::server_error, "down"));
    Runtime runtime({.plugins = telemetry.plugins()});
    const Session session = runtime.start_session(backend, "demo");
    session.chat("SECRET");
    EXPECT_THROW(session.chat("again"), Error);
  }
  EXPECT_TRUE(telemetry.shutdown());
  const auto has = [&](const std::string& name, const std::string& word) {
    std::ifstream in(file(name));
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    return text.find(word) != std::string::npos;
  };
  EXPECT_TRUE(has("all", "SECRET"));
  for (const char* name : {"less", "lines"}) {
    EXPECT_FALSE(has(name, "SECRET")) << name;
    EXPECT_TRUE(has(name, "server_error")) << name;
  }
  EXPECT_EQ(told, "");
}

}  // namespace
}  // namespace mellea
