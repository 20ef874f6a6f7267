#include "mellea/telemetry/logger.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <type_traits>
#include <utility>

#include "mellea/telemetry/exporter_list.h"

namespace mellea::telemetry {
namespace {

// Whose user code runs on this thread; null: nobody's.
thread_local const Scope* user_code = nullptr;
// An exporter is being given a record by this thread.
thread_local bool exporting = false;

class Exporting {
 public:
  Exporting() noexcept { exporting = true; }
  ~Exporting() { exporting = false; }
  Exporting(const Exporting&) = delete;
  Exporting& operator=(const Exporting&) = delete;
};

std::int64_t now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(since).count();
}

}  // namespace

std::string_view to_string(Severity severity) noexcept {
  switch (severity) {
    case Severity::trace: return "TRACE";
    case Severity::debug: return "DEBUG";
    case Severity::info: return "INFO";
    case Severity::warn: return "WARN";
    case Severity::error: return "ERROR";
    case Severity::fatal: break;
  }
  return "FATAL";
}

std::string_view name_of(const LogAttribute& attribute) noexcept {
  const Fact* fact = std::get_if<Fact>(&attribute.key);
  return fact ? name_of(*fact) : std::string_view(*std::get_if<std::string>(&attribute.key));
}

std::size_t LogRecord::bytes() const noexcept {
  struct Size {
    std::size_t operator()(const std::string& text) const { return text.size(); }
    std::size_t operator()(const JsonText& json) const { return json.text.size(); }
    std::size_t operator()(const std::vector<std::string>& texts) const {
      std::size_t sum = 0;
      for (const std::string& text : texts) sum += sizeof text + text.size();
      return sum;
    }
    std::size_t operator()(Fact) const { return 0; }
    std::size_t operator()(std::int64_t) const { return 0; }
    std::size_t operator()(double) const { return 0; }
    std::size_t operator()(bool) const { return 0; }
  };
  std::size_t sum = sizeof *this + body.size() + logger.size();
  for (const LogAttribute& one : attributes)
    sum += sizeof one + std::visit(Size(), one.key) + std::visit(Size(), one.value);
  return sum;
}

Logger::Logger(Severity least, std::vector<std::shared_ptr<LogExporter>> exporters, bool details)
    : least_(least),
      least_record_(details ? std::min(least, Severity::debug) : least),
      exporters_(std::move(exporters)) {}

bool Logger::wants(Severity severity) const noexcept {
  return severity >= least_record_ && !exporters_.empty() &&
         !closed_.load(std::memory_order_acquire) && !fork_.inherited() && !exporting;
}

void Logger::log(LogRecord record) noexcept {
  if (!wants(record.severity)) return;
  const Exporting none_in_between;
  try {
    if (record.at == 0) record.at = now();
    if (record.thread == 0) record.thread = ::syscall(SYS_gettid);
    const LogPtr log = std::make_shared<const LogRecord>(std::move(record));
    for (const auto& exporter : exporters_) exporter->export_logs({&log, 1});
  } catch (const std::exception&) {  // no memory
  }
}

void Logger::log_line(LogRecord record) noexcept {
  if (record.severity < least_ || !wants(record.severity)) return;
  try {
    if (user_code && !record.span) {
      set_place(record, *user_code);
      set_labels(record, user_code->labels());
    }
  } catch (const std::exception&) {  // no memory
    return;
  }
  log(std::move(record));
}

std::int64_t Logger::lost() const noexcept { return lost_by(exporters_); }

bool Logger::flush(Instant until) {
  if (closed_.load(std::memory_order_acquire) || fork_.inherited()) return true;
  return flush_all(exporters_, until);
}

bool Logger::shutdown(Instant until) {
  if (fork_.inherited() || closed_.exchange(true)) return true;
  return shutdown_all(exporters_, until);
}

TraceRef place_of(const Scope& scope, const TraceRef& given) noexcept {
  if (given) return given;
  if (scope.trace()) return scope.trace();
  TraceRef place;
  if (scope.origin()) place = TraceRef::from_traceparent(scope.origin()->traceparent);
  return place ? place : scope.parent_trace();
}

void set_place(LogRecord& record, const Scope& scope, const TraceRef& given) {
  if (!scope) return;
  record.span = place_of(scope, given);
  if (const Id session = scope.id(Kind::session)) record.set(Fact::session_id, session.text());
  if (scope.kind() == Kind::generation || scope.kind() == Kind::batch)
    record.set(Fact::generation_id, scope.id().text());
  if (scope.iteration() != 0) record.set(Fact::sampling_iteration, std::int64_t{scope.iteration()});
}

void set_labels(LogRecord& record, const Labels& labels) {
  auto& attributes = record.attributes;
  for (const auto& [key, label] : labels) {
    const auto is_there = [&, &name = key](const auto& one) { return name_of(one) == name; };
    if (names_a_fact(key) || std::any_of(attributes.begin(), attributes.end(), is_there)) continue;
    std::visit([&, &name = key](const auto& value) { attributes.push_back({name, value}); }, label);
  }
}

UserCodeOnThread::UserCodeOnThread(Scope scope) noexcept
    : scope_(std::move(scope)), outer_(std::exchange(user_code, &scope_)) {}

UserCodeOnThread::~UserCodeOnThread() { user_code = outer_; }

}  // namespace mellea::telemetry
