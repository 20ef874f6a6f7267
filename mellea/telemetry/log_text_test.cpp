#include "mellea/telemetry/log_text.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <nlohmann/json.hpp>

#include "mellea/telemetry/logs_for_test.h"

namespace mellea::telemetry {
namespace {

const std::string kIds = "[trace_id=00000000000000000000000000000001 span_id=0000000000000002]";

// Local time is UTC.
class LogTextTest : public testing::Test {
 protected:
  LogTextTest() { set("UTC"); }
  ~LogTextTest() override { set(before_); }

 private:
  static void set(const char* zone) {
    if (zone)
      ::setenv("TZ", zone, 1);
    else
      ::unsetenv("TZ");
    ::tzset();
  }
  const char* const before_ = std::getenv("TZ");
};

TEST_F(LogTextTest, PeopleGetTwoLines) {
  EXPECT_EQ(log_for_console(whole_record(), false),
            "=== 22:13:20-WARNING ======\na sentence " + kIds + "\n");
  EXPECT_EQ(
      log_for_console({.severity = Severity::fatal, .body = "bad \xFF\x1b[2Jline\nof two"}, false),
      "=== 00:00:00-CRITICAL ======\nbad \xEF\xBF\xBD [2Jline of two\n");
}

TEST_F(LogTextTest, InTheContractsColours) {
  const auto in_colour = [](Severity severity) {
    return log_for_console({.severity = severity, .body = "b"}, true);
  };
  EXPECT_EQ(in_colour(Severity::trace), "\x1b[96m=== 00:00:00-TRACE ======\nb\x1b[0m\n");
  EXPECT_EQ(in_colour(Severity::debug), "\x1b[96m=== 00:00:00-DEBUG ======\nb\x1b[0m\n");
  EXPECT_EQ(in_colour(Severity::info), "\x1b[38;20m=== 00:00:00-INFO ======\nb\x1b[0m\n");
  EXPECT_EQ(in_colour(Severity::error), "\x1b[31;20m=== 00:00:00-ERROR ======\nb\x1b[0m\n");
  EXPECT_EQ(in_colour(Severity::fatal), "\x1b[31;1m=== 00:00:00-CRITICAL ======\nb\x1b[0m\n");
  EXPECT_EQ(log_for_console(whole_record(), true),
            "\x1b[33;20m=== 22:13:20-WARNING ======\na sentence\x1b[0m " + kIds + "\n");
}

TEST_F(LogTextTest, AFileGetsALine) {
  EXPECT_EQ(log_for_file(whole_record()),
            "2023-11-14T22:13:20.012Z - WARNING - a sentence " + kIds);
  EXPECT_EQ(log_for_file({.body = "line\nof two"}),
            "1970-01-01T00:00:00.000Z - INFO - line of two");
}

TEST_F(LogTextTest, JsonHasTheContractsKeysInItsOrder) {
  EXPECT_EQ(
      log_as_json(whole_record(), {{"shop.name", "fruit"}, {"level", "is taken"}}),
      R"({"timestamp":"2023-11-14T22:13:20.012Z","level":"WARNING","message":"a sentence",)"
      R"("module":"shop","function":"sell","line_number":7,"process_id":)" +
          std::to_string(::getpid()) +
          R"(,"thread_id":42,"trace_id":"00000000000000000000000000000001",)"
          R"("span_id":"0000000000000002","event":"mellea.test","shop.name":"fruit",)"
          R"("session_id":"s-1","request_id":"g-1","http.response.status_code":429,)"
          R"("mellea.retry.delay":0.5,"gen_ai.response.finish_reasons":["stop","bad �"],)"
          R"("gen_ai.input.messages":[{"role":"user","n":[1,2.5,true,null]}],"shop.open":true})");
}

TEST_F(LogTextTest, JsonLeavesOutWhatIsNotKnown) {
  EXPECT_EQ(
      log_as_json({.body = "b\xFF"}, {}),
      R"({"timestamp":"1970-01-01T00:00:00.000Z","level":"INFO","message":"b�","process_id":)" +
          std::to_string(::getpid()) + R"(,"thread_id":0})");
}

TEST_F(LogTextTest, JsonTextThatIsNoneOrTooDeepStaysAText) {
  const std::string deep = std::string(200'000, '[') + std::string(200'000, ']');
  const std::string brackets = R"(["[[[\"[)" + std::string(300, '[') + R"("])";
  LogRecord record;
  record.set(Fact::input_messages, JsonText{"{no json"});
  record.set(Fact::output_messages, JsonText{deep});
  record.set(Fact::tool_definitions, JsonText{brackets});
  const auto json = nlohmann::json::parse(log_as_json(record, {}));
  EXPECT_EQ(json.at(std::string(name_of(Fact::input_messages))), "{no json");
  EXPECT_EQ(json.at(std::string(name_of(Fact::output_messages))), deep);
  EXPECT_TRUE(json.at(std::string(name_of(Fact::tool_definitions))).is_array());
}

}  // namespace
}  // namespace mellea::telemetry
