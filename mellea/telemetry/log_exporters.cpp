#include "mellea/telemetry/log_exporters.h"

#include <utility>

#include "mellea/telemetry/log_text.h"

namespace mellea::telemetry {

LogTextExporter::LogTextExporter(LogText text, Severity least, ResourceAttributes fields)
    : text_(std::move(text)), least_(least), fields_(std::move(fields)) {}

void LogTextExporter::export_logs(std::span<const LogPtr> logs) noexcept {
  try {
    for (const LogPtr& log : logs)
      if (log->for_people && log->severity >= least_ && text_.write) write(*log);
  } catch (...) {  // NOLINT: what people see is no reason to fail
  }
}

void LogTextExporter::write(const LogRecord& record) const {
  text_.write(text_.json ? log_as_json(record, fields_) + "\n"
                         : log_for_console(record, text_.colour));
}

void LogMemory::export_logs(std::span<const LogPtr> logs) noexcept {
  const std::lock_guard lock(mutex_);
  for (const LogPtr& log : logs) {
    if (logs_.size() < most_)
      logs_.push_back(log);
    else
      ++dropped_;
  }
}

std::vector<LogPtr> LogMemory::logs() const {
  const std::lock_guard lock(mutex_);
  return logs_;
}

std::vector<LogPtr> LogMemory::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(logs_, {});
}

}  // namespace mellea::telemetry
