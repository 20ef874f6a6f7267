#include "mellea/telemetry/otlp_logs.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "mellea/telemetry/logs_for_test.h"
#include "mellea/telemetry/protoc_for_test.h"

namespace mellea::telemetry {
namespace {

const Resource kResource("test", {{"service.instance.id", "1"}});

std::vector<LogPtr> two_records() {
  LogRecord line{.at = 5, .severity = Severity::error, .body = "of the program", .logger = "shop"};
  line.attributes.push_back({"large", JsonText{"18446744073709551615"}});
  line.attributes.push_back({"no json", JsonText{"{"}});
  return {std::make_shared<const LogRecord>(whole_record()),
          std::make_shared<const LogRecord>(std::move(line))};
}

TEST(OtlpLogsTest, JsonIsAsTheMappingOfProtobufSays) {
  const std::string text = otlp_logs_json(two_records(), kResource);
  EXPECT_EQ(text.find('\n'), std::string::npos);
  const auto request = nlohmann::json::parse(text);
  const auto& logs = request.at("resourceLogs").at(0);
  EXPECT_EQ(logs.at("resource").at("attributes").at(0).at("key"), "service.name");
  const auto expected = nlohmann::json::parse(R"([
    {"scope":{"name":"mellea","version":"VERSION"},"logRecords":[{
      "timeUnixNano":"1700000000012345678","observedTimeUnixNano":"1700000000012345678",
      "severityNumber":13,"severityText":"WARN","body":{"stringValue":"a sentence"},
      "attributes":[
        {"key":"mellea.session.id","value":{"stringValue":"s-1"}},
        {"key":"mellea.generation.id","value":{"stringValue":"g-1"}},
        {"key":"http.response.status_code","value":{"intValue":"429"}},
        {"key":"mellea.retry.delay","value":{"doubleValue":0.5}},
        {"key":"gen_ai.response.finish_reasons","value":{"arrayValue":{"values":[
          {"stringValue":"stop"},{"stringValue":"bad \ufffd"}]}}},
        {"key":"gen_ai.input.messages","value":{"arrayValue":{"values":[{"kvlistValue":{"values":[
          {"key":"role","value":{"stringValue":"user"}},
          {"key":"n","value":{"arrayValue":{"values":[
            {"intValue":"1"},{"doubleValue":2.5},{"boolValue":true},{}]}}}]}}]}}},
        {"key":"shop.open","value":{"boolValue":true}},
        {"key":"message","value":{"stringValue":"a label that is called as a key"}},
        {"key":"code.file.path","value":{"stringValue":"/src/shop.cpp"}},
        {"key":"code.function.name","value":{"stringValue":"sell"}},
        {"key":"code.line.number","value":{"intValue":"7"}},
        {"key":"thread.id","value":{"intValue":"42"}}],
      "flags":1,"traceId":"00000000000000000000000000000001","spanId":"0000000000000002",
      "eventName":"mellea.test"}]},
    {"scope":{"name":"shop"},"logRecords":[{
      "timeUnixNano":"5","observedTimeUnixNano":"5","severityNumber":17,"severityText":"ERROR",
      "body":{"stringValue":"of the program"},
      "attributes":[
        {"key":"large","value":{"doubleValue":1.8446744073709552e+19}},
        {"key":"no json","value":{"stringValue":"{"}}]}]}])");
  std::string golden = expected.dump();
  golden.replace(golden.find("VERSION"), 7, kResource.library_version);
  EXPECT_EQ(logs.at("scopeLogs").dump(), nlohmann::json::parse(golden).dump());
}

TEST(OtlpLogsTest, TheDescriptionsOfOpenTelemetryDecodeTheProtobuf) {
  const auto requests = otlp_logs_protobuf(two_records(), kResource, 1U << 20U);
  ASSERT_EQ(requests.size(), 1U);
  const auto decoded = decoded_by_protoc(requests[0], OtlpSignal::logs);
  if (!decoded) GTEST_SKIP() << kNoProtoc;
  for (const auto* expected :
       {R"(key: "service.name")",
        R"(name: "mellea")",
        R"(name: "shop")",
        "time_unix_nano: 1700000000012345678",
        "observed_time_unix_nano: 1700000000012345678",
        "severity_number: SEVERITY_NUMBER_WARN",
        R"(severity_text: "WARN")",
        R"(string_value: "a sentence")",
        "int_value: 429",
        "double_value: 0.5",
        "kvlist_value {",
        R"(key: "role")",
        "double_value: 2.5",
        R"(string_value: "bad \357\277\275")",
        R"(key: "code.line.number")",
        "int_value: 42",
        "flags: 1",
        R"(trace_id: "\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\001")",
        R"(span_id: "\000\000\000\000\000\000\000\002")",
        "severity_number: SEVERITY_NUMBER_ERROR",
        "double_value: 1.8446744073709552e+19",
        R"(string_value: "{")"})
    EXPECT_NE(decoded->find(expected), std::string::npos) << expected << "\nin\n" << *decoded;
  // Field 12; descriptions of before 2025 don't name it.
  const bool named = decoded->find(R"(event_name: "mellea.test")") != std::string::npos;
  EXPECT_TRUE(named || decoded->find(R"(12: "mellea.test")") != std::string::npos) << *decoded;
}

TEST(OtlpLogsTest, RequestsAreNoLargerThanAllowed) {
  const auto one = std::make_shared<const LogRecord>(LogRecord{.body = std::string(1000, 'x')});
  const std::vector<LogPtr> logs(10, one);
  EXPECT_EQ(otlp_logs_protobuf(logs, kResource, 3000).size(), 5U);
  EXPECT_TRUE(otlp_logs_protobuf({}, kResource, 3000).empty());
}

}  // namespace
}  // namespace mellea::telemetry
