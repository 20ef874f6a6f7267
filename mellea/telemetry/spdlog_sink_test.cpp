#include "mellea/telemetry/spdlog_sink.h"

#include <gtest/gtest.h>
#include <spdlog/logger.h>

#include <optional>

#include "mellea/telemetry/log_text.h"
#include "mellea/telemetry/logging_plugins.h"
#include "mellea/telemetry/logs_for_test.h"
#include "mellea/telemetry/telemetry.h"
#include "mellea/telemetry/tracing_for_test.h"

namespace mellea::telemetry {
namespace {

class SpdlogSinkTest : public TracingTest {
 protected:
  SpdlogSinkTest() { shop_.set_level(spdlog::level::trace); }

  // Runs `code` as the runtime runs a tool's.
  template <class Code>
  Opened<ToolPreInvoke> in_a_tool(const Code& code) {
    Plugins plugins = make_tracing_plugins(tracer_, false);
    for (auto& plugin : telemetry_.plugins()) plugins.push_back(std::move(plugin));
    hooks_ = Hooks(plugins, nullptr);
    const auto tool = begin(ToolPreInvoke{.scope = Scope::root(Kind::tool), .at = kStart});
    {
      UserCodeBegin user_code{.scope = tool.scope};
      static_cast<void>(hooks_.decide(user_code));
      code();
    }
    hooks_.tell(ToolPostInvoke{.opening = tool.opening, .ending = {.at = kStart}});
    return tool;
  }

  const std::shared_ptr<LogMemory> logs_ = std::make_shared<LogMemory>();
  Telemetry telemetry_{{.logs = {.exporters = {logs_}, .level = Severity::debug}}};
  spdlog::logger shop_{"shop", std::make_shared<SpdlogSink>(telemetry_.logger())};
};

TEST_F(SpdlogSinkTest, ALineGoesWhereOurRecordsGo) {
  shop_.log(spdlog::source_loc{"/src/shop.cpp", 7, "sell"}, spdlog::level::warn, "sold {} apples",
            3);
  const auto logs = logs_->take();
  ASSERT_EQ(logs.size(), 1U);
  const LogRecord& line = *logs[0];
  EXPECT_EQ(line.severity, Severity::warn);
  EXPECT_EQ(line.body, "sold 3 apples");
  EXPECT_EQ(line.logger, "shop");
  EXPECT_EQ(line.source.file, "/src/shop.cpp");
  EXPECT_EQ(line.source.function, "sell");
  EXPECT_EQ(line.source.line, 7);
  EXPECT_GT(line.at, 1'700'000'000'000'000'000);
  EXPECT_NE(line.thread, 0);
  EXPECT_FALSE(line.span);
  EXPECT_TRUE(line.event.empty());
}

TEST_F(SpdlogSinkTest, InAToolItHasTheIdsOfItsSpan) {
  const auto tool = in_a_tool([&] { shop_.info("inside"); });
  shop_.info("outside");
  const auto logs = logs_->take();
  ASSERT_EQ(logs.size(), 2U);
  EXPECT_TRUE(tool.opening->trace);
  EXPECT_EQ(logs[0]->span, tool.opening->trace);
  EXPECT_FALSE(logs[1]->span);
}

TEST_F(SpdlogSinkTest, LevelsAreOurs) {
  using Level = spdlog::level::level_enum;
  for (const auto& [level, severity] : std::vector<std::pair<Level, std::optional<Severity>>>{
           {spdlog::level::trace, std::nullopt},  // less than the level of our logs
           {spdlog::level::debug, Severity::debug},
           {spdlog::level::info, Severity::info},
           {spdlog::level::warn, Severity::warn},
           {spdlog::level::err, Severity::error},
           {spdlog::level::critical, Severity::fatal}}) {
    shop_.log(level, "line");
    const auto logs = logs_->take();
    ASSERT_EQ(logs.size(), severity ? 1U : 0U);
    if (severity) {
      EXPECT_EQ(logs[0]->severity, *severity);
    }
  }
}

TEST_F(SpdlogSinkTest, WithoutLogsOrAfterThemLinesAreIgnored) {
  spdlog::logger off("off", std::make_shared<SpdlogSink>(Telemetry().logger()));
  off.info("nobody listens");
  telemetry_.shutdown();
  shop_.info("too late");
  EXPECT_TRUE(logs_->take().empty());
}

TEST_F(SpdlogSinkTest, AProgramWithoutSpdlogLogsAsWell) {
  const auto tool = in_a_tool([&] {
    telemetry_.log(Severity::info, "sold", {{"shop.apples", 3}, {"gen_ai.tool.name", "ours"}});
  });
  const auto logs = logs_->take();
  ASSERT_EQ(logs.size(), 1U);
  EXPECT_EQ(logs[0]->span, tool.opening->trace);
  EXPECT_EQ(logs[0]->logger, "program");
  EXPECT_EQ(text_of(*logs[0]), "INFO: sold | shop.apples=3");
}

}  // namespace
}  // namespace mellea::telemetry
