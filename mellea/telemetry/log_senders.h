// What batches of log records are sent with.
#pragma once

#include <memory>
#include <string>

#include "mellea/telemetry/batch_processor.h"
#include "mellea/telemetry/line_file.h"
#include "mellea/telemetry/otlp_http_client.h"
#include "mellea/telemetry/resource.h"

namespace mellea::telemetry {

// To a collector: OTLP in protobuf over HTTP.
class OtlpHttpLogSender : public LogSender {
 public:
  OtlpHttpLogSender(OtlpHttp settings, std::shared_ptr<const Resource> resource);

  std::string name() const override { return client_.name(); }
  std::string label() const override { return client_.host(); }
  BatchSent send(std::span<const LogPtr> logs) override;
  void interrupt() noexcept override { client_.interrupt(); }
  void close() noexcept override { client_.close(); }

 private:
  OtlpHttpClient client_;
  const std::shared_ptr<const Resource> resource_;
};

// To a file: OTLP as JSON, one line a batch.
class OtlpFileLogSender : public LogSender {
 public:
  OtlpFileLogSender(std::string path, std::shared_ptr<const Resource> resource);

  std::string name() const override { return file_.path(); }
  std::string label() const override { return "file"; }
  BatchSent send(std::span<const LogPtr> logs) override;
  void interrupt() noexcept override { file_.interrupt(); }
  void close() noexcept override { file_.close(); }

 private:
  LineFile file_;
  const std::shared_ptr<const Resource> resource_;
};

// Why nothing can be posted there, without the URL, which may be a key; nothing if it can.
std::string why_unfit(const Webhook& webhook);

// To a webhook: arrays of records as JSON. Throws Error (Errc::invalid_request) if it is unfit.
class WebhookSender : public LogSender {
 public:
  static constexpr std::size_t kMostBytes = 256U
                                            << 10U;  // in one array, unless one record is larger

  WebhookSender(Webhook settings, ResourceAttributes fields);

  std::string name() const override { return client_.name(); }
  std::string label() const override { return client_.host(); }
  BatchSent send(std::span<const LogPtr> logs) override;
  void interrupt() noexcept override { client_.interrupt(); }
  void close() noexcept override { client_.close(); }

 private:
  OtlpHttpClient client_;
  const ResourceAttributes fields_;
};

}  // namespace mellea::telemetry
