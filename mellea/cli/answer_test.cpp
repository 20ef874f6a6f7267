#include "mellea/cli/answer.h"

#include <gtest/gtest.h>

#include "mellea/cli/console.h"

namespace mellea::cli {
namespace {

using namespace std::chrono_literals;

std::string json_of_reply(Reply reply, TraceRef trace = {}) {
  Times times{.started = Instant(1s), .first_chunk = Instant(1031ms), .ended = Instant(1182ms)};
  return json_of(Result({.reply = std::make_shared<const Reply>(std::move(reply)),
                         .scope = Scope::root(Kind::generation).traced(trace),
                         .times = times}),
                 "asked-for");
}

TEST(AnswerAsJson, HasWhatIsKnown) {
  EXPECT_EQ(json_of_reply({.text = "Hi \"you\"",
                           .finish_reasons = {"stop"},
                           .response = {.model = "m-1"},
                           .usage = Usage{.input_tokens = 42,
                                          .output_tokens = 18,
                                          .cache_read_tokens = 8,
                                          .reasoning_tokens = 3}},
                          TraceRef::from_traceparent(
                              "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")),
            R"({"text":"Hi \"you\"","model":"m-1","finish_reason":"stop",)"
            R"("usage":{"input":42,"output":18,"cached":8,"reasoning":3},)"
            R"("ms":182,"first_chunk_ms":31,"trace_id":"0af7651916cd43dd8448eb211c80319c"})"
            "\n");
}

TEST(AnswerAsJson, LeavesOutWhatIsNot) {
  EXPECT_EQ(json_of_reply({.text = "Hi", .usage = Usage{.output_tokens = 1}}),
            R"({"text":"Hi","model":"asked-for","usage":{"output":1},"ms":182,"first_chunk_ms":31})"
            "\n");
}

TEST(AnswerAsJson, TellsAFailure) {
  const Error error(Errc::rate_limit, "openai: 429",
                    {.status = 429,
                     .provider_code = "rate_limit_exceeded",
                     .request_id = "req_1",
                     .retryable = true});
  EXPECT_EQ(json_of(error), R"({"error":{"code":"rate_limit","message":"openai: 429","status":429,)"
                            R"("provider_code":"rate_limit_exceeded","request_id":"req_1",)"
                            R"("retryable":true}})"
                            "\n");
  EXPECT_EQ(json_of(Error(Errc::timeout, "late")),
            R"({"error":{"code":"timeout","message":"late","retryable":false}})"
            "\n");
}

TEST(AnswerAsJson, IsValidUtf8Always) {
  EXPECT_EQ(json_of_chunk("a\xFF"), "{\"chunk\":\"a\xEF\xBF\xBD\"}\n");
}

TEST(AnswerOnATerminal, CommandsNothing) {
  EXPECT_EQ(harmless("a\x1B[2Jb\r\n\tc\x7F"), "a[2Jb\n\tc");
  EXPECT_EQ(harmless("\xC2\x9B"
                     "2J caf\xC3\xA9 \xE2\x82\xAC"),
            "2J caf\xC3\xA9 \xE2\x82\xAC");
}

}  // namespace
}  // namespace mellea::cli
