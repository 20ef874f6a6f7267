// What the logging plugins write to, and programs beside them.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "mellea/core/fork.h"
#include "mellea/core/scope.h"
#include "mellea/telemetry/log_record.h"

namespace mellea::telemetry {

// Hands records to the exporters. Shared by the logging plugins and by the program's own loggers,
// which outlive Telemetry: after shutdown(), and in a child of fork(), records are ignored, and so
// is what an exporter logs while it is given one. Any thread may call anything.
class Logger {
 public:
  // `details`: records of what was said, which are of DEBUG, go to the exporters whatever `least`
  // is. Lines of the program's do not.
  Logger(Severity least, std::vector<std::shared_ptr<LogExporter>> exporters, bool details = false);

  // Whether a record of this severity goes anywhere: lets the caller skip making it.
  bool wants(Severity severity) const noexcept;
  void log(LogRecord record) noexcept;
  // A line of the program's own: in the operation whose tool, check or callback runs on this thread
  // (UserCodeOnThread), if one does and the record does not say another.
  void log_line(LogRecord record) noexcept;

  std::int64_t lost() const noexcept;  // records, so far
  // False if `until` was too early, or a record was lost meanwhile.
  bool flush(Instant until);
  bool shutdown(Instant until);

 private:
  const Severity least_;  // of lines
  const Severity least_record_;
  const std::vector<std::shared_ptr<LogExporter>> exporters_;
  const ForkMark fork_;
  std::atomic<bool> closed_{false};
};

// Where `scope` is in a trace: `given` if it is known to be traced, else the nearest span around
// it, be it the caller's own. Zero: in none.
TraceRef place_of(const Scope& scope, const TraceRef& given = {}) noexcept;

// Says where a record belongs: its span, its session, its generation, its attempt.
void set_place(LogRecord& record, const Scope& scope, const TraceRef& given = {});
// Adds labels of the program's, the last to be added: not those that are there, or are called as a
// fact is.
void set_labels(LogRecord& record, const Labels& labels);

// Says that code of the user's runs on this thread within `scope`, for as long as it lives: so that
// log lines can name the operation. It is asked for nothing else, and never a parent. Ends on the
// thread that began it, the last first.
class UserCodeOnThread {
 public:
  explicit UserCodeOnThread(Scope scope) noexcept;
  ~UserCodeOnThread();
  UserCodeOnThread(const UserCodeOnThread&) = delete;
  UserCodeOnThread& operator=(const UserCodeOnThread&) = delete;

 private:
  const Scope scope_;
  const Scope* const outer_;  // null: none was running
};

}  // namespace mellea::telemetry
