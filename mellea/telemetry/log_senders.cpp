#include "mellea/telemetry/log_senders.h"

#include <utility>

#include "mellea/core/error.h"
#include "mellea/net/url.h"
#include "mellea/telemetry/log_text.h"
#include "mellea/telemetry/otlp_logs.h"

namespace mellea::telemetry {
namespace {

Webhook fit(Webhook webhook) {
  if (const std::string wrong = why_unfit(webhook); !wrong.empty())
    throw Error(Errc::invalid_request, "webhook: " + wrong);
  return webhook;
}

}  // namespace

std::string why_unfit(const Webhook& webhook) {
  try {
    if (parse_url(webhook.url).scheme == "https" || webhook.insecure_http_allowed) return {};
    return "its URL is not https, and MELLEA_LOGGER_INSECURE_HTTP_ALLOWED (in code: "
           "insecure_http_allowed) is not true";
  } catch (const Error&) {
    return "it is no http or https URL";
  }
}

OtlpHttpLogSender::OtlpHttpLogSender(OtlpHttp settings, std::shared_ptr<const Resource> resource)
    : client_(std::move(settings), "log records"), resource_(std::move(resource)) {}

std::string OtlpHttpLogSender::send(std::span<const LogPtr> logs) {
  std::string failure;
  for (std::string& request : otlp_logs_protobuf(logs, *resource_, OtlpHttpClient::kMostBytes)) {
    OtlpHttpClient::Posted posted = client_.post(std::move(request));
    if (!posted.failure.empty()) failure = std::move(posted.failure);
  }
  return failure;
}

OtlpFileLogSender::OtlpFileLogSender(std::string path, std::shared_ptr<const Resource> resource)
    : file_(std::move(path)), resource_(std::move(resource)) {}

std::string OtlpFileLogSender::send(std::span<const LogPtr> logs) {
  return file_.append(otlp_logs_json(logs, *resource_) + "\n");
}

WebhookSender::WebhookSender(Webhook settings, ResourceAttributes fields)
    : client_(fit(std::move(settings))), fields_(std::move(fields)) {}

std::string WebhookSender::send(std::span<const LogPtr> logs) {
  std::string failure;
  std::string array;
  const auto post = [&] {
    OtlpHttpClient::Posted posted = client_.post("[" + std::exchange(array, {}) + "]");
    if (!posted.failure.empty()) failure = std::move(posted.failure);
  };
  for (const LogPtr& log : logs) {
    const std::string record = log_as_json(*log, fields_);
    if (!array.empty() && array.size() + record.size() > kMostBytes) post();
    array.append(array.empty() ? "" : ",").append(record);
  }
  if (!array.empty()) post();
  return failure;
}

}  // namespace mellea::telemetry
