// Gives our log records to the host's loggers.
#pragma once

#include <opentelemetry/logs/logger_provider.h>
#include <opentelemetry/nostd/shared_ptr.h>

#include <map>
#include <mutex>
#include <shared_mutex>
#include <string>

#include "mellea/telemetry/log_record.h"

namespace mellea::otel {

// Keeps nothing itself: each record goes on the thread that logs. Any thread may call anything.
// What the processors hold is the host's to flush and to deliver: its API has no way to ask for it.
class HostLogs final : public telemetry::LogExporter {
 public:
  // `host` has to outlive it, or its shutdown().
  explicit HostLogs(opentelemetry::logs::LoggerProvider& host) : host_(host) {}

  void export_logs(std::span<const telemetry::LogPtr> logs) noexcept override;
  bool flush(Instant until) noexcept override;
  bool shutdown(Instant until) noexcept override;

 private:
  using Logger = opentelemetry::nostd::shared_ptr<opentelemetry::logs::Logger>;
  void give(const telemetry::LogRecord& log);
  Logger logger_of(const std::string& name);

  opentelemetry::logs::LoggerProvider& host_;
  std::shared_timed_mutex giving_;  // shared by those who give; alone by who ends it
  bool closed_ = false;             // guarded by giving_
  std::mutex mutex_;
  std::map<std::string, Logger> loggers_;  // guarded by mutex_
};

}  // namespace mellea::otel
