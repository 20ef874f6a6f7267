#include "mellea/telemetry/otlp_http_client.h"

#include <algorithm>
#include <protozero/pbf_reader.hpp>
#include <random>
#include <utility>

#include "mellea/core/error.h"
#include "mellea/core/text.h"
#include "mellea/net/network.h"
#include "mellea/net/retry.h"
#include "mellea/net/url.h"
#include "mellea/telemetry/gzip.h"

namespace mellea::telemetry {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMostAnswer = 64U << 10U;

// As many retries as the timeout has room for.
constexpr RetryRule kRetries{
    .retries = 100, .first_delay = milliseconds(500), .longest_delay = milliseconds(5'000)};

// OTLP names those that may be tried again.
bool may_pass(int status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

double random_fraction() {
  thread_local std::minstd_rand numbers{std::random_device()()};
  return std::uniform_real_distribution<double>(0, 1)(numbers);
}

std::string shown(const std::string& url) {
  try {
    return parse_url(url).shown;
  } catch (const Error&) {
    return "the OTLP endpoint";
  }
}

}  // namespace

struct OtlpHttpClient::Attempt {
  FailedAttempt failed{};
  Posted posted{};
};

// The exchange that interrupt() may cancel, for as long as it is there.
class OtlpHttpClient::Current {
 public:
  Current(OtlpHttpClient& client, HttpExchange* exchange) : client_(client) {
    client_.set_current(exchange);
  }
  ~Current() { client_.set_current(nullptr); }
  Current(const Current&) = delete;
  Current& operator=(const Current&) = delete;

 private:
  OtlpHttpClient& client_;
};

OtlpHttpClient::OtlpHttpClient(OtlpHttp settings, std::string_view what)
    : settings_(std::move(settings)), what_(what), name_(shown(settings_.endpoint)) {}

OtlpHttpClient::OtlpHttpClient(Webhook settings)
    : settings_{.endpoint = std::move(settings.url),
                .headers = std::move(settings.headers),
                .timeout = settings.timeout,
                .ca_file = std::move(settings.ca_file)},
      name_("webhook at " + host()) {}

OtlpHttpClient::~OtlpHttpClient() = default;

std::string OtlpHttpClient::host() const {
  try {
    return parse_url(settings_.endpoint).authority();
  } catch (const Error&) {  // posting will say why
    return "unknown";
  }
}

OtlpHttpClient::Posted OtlpHttpClient::post(std::string request) {
  if (settings_.gzip) request = gzip(request);
  const auto body = std::make_shared<const std::string>(std::move(request));
  const Instant until = Instant::clock::now() + settings_.timeout;
  milliseconds delay{0};
  for (int number = 1;; ++number) {
    Attempt attempt = post_once(body, delay, until);
    if (attempt.posted.taken) return attempt.posted;
    attempt.failed.attempt = number;
    if (attempt.failed.status != 0 && !may_pass(attempt.failed.status)) return attempt.posted;
    const RetryDecision decision = decide(kRetries, attempt.failed, random_fraction());
    const bool in_time = Instant::clock::now() + decision.delay < until;
    if (!decision.again || !in_time || interrupted_) return attempt.posted;
    delay = decision.delay;
  }
}

BatchSent OtlpHttpClient::post_all(std::vector<std::string> requests, std::size_t items) {
  const auto all = static_cast<std::int64_t>(items);
  BatchSent sent;
  std::int64_t lost = 0;
  for (std::string& request : requests) {
    Posted posted = post(std::move(request));
    if (posted.failure.empty()) continue;
    sent.failure = std::move(posted.failure);
    // One that was not taken may be all there is, and nearly always is.
    lost += posted.taken ? posted.rejected : all;
  }
  sent.delivered = std::max<std::int64_t>(all - lost, 0);
  return sent;
}

OtlpHttpClient::Attempt OtlpHttpClient::post_once(const std::shared_ptr<const std::string>& body,
                                                  milliseconds delay, Instant until) {
  HttpRequest request{.url = settings_.endpoint,
                      .headers = settings_.headers,
                      .body = body,
                      .until = until,
                      .delay = delay,
                      .max_body = kMostAnswer,
                      .ca_file = settings_.ca_file};
  request.limits.connect = settings_.timeout;
  request.headers.emplace_back("content-type",
                               what_.empty() ? "application/json" : "application/x-protobuf");
  if (settings_.gzip) request.headers.emplace_back("content-encoding", "gzip");
  Attempt attempt;
  try {
    if (!network_) network_ = std::make_unique<Network>();
    const std::unique_ptr<HttpExchange> exchange = network_->start(std::move(request));
    const Current current(*this, exchange.get());
    std::string answer;
    HttpNext next = exchange->try_next();
    for (; next != HttpNext::end; next = exchange->try_next()) {
      if (next == HttpNext::pending) exchange->wait(until);
      if (next == HttpNext::bytes) answer += exchange->bytes();
    }
    const HttpHead& head = exchange->head();
    if (head.status / 100 != 2) {
      attempt.failed.status = head.status;
      attempt.failed.asked = retry_after(head, std::chrono::system_clock::now());
      attempt.posted.failure = "HTTP status " + std::to_string(head.status);
    } else {
      attempt.posted.taken = true;
      attempt.posted.rejected = what_.empty() ? 0 : rejected_items(answer);
      if (attempt.posted.rejected > 0)
        attempt.posted.failure =
            "the receiver rejected " + std::to_string(attempt.posted.rejected) + " " + what_;
    }
  } catch (const Error& error) {
    attempt.failed.connection_failed = error.retryable();
    attempt.posted.failure = failure_of(error);
  }
  return attempt;
}

// What went wrong with a webhook is told without its URL.
std::string OtlpHttpClient::failure_of(const Error& error) const {
  if (interrupted_) return "there was no time left";
  return what_.empty() ? std::string(to_string(error.code())) : one_line(error.what());
}

void OtlpHttpClient::set_current(HttpExchange* exchange) {
  const std::lock_guard lock(mutex_);
  current_ = exchange;
  if (current_ && interrupted_) current_->cancel();
}

void OtlpHttpClient::interrupt() noexcept {
  const std::lock_guard lock(mutex_);
  interrupted_ = true;
  if (current_) current_->cancel();
}

void OtlpHttpClient::close() noexcept { network_ = nullptr; }

std::int64_t rejected_items(std::string_view answer) noexcept {
  try {
    protozero::pbf_reader response(answer.data(), answer.size());
    using protozero::pbf_wire_type;
    while (response.next(1, pbf_wire_type::length_delimited)) {
      protozero::pbf_reader partial = response.get_message();
      if (partial.next(1, pbf_wire_type::varint))
        return std::max<std::int64_t>(partial.get_int64(), 0);
    }
  } catch (const std::exception&) {  // an answer that can't be read says nothing
  }
  return 0;
}

}  // namespace mellea::telemetry
