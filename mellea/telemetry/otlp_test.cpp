#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "mellea/core/text.h"
#include "mellea/telemetry/otlp_file_exporter.h"
#include "mellea/telemetry/otlp_http_client.h"
#include "mellea/telemetry/otlp_json.h"
#include "mellea/telemetry/otlp_protobuf.h"
#include "mellea/telemetry/protoc_for_test.h"
#include "mellea/telemetry/spans_for_test.h"

namespace mellea::telemetry {
namespace {

const Resource kResource("test", {{"service.instance.id", "1"},
                                  {"telemetry.sdk.version", "v"},
                                  {"telemetry.distro.version", "v"}});

std::vector<SpanPtr> two_spans() {
  auto chat = make_chat({2, 1, "chat m", 1, 2}, 42);
  chat->set(Fact::temperature, 0.5);
  chat->set(Fact::request_stream, true);
  chat->set(Fact::finish_reasons, std::vector<std::string>{"stop"});
  chat->set_label("bad \xFF", "t\xC3");
  chat->set(Fact::top_p, std::numeric_limits<double>::infinity());
  chat->status = SpanStatus::error;
  chat->description = "timeout";
  const Attribute type{Fact::exception_type, "timeout"};
  chat->add_last_event("exception", chat->started, {&type, 1});
  TraceRef link;
  link.trace[0] = 0xAB;
  link.span[0] = 0xCD;
  link.flags = 1;
  chat->add_link(link);
  auto action = make_span({1, 7, "action", 0, 3});
  action->remote_parent = true;
  action->trace_state = "vendor=1";
  return {chat, action};
}

TEST(OtlpJsonTest, IsAsTheMappingOfProtobufSays) {
  const std::string text = otlp_json(two_spans(), kResource);
  EXPECT_EQ(text.find('\n'), std::string::npos);
  const auto request = nlohmann::json::parse(text);
  const auto expected = nlohmann::json::parse(R"({"resourceSpans":[{
    "resource":{"attributes":[
      {"key":"service.name","value":{"stringValue":"test"}},
      {"key":"service.instance.id","value":{"stringValue":"1"}},
      {"key":"telemetry.sdk.version","value":{"stringValue":"v"}},
      {"key":"telemetry.distro.version","value":{"stringValue":"v"}},
      {"key":"telemetry.sdk.name","value":{"stringValue":"mellea"}},
      {"key":"telemetry.sdk.language","value":{"stringValue":"cpp"}},
      {"key":"telemetry.distro.name","value":{"stringValue":"mellea"}}]},
    "scopeSpans":[
      {"scope":{"name":"mellea.application","version":"VERSION"},"spans":[{
        "traceId":"00000000000000000000000000000001","spanId":"0000000000000001",
        "parentSpanId":"0000000000000007","traceState":"vendor=1","flags":769,
        "name":"action","kind":1,
        "startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000000003000000",
        "attributes":[],"status":{}}]},
      {"scope":{"name":"mellea.backend","version":"VERSION"},"spans":[{
        "traceId":"00000000000000000000000000000001","spanId":"0000000000000002",
        "parentSpanId":"0000000000000001","flags":257,"name":"chat m","kind":3,
        "startTimeUnixNano":"1700000000001000000","endTimeUnixNano":"1700000000002000000",
        "attributes":[
          {"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},
          {"key":"gen_ai.usage.input_tokens","value":{"intValue":"42"}},
          {"key":"gen_ai.request.temperature","value":{"doubleValue":0.5}},
          {"key":"gen_ai.request.stream","value":{"boolValue":true}},
          {"key":"gen_ai.response.finish_reasons","value":{"arrayValue":{"values":[{"stringValue":"stop"}]}}},
          {"key":"bad \ufffd","value":{"stringValue":"t\ufffd"}},
          {"key":"gen_ai.request.top_p","value":{"doubleValue":"Infinity"}}],
        "events":[{"timeUnixNano":"1700000000001000000","name":"exception",
          "attributes":[{"key":"exception.type","value":{"stringValue":"timeout"}}]}],
        "links":[{"traceId":"ab000000000000000000000000000000","spanId":"cd00000000000000","flags":257}],
        "status":{"code":2,"message":"timeout"}}]}]}]})");
  std::string golden = expected.dump();
  for (std::size_t at = golden.find("VERSION"); at != std::string::npos;
       at = golden.find("VERSION"))
    golden.replace(at, 7, kResource.library_version);
  EXPECT_EQ(request.dump(), golden);
}

