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

BatchSent OtlpHttpLogSender::send(std::span<const LogPtr> logs) {
  return client_.post_all(otlp_logs_protobuf(logs, *resource_, OtlpHttpClient::kMostBytes),
                          logs.size());
}

OtlpFileLogSender::OtlpFileLogSender(std::string path, std::shared_ptr<const Resource> resource)
    : file_(std::move(path)), resource_(std::move(resource)) {}

BatchSent OtlpFileLogSender::send(std::span<const LogPtr> logs) {
  return {.failure = file_.append(otlp_logs_json(logs, *resource_) + "\n")};
}

WebhookSender::WebhookSender(Webhook settings, ResourceAttributes fields)
    : client_(fit(std::move(settings))), fields_(std::move(fields)) {}

BatchSent WebhookSender::send(std::span<const LogPtr> logs) {
  std::vector<std::string> arrays;
  for (const LogPtr& log : logs) {
    const std::string record = log_as_json(*log, fields_);
    if (arrays.empty() || arrays.back().size() + record.size() > kMostBytes)
      arrays.push_back("[" + record);
    else
      arrays.back().append(",").append(record);
  }
  for (std::string& array : arrays) array += ']';
  return client_.post_all(std::move(arrays), logs.size());
}

}  // namespace mellea::telemetry
