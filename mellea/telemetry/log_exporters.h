// Log records to people, and to memory.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "mellea/telemetry/config.h"
#include "mellea/telemetry/log_record.h"

namespace mellea::telemetry {

// Writes each record that is for people, on the thread that logs.
class LogTextExporter : public LogExporter {
 public:
  LogTextExporter(LogText text, Severity least, ResourceAttributes fields);

  void export_logs(std::span<const LogPtr> logs) noexcept override;
  bool flush(Instant) noexcept override { return true; }
  bool shutdown(Instant) noexcept override { return true; }

 private:
  void write(const LogRecord& record) const;

  const LogText text_;
  const Severity least_;
  const ResourceAttributes fields_;
};

// Keeps records, for tests and for those who look at them in the program. Once it is full, new ones
// are counted and not kept.
class LogMemory : public LogExporter {
 public:
  explicit LogMemory(std::size_t most = 16'384) : most_(most) {}

  void export_logs(std::span<const LogPtr> logs) noexcept override;
  bool flush(Instant) noexcept override { return true; }
  bool shutdown(Instant) noexcept override { return true; }

  std::vector<LogPtr> logs() const;
  std::vector<LogPtr> take();  // as logs(), and forgets them
  std::int64_t dropped() const noexcept { return dropped_; }

 private:
  const std::size_t most_;
  std::atomic<std::int64_t> dropped_{0};
  mutable std::mutex mutex_;
  std::vector<LogPtr> logs_;  // guarded by mutex_
};

}  // namespace mellea::telemetry
