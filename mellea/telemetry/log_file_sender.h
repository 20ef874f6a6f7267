// Appends log records to a file that is put aside when it is large.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "mellea/telemetry/batch_processor.h"

namespace mellea::telemetry {

class LogFileSender : public LogSender {
 public:
  // Opens the file. Throws Error (Errc::invalid_request) if it can't be, or its settings make no
  // sense.
  LogFileSender(LogFile settings, ResourceAttributes fields);
  ~LogFileSender() override;

  std::string name() const override { return settings_.path; }
  std::string label() const override { return "log file"; }
  BatchSent send(std::span<const LogPtr> logs) override;
  void interrupt() noexcept override { interrupted_ = true; }
  void close() noexcept override;

 private:
  class Sink;
  const LogFile settings_;
  const ResourceAttributes fields_;
  std::atomic<bool> interrupted_{false};
  std::unique_ptr<Sink> sink_;  // null once it is closed
};

}  // namespace mellea::telemetry
