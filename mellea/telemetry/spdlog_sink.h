// Lines of a program's own spdlog loggers, on their way through our exporters:
//
//   auto logger = std::make_shared<spdlog::logger>(
//       "shop", std::make_shared<mellea::telemetry::SpdlogSink>(telemetry.logger()));
//   logger->info("sold {} apples", 3);  // in a tool: with the ids of its span
//
// For programs that have spdlog: nothing else here includes it, and <mellea/telemetry.h> does not
// include this.
#pragma once

#include <spdlog/common.h>
#include <spdlog/details/log_msg.h>
#include <spdlog/sinks/sink.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "mellea/telemetry/logger.h"

namespace mellea::telemetry {

// The instrumentation scope is the logger's name. Patterns have no effect: the exporters say how a
// record looks. May be used by any thread, and outlive Telemetry: then lines are ignored.
class SpdlogSink final : public spdlog::sinks::sink {
 public:
  // As Telemetry::logger() gives it. Null: lines are ignored.
  explicit SpdlogSink(std::shared_ptr<Logger> logger) : logger_(std::move(logger)) {}

  void log(const spdlog::details::log_msg& line) override {
    const Severity severity = severity_of(line.level);
    if (!logger_ || !logger_->wants(severity)) return;
    const auto since = line.time.time_since_epoch();
    LogRecord record{.at = std::chrono::duration_cast<std::chrono::nanoseconds>(since).count(),
                     .severity = severity,
                     .body = std::string(line.payload.data(), line.payload.size()),
                     .thread = static_cast<std::int64_t>(line.thread_id)};
    record.logger.assign(line.logger_name.data(), line.logger_name.size());
    if (line.source.filename) record.source.file = line.source.filename;
    if (line.source.funcname) record.source.function = line.source.funcname;
    record.source.line = line.source.line;
    logger_->log_line(std::move(record));
  }
  void flush() override {}  // Telemetry::flush() does
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

 private:
  static Severity severity_of(spdlog::level::level_enum level) noexcept {
    switch (level) {
      case spdlog::level::trace: return Severity::trace;
      case spdlog::level::debug: return Severity::debug;
      case spdlog::level::info: return Severity::info;
      case spdlog::level::warn: return Severity::warn;
      case spdlog::level::err: return Severity::error;
      default: return Severity::fatal;
    }
  }

  const std::shared_ptr<Logger> logger_;
};

}  // namespace mellea::telemetry
