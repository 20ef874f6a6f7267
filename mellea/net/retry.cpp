#include "mellea/net/retry.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <ctime>

namespace mellea {
namespace {

using std::chrono::milliseconds;

// A number of `unit` milliseconds, as "1.5"; empty if it is none. Never negative, never absurd.
std::optional<milliseconds> number_of(std::string_view text, double unit) {
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size() || std::isnan(value)) return {};
  constexpr double kYear = 365.0 * 24 * 3600 * 1000;
  return milliseconds(std::llround(std::clamp(value * unit, 0.0, kYear)));
}

std::optional<milliseconds> until_date(std::string_view text,
                                       std::chrono::system_clock::time_point now) {
  const std::time_t date = curl_getdate(std::string(text).c_str(), nullptr);
  if (date == -1) return {};
  const auto left = std::chrono::system_clock::from_time_t(date) - now;
  return std::max(std::chrono::ceil<milliseconds>(left), milliseconds(0));
}

bool worth_retrying(const FailedAttempt& failed) {
  if (failed.status == 0) return failed.connection_failed;
  return failed.status == 408 || failed.status == 409 || failed.status == 429 ||
         (failed.status >= 500 && failed.status < 600);
}

milliseconds backoff(const RetryRule& rule, int attempt, double random) {
  const double doubled = static_cast<double>(rule.first_delay.count()) * std::exp2(attempt - 1);
  const double longest = static_cast<double>(rule.longest_delay.count());
  return milliseconds(std::llround(std::min(doubled, longest) * (1 - random / 4)));
}

RetryDecision no(std::string reason) {
  return {.again = false, .delay{}, .reason = std::move(reason)};
}

}  // namespace

RetryDecision decide(const RetryRule& rule, const FailedAttempt& failed, double random) {
  if (failed.delivered) return no("part of the answer was delivered");
  if (!worth_retrying(failed)) return no("it would fail again");
  if (failed.attempt > rule.retries) return no(std::to_string(failed.attempt) + " attempts");
  if (failed.asked && *failed.asked > rule.longest_asked) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(*failed.asked).count();
    return no("the server asks to wait " + std::to_string(seconds) + " s");
  }
  const bool asked = failed.asked && *failed.asked > milliseconds(0);
  return {.again = true,
          .delay = asked ? *failed.asked : backoff(rule, failed.attempt, random),
          .reason{}};
}

std::optional<milliseconds> retry_after(const HttpHead& head,
                                        std::chrono::system_clock::time_point now) {
  if (const auto time = number_of(head.header("retry-after-ms"), 1)) return time;
  const std::string_view text = head.header("retry-after");
  if (text.empty()) return {};
  if (const auto time = number_of(text, 1000)) return time;
  return until_date(text, now);
}

}  // namespace mellea
