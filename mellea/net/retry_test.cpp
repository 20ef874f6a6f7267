#include "mellea/net/retry.h"

#include <gtest/gtest.h>

namespace mellea {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

const RetryRule kRule{};

TEST(RetryTest, RetriesWhatMayPass) {
  for (const int status : {408, 409, 429, 500, 502, 503, 504, 529, 599})
    EXPECT_TRUE(decide(kRule, {.status = status}, 0).again) << status;
  EXPECT_TRUE(decide(kRule, {.connection_failed = true}, 0).again);
}

TEST(RetryTest, DoesNotRetryWhatWouldFailAgain) {
  for (const int status : {200, 301, 400, 401, 403, 404, 410, 422, 600})
    EXPECT_FALSE(decide(kRule, {.status = status}, 0).again) << status;
  EXPECT_FALSE(decide(kRule, {.connection_failed = false}, 0).again);
}

TEST(RetryTest, NeverRetriesAfterContentWasDelivered) {
  const RetryDecision decision = decide(kRule, {.connection_failed = true, .delivered = true}, 0);
  EXPECT_FALSE(decision.again);
  EXPECT_EQ(decision.reason, "part of the answer was delivered");
}

TEST(RetryTest, StopsAfterTheRetriesOfTheRule) {
  EXPECT_TRUE(decide(kRule, {.attempt = 2, .status = 500}, 0).again);
  EXPECT_FALSE(decide(kRule, {.attempt = 3, .status = 500}, 0).again);
  EXPECT_FALSE(decide({.retries = 0}, {.attempt = 1, .status = 500}, 0).again);
}

TEST(RetryTest, TheDelayDoublesUpToTheLongest) {
  const RetryRule rule{.retries = 100};
  const auto delay = [&rule](int attempt) {
    return decide(rule, {.attempt = attempt, .status = 500}, 0).delay;
  };
  EXPECT_EQ(delay(1), 500ms);
  EXPECT_EQ(delay(2), 1000ms);
  EXPECT_EQ(delay(5), 8000ms);
  EXPECT_EQ(delay(6), 8000ms);
  EXPECT_EQ(delay(99), 8000ms);
}

TEST(RetryTest, ChanceTakesUpToAQuarterOff) {
  EXPECT_EQ(decide(kRule, {.status = 500}, 0.5).delay, 438ms);
  EXPECT_GE(decide(kRule, {.status = 500}, 0.999).delay, 375ms);
}

TEST(RetryTest, WaitsAsLongAsTheServerAsks) {
  EXPECT_EQ(decide(kRule, {.status = 429, .asked = 60s}, 0.5).delay, 60s);
  EXPECT_EQ(decide(kRule, {.status = 429, .asked = 10ms}, 0.5).delay, 10ms);
  EXPECT_EQ(decide(kRule, {.status = 429, .asked = 0ms}, 0).delay, 500ms);
}

TEST(RetryTest, FailsWhenTheServerAsksForTooMuch) {
  const RetryDecision decision = decide(kRule, {.status = 429, .asked = 60'001ms}, 0);
  EXPECT_FALSE(decision.again);
  EXPECT_EQ(decision.reason, "the server asks to wait 61 s");
}

// 1994-11-06 08:49:37.
const auto kNow = std::chrono::system_clock::from_time_t(784111777);

std::optional<milliseconds> asked(const Headers& headers) {
  return retry_after({.status = 429, .headers = headers}, kNow);
}

TEST(RetryAfterTest, ReadsSecondsMillisecondsAndDates) {
  EXPECT_EQ(asked({{"retry-after", "7"}}), 7s);
  EXPECT_EQ(asked({{"retry-after", "0.25"}}), 250ms);
  EXPECT_EQ(asked({{"retry-after-ms", "1500"}}), 1500ms);
  EXPECT_EQ(asked({{"retry-after-ms", "0.6"}}), 1ms);
  EXPECT_EQ(asked({{"retry-after", "Sun, 06 Nov 1994 08:49:57 GMT"}}), 20s);
  EXPECT_EQ(asked({{"retry-after", "Sunday, 06-Nov-94 08:49:57 GMT"}}), 20s);
}

TEST(RetryAfterTest, MillisecondsAreMoreExact) {
  EXPECT_EQ(asked({{"retry-after", "7"}, {"retry-after-ms", "6500"}}), 6500ms);
  EXPECT_EQ(asked({{"retry-after", "7"}, {"retry-after-ms", "soon"}}), 7s);
}

TEST(RetryAfterTest, WhatIsPastIsNothing) {
  EXPECT_EQ(asked({{"retry-after", "-3"}}), 0ms);
  EXPECT_EQ(asked({{"retry-after", "Sun, 06 Nov 1994 08:49:17 GMT"}}), 0ms);
}

TEST(RetryAfterTest, WhatIsAbsurdStaysANumber) {
  EXPECT_EQ(asked({{"retry-after", "1e300"}}), 365 * 24h);
}

TEST(RetryAfterTest, WhatCantBeReadIsNotThere) {
  EXPECT_EQ(asked({}), std::nullopt);
  for (const char* text : {"", "soon", "nan", "7 s", "12,5"})
    EXPECT_EQ(asked({{"retry-after", text}}), std::nullopt) << text;
}

}  // namespace
}  // namespace mellea
