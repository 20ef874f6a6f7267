#include "mellea/telemetry/log_file_sender.h"

#include <spdlog/sinks/rotating_file_sink.h>

#include <exception>
#include <utility>

#include "mellea/core/error.h"
#include "mellea/telemetry/log_text.h"

namespace mellea::telemetry {

// Hides spdlog from the header. Its lines are ours as they are.
class LogFileSender::Sink {
 public:
  explicit Sink(const LogFile& file) : sink_(file.path, file.max_bytes, file.backups) {
    sink_.set_pattern("%v");
  }

  void write(const std::string& line) {
    sink_.log(spdlog::details::log_msg("mellea", spdlog::level::info, line));
  }
  void flush() { sink_.flush(); }

 private:
  spdlog::sinks::rotating_file_sink_st sink_;
};

LogFileSender::LogFileSender(LogFile settings, ResourceAttributes fields)
    : settings_(std::move(settings)), fields_(std::move(fields)) {
  if (settings_.max_bytes == 0)
    throw Error(Errc::invalid_request, settings_.path + ": a log file of 0 bytes can't be written");
  try {
    sink_ = std::make_unique<Sink>(settings_);
  } catch (const std::exception& error) {
    throw Error(Errc::invalid_request, std::string("log file: ") + error.what());
  }
}

LogFileSender::~LogFileSender() = default;

BatchSent LogFileSender::send(std::span<const LogPtr> logs) {
  if (interrupted_ || !sink_) return {.failure = "there was no time left"};
  try {
    for (const LogPtr& log : logs)
      sink_->write(settings_.json ? log_as_json(*log, fields_) : log_for_file(*log));
    sink_->flush();
  } catch (const std::exception& error) {
    return {.failure = error.what()};
  }
  return {};
}

void LogFileSender::close() noexcept { sink_ = nullptr; }

}  // namespace mellea::telemetry
