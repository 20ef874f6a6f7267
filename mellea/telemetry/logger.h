// What the logging plugins write to.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "mellea/core/fork.h"
#include "mellea/telemetry/log_record.h"

namespace mellea::telemetry {

// Hands records to the exporters. Shared by the logging plugins, which outlive Telemetry: after
// shutdown(), and in a child of fork(), records are ignored. Any thread may call anything.
class Logger {
 public:
  Logger(Severity least, std::vector<std::shared_ptr<LogExporter>> exporters);

  // Whether a record of this severity goes anywhere: lets the caller skip making it.
  bool wants(Severity severity) const noexcept;
  void log(LogRecord record) noexcept;

  // False if `until` was too early, or a record was lost meanwhile.
  bool flush(Instant until);
  bool shutdown(Instant until);

 private:
  const Severity least_;
  const std::vector<std::shared_ptr<LogExporter>> exporters_;
  const ForkMark fork_;
  std::atomic<bool> closed_{false};
};

}  // namespace mellea::telemetry
