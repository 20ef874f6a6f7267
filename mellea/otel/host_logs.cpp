#include "mellea/otel/host_logs.h"

#include <opentelemetry/common/attribute_value.h>
#include <opentelemetry/common/timestamp.h>
#include <opentelemetry/logs/log_record.h>
#include <opentelemetry/logs/logger.h>
#include <opentelemetry/logs/severity.h>
#include <opentelemetry/trace/trace_flags.h>

#include <chrono>
#include <deque>
#include <exception>
#include <variant>
#include <vector>

#include "mellea/core/text.h"
#include "mellea/otel/values.h"

namespace mellea::otel {
namespace {

namespace logs = opentelemetry::logs;
namespace nostd = opentelemetry::nostd;

static_assert(static_cast<int>(logs::Severity::kWarn) ==
                  static_cast<int>(telemetry::Severity::warn),
              "both number them as OpenTelemetry does");

// Sets what a record says, as valid UTF-8. The SDK's own records view what they are given: it is
// kept until they are emitted.
class Setter {
 public:
  explicit Setter(logs::LogRecord& record) : record_(record) {}

  nostd::string_view kept(std::string_view text) {
    return to_nostd(is_utf8(text) ? text : std::string_view(copies_.emplace_back(to_utf8(text))));
  }

  void set(std::string_view key, const telemetry::LogValue& value) {
    std::visit([&](const auto& held) { set_held(to_nostd(key), held); }, value);
  }

 private:
  template <class Plain>
  void set_held(nostd::string_view key, Plain value) {
    record_.SetAttribute(key, value);
  }
  void set_held(nostd::string_view key, const std::string& text) {
    record_.SetAttribute(key, kept(text));
  }
  void set_held(nostd::string_view key, const telemetry::JsonText& json) {
    record_.SetAttribute(key, kept(json.text));
  }
  void set_held(nostd::string_view key, const std::vector<std::string>& texts) {
    std::vector<nostd::string_view>& views = lists_.emplace_back();
    for (const std::string& text : texts) views.push_back(kept(text));
    record_.SetAttribute(key, nostd::span<const nostd::string_view>(views.data(), views.size()));
  }

  logs::LogRecord& record_;
  std::deque<std::string> copies_;
  std::deque<std::vector<nostd::string_view>> lists_;
};

}  // namespace

void HostLogs::export_logs(std::span<const telemetry::LogPtr> logs) noexcept {
  const std::shared_lock giving(giving_);
  if (closed_) return;
  try {
    for (const telemetry::LogPtr& log : logs) give(*log);
  } catch (const std::exception&) {  // no memory
  }
}

void HostLogs::give(const telemetry::LogRecord& log) {
  const Logger logger = logger_of(log.logger);
  auto record = logger->CreateLogRecord();
  if (!record) return;
  const opentelemetry::common::SystemTimestamp at{std::chrono::nanoseconds(log.at)};
  record->SetTimestamp(at);
  record->SetObservedTimestamp(at);
  record->SetSeverity(static_cast<logs::Severity>(log.severity));
  Setter setter(*record);
  record->SetBody(setter.kept(log.body));
  if (!log.event.empty()) {
    record->SetEventId(0, to_nostd(log.event));
    record->SetAttribute("event.name", to_nostd(log.event));  // exporters of 1.19 drop the other
  }
  for (const telemetry::LogAttribute& attribute : log.attributes)
    setter.set(telemetry::name_of(attribute), attribute.value);
  if (log.span) {
    const auto context = to_context(log.span);
    record->SetTraceId(context.trace_id());
    record->SetSpanId(context.span_id());
    record->SetTraceFlags(context.trace_flags());
  }
  logger->EmitLogRecord(std::move(record));
}

HostLogs::Logger HostLogs::logger_of(const std::string& name) {
  const std::lock_guard lock(mutex_);
  Logger& logger = loggers_[name];
  if (!logger) logger = host_.GetLogger(to_nostd(name), to_nostd(name), MELLEA_VERSION);
  return logger;
}

bool HostLogs::flush(Instant) noexcept { return true; }

bool HostLogs::shutdown(Instant until) noexcept {
  const std::unique_lock alone(giving_, until);
  if (!alone) return false;  // the host's processor does not return
  closed_ = true;
  return true;
}

}  // namespace mellea::otel
