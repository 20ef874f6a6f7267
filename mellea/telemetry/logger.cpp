#include "mellea/telemetry/logger.h"

#include <exception>
#include <utility>

namespace mellea::telemetry {

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

Logger::Logger(Severity least, std::vector<std::shared_ptr<LogExporter>> exporters)
    : least_(least), exporters_(std::move(exporters)) {}

bool Logger::wants(Severity severity) const noexcept {
  return severity >= least_ && !exporters_.empty() && !closed_.load(std::memory_order_acquire) &&
         !fork_.inherited();
}

void Logger::log(LogRecord record) noexcept {
  if (!wants(record.severity)) return;
  try {
    const LogPtr log = std::make_shared<const LogRecord>(std::move(record));
    for (const auto& exporter : exporters_) exporter->export_logs({&log, 1});
  } catch (const std::exception&) {  // no memory
  }
}

bool Logger::flush(Instant until) {
  if (closed_.load(std::memory_order_acquire) || fork_.inherited()) return true;
  bool all = true;
  for (const auto& exporter : exporters_) all = exporter->flush(until) && all;
  return all;
}

bool Logger::shutdown(Instant until) {
  if (fork_.inherited() || closed_.exchange(true)) return true;
  bool all = true;
  for (const auto& exporter : exporters_) all = exporter->shutdown(until) && all;
  return all;
}

}  // namespace mellea::telemetry
