#include "mellea/otel/host_logs.h"

#include <gtest/gtest.h>
#include <opentelemetry/sdk/logs/exporter.h>
#include <opentelemetry/sdk/logs/logger_provider.h>
#include <opentelemetry/sdk/logs/read_write_log_record.h>
#include <opentelemetry/sdk/logs/simple_log_record_processor.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mellea/otel/bridge.h"
#include "mellea/otel/values.h"
#include "mellea/telemetry/telemetry.h"

namespace mellea::otel {
namespace {

namespace sdk = opentelemetry::sdk::logs;
using telemetry::Fact;
using telemetry::LogPtr;
using telemetry::LogRecord;

struct Seen {
  int severity = 0;
  std::string body{};
  std::string event{};
  std::string scope{};
  std::string reason{};
  std::int64_t status = 0;
  TraceRef span{};
};

// Writes down what it gets: the SDK's own record views what we gave it.
class Keeper final : public sdk::LogRecordExporter {
 public:
  explicit Keeper(std::vector<Seen>& seen) : seen_(seen) {}
  std::unique_ptr<sdk::Recordable> MakeRecordable() noexcept override {
    return std::make_unique<sdk::ReadWriteLogRecord>();
  }
  opentelemetry::sdk::common::ExportResult Export(
      const opentelemetry::nostd::span<std::unique_ptr<sdk::Recordable>>& records) noexcept
      override {
    for (const auto& record : records) keep(static_cast<const sdk::ReadWriteLogRecord&>(*record));
    return opentelemetry::sdk::common::ExportResult::kSuccess;
  }
  bool ForceFlush(std::chrono::microseconds) noexcept override { return true; }
  bool Shutdown(std::chrono::microseconds) noexcept override { return true; }

 private:
  static std::string text(const opentelemetry::common::AttributeValue& value) {
    return std::string(to_std(opentelemetry::nostd::get<opentelemetry::nostd::string_view>(value)));
  }
  void keep(const sdk::ReadWriteLogRecord& record) {
    Seen one{.severity = static_cast<int>(record.GetSeverity()),
             .body = text(record.GetBody()),
             .scope = record.GetInstrumentationScope().GetName()};
    for (const auto& [key, value] : record.GetAttributes()) {
      if (key == "event.name") one.event = text(value);
      if (key == "tenant") one.reason = text(value);
      if (key == "http.response.status_code")
        one.status = opentelemetry::nostd::get<std::int64_t>(value);
    }
    one.span = to_ids(opentelemetry::trace::SpanContext(record.GetTraceId(), record.GetSpanId(),
                                                        record.GetTraceFlags(), false));
    seen_.push_back(std::move(one));
  }

  std::vector<Seen>& seen_;
};

class HostLogsTest : public testing::Test {
 protected:
  void log(LogRecord record) {
    const LogPtr shared = std::make_shared<const LogRecord>(std::move(record));
    logs_.export_logs({&shared, 1});
  }

  std::vector<Seen> seen_;
  sdk::LoggerProvider host_{
      std::make_unique<sdk::SimpleLogRecordProcessor>(std::make_unique<Keeper>(seen_))};
  HostLogs logs_{host_};
};

TEST_F(HostLogsTest, ARecordKeepsAllThatItSays) {
  LogRecord record{.at = 1'700'000'000'000'000'000,
                   .severity = telemetry::Severity::warn,
                   .event = "mellea.generation.retry",
                   .body = "asked again",
                   .span = TraceRef::from_traceparent(
                       "00-0123456789abcdef0123456789abcdef-1111111111111111-01")};
  record.set(Fact::http_status, std::int64_t{429});
  record.attributes.push_back({std::string("tenant"), std::string("blue")});
  const TraceRef span = record.span;
  log(std::move(record));
  ASSERT_EQ(seen_.size(), 1U);
  EXPECT_EQ(seen_[0].severity, 13);
  EXPECT_EQ(seen_[0].body, "asked again");
  EXPECT_EQ(seen_[0].event, "mellea.generation.retry");
  EXPECT_EQ(seen_[0].scope, "mellea");
  EXPECT_EQ(seen_[0].status, 429);
  EXPECT_EQ(seen_[0].reason, "blue");
  EXPECT_EQ(seen_[0].span, span);
}

TEST_F(HostLogsTest, ALineOfTheProgramsHasItsOwnScopeAndNoSpan) {
  log({.body = "open \xff", .logger = "shop"});
  ASSERT_EQ(seen_.size(), 1U);
  EXPECT_EQ(seen_[0].scope, "shop");
  EXPECT_EQ(seen_[0].body, "open \xEF\xBF\xBD");
  EXPECT_FALSE(seen_[0].span);
}

TEST_F(HostLogsTest, WhatTelemetryLogsGoesToTheHost) {
  telemetry::Telemetry telemetry(logs_through(host_));
  telemetry.log(telemetry::Severity::warn, "low on tea");
  telemetry.log(telemetry::Severity::debug, "steeping");
  ASSERT_EQ(seen_.size(), 1U);
  EXPECT_EQ(seen_[0].body, "low on tea");
}

TEST_F(HostLogsTest, NothingIsGivenAfterShutdown) {
  EXPECT_TRUE(logs_.shutdown({}));
  log({.body = "late"});
  EXPECT_TRUE(seen_.empty());
}

}  // namespace
}  // namespace mellea::otel