TEST(OtlpProtobufTest, SaysWhereItsNamesAreWrittenDown) {
  const auto requests = otlp_protobuf(two_spans(), kResource, 1U << 20U,
                                      SpanView(Vocabularies(Vocabulary::otel_2026_10), true));
  ASSERT_EQ(requests.size(), 1U);
  const auto decoded = decoded_by_protoc(requests[0]);
  if (!decoded) GTEST_SKIP() << kNoProtoc;
  EXPECT_NE(decoded->find(R"(schema_url: "https://opentelemetry.io/schemas/gen-ai-dev/)"),
            std::string::npos);
}

TEST(OtlpProtobufTest, TheDescriptionsOfOpenTelemetryDecodeIt) {
  const auto requests = otlp_protobuf(two_spans(), kResource, 1U << 20U);
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_TRUE(is_utf8(otlp_json(two_spans(), kResource)));
  const auto decoded = decoded_by_protoc(requests[0]);
  if (!decoded) GTEST_SKIP() << kNoProtoc;
  for (const auto* expected :
       {R"(key: "service.name")",
        R"(name: "mellea.backend")",
        R"(name: "mellea.application")",
        R"(trace_id: "\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\001")",
        R"(parent_span_id: "\000\000\000\000\000\000\000\007")",
        R"(trace_state: "vendor=1")",
        R"(name: "chat m")",
        "kind: SPAN_KIND_CLIENT",
        "kind: SPAN_KIND_INTERNAL",
        "start_time_unix_nano: 1700000000001000000",
        "end_time_unix_nano: 1700000000002000000",
        "int_value: 42",
        "double_value: 0.5",
        "bool_value: true",
        "double_value: inf",
        R"(string_value: "t\357\277\275")",
        R"(key: "bad \357\277\275")",
        "array_value {",
        R"(name: "exception")",
        "time_unix_nano: 1700000000001000000",
        "links {",
        R"(span_id: "\315\000\000\000\000\000\000\000")",
        "code: STATUS_CODE_ERROR",
        R"(message: "timeout")",
        "flags: 769",
        "flags: 257"})
    EXPECT_NE(decoded->find(expected), std::string::npos) << expected << "\nin\n" << *decoded;
}

TEST(OtlpProtobufTest, RequestsAreNoLargerThanAllowedUnlessASpanIs) {
  std::vector<SpanPtr> spans;
  for (int at = 1; at <= 40; ++at) {
    auto record = make_span({.id = at});
    record->set_label("text", std::string_view(std::string(at == 20 ? 5000 : 200, 'x')));
    spans.push_back(std::move(record));
  }
  const auto requests = otlp_protobuf(spans, kResource, 2000);
  std::size_t larger = 0;
  for (const auto& request : requests) larger += request.size() > 2000 + 512;  // and the resource
  EXPECT_EQ(larger, 1U);
  EXPECT_GT(requests.size(), 4U);
  EXPECT_TRUE(otlp_protobuf({}, kResource, 2000).empty());
}

TEST(OtlpProtobufTest, ReadsHowManyAReceiverRejected) {
  EXPECT_EQ(rejected_items(std::string("\x0A\x02\x08\x05", 4)), 5);
  EXPECT_EQ(rejected_items(""), 0);
  EXPECT_EQ(rejected_items("{}"), 0);
  EXPECT_EQ(rejected_items("\t<html>"), 0);  // a field 1 of another wire type
  EXPECT_EQ(rejected_items("\x08"), 0);
}

class OtlpFileTest : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  std::vector<std::string> lines() const {
    std::vector<std::string> all;
    std::ifstream in(path_);
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
  }

  const std::string path_ = testing::TempDir() + "mellea_otlp_" + std::to_string(::getpid());
  const std::shared_ptr<const Resource> resource_ = std::make_shared<const Resource>(kResource);
};

TEST_F(OtlpFileTest, AppendsALineForEachBatch) {
  for (int round = 0; round < 2; ++round)
    EXPECT_EQ(OtlpFileExporter(path_, resource_).send(two_spans()).failure, "");
  ASSERT_EQ(lines().size(), 2U);
  EXPECT_EQ(lines()[1], otlp_json(two_spans(), kResource));
}

TEST_F(OtlpFileTest, AFolderThatIsNotThereIsAFailure) {
  OtlpFileExporter exporter("/no/such/folder/x.jsonl", resource_);
  EXPECT_EQ(exporter.send(two_spans()).failure, "open: No such file or directory");
}

// In a process of its own, whose files may not grow: a disk that is full.
TEST_F(OtlpFileTest, ALineThatDoesNotFitIsTakenBack) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    OtlpFileExporter exporter(path_, resource_);
    if (!exporter.send(two_spans()).failure.empty()) ::_exit(1);
    const rlimit limit{3000, 3000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::_exit(exporter.send(two_spans()).failure.starts_with("write: File too large") ? 0 : 2);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(lines(), std::vector<std::string>{otlp_json(two_spans(), kResource)});
}

}  // namespace
}  // namespace mellea::telemetry
