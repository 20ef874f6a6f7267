// Where log records go: by a Telemetry as a whole.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "mellea/net/testing/loopback_server.h"
#include "mellea/telemetry/log_events.h"
#include "mellea/telemetry/logs_for_test.h"
#include "mellea/telemetry/protoc_for_test.h"
#include "mellea/telemetry/telemetry.h"
#include "mellea/telemetry/tracing_for_test.h"

namespace mellea::telemetry {
namespace {

using Json = nlohmann::json;

class LogsTest : public TracingTest {
 protected:
  ~LogsTest() override { std::filesystem::remove_all(folder_); }

  static Telemetry logs_to(LogOutput output, LogsConfig logs = {}) {
    logs.exporters.push_back(std::move(output));
    return Telemetry({.logs = std::move(logs)});
  }
  static Webhook webhook(const std::string& url) {
    return {.url = url, .insecure_http_allowed = true};
  }
  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  static std::vector<std::string> lines(const std::string& path) {
    std::vector<std::string> all;
    std::ifstream in(path);
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
  }
  // A generation that fails.
  void fail(const Telemetry& telemetry) {
    hooks_ = Hooks(telemetry.plugins(), nullptr);
    end(generation(Scope::root(Kind::generation)), failed(Errc::timeout));
  }

  const std::string folder_ = [] {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    std::string folder =
        testing::TempDir() + "mellea_logs_" + test->name() + std::to_string(::getpid());
    std::filesystem::create_directories(folder);
    return folder;
  }();
};

TEST_F(LogsTest, PeopleGetTheOnesThatAreForThem) {
  std::string text;
  const Telemetry telemetry = logs_to(LogText{.write = [&](auto part) { text += part; }});
  fail(telemetry);
  telemetry.record_evaluation({}, {.name = "helpfulness", .label = "pass"});
  EXPECT_NE(text.find("-WARNING ======\nrequest to openai failed with timeout\n"),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find("evaluat"), std::string::npos) << text;
}

TEST_F(LogsTest, OrAsJson) {
  std::string text;
  const Telemetry telemetry =
      logs_to(LogText{.json = true, .write = [&](auto part) { text += part; }},
              {.fields = {{"team", "fruit"}}});
  telemetry.log(Severity::info, "hello");
  const Json line = Json::parse(text);
  EXPECT_EQ(line.at("message"), "hello");
  EXPECT_EQ(line.at("team"), "fruit");
  EXPECT_EQ(text.back(), '\n');
}

TEST_F(LogsTest, OnlyLogsMeansNoSpans) {
  const Telemetry telemetry = logs_to(std::make_shared<LogMemory>());
  hooks_ = Hooks(telemetry.plugins(), nullptr);
  EXPECT_FALSE(hooks_.wanted<SessionPreInit>() && session().opening->trace);
}

TEST_F(LogsTest, ALateEvaluationStandsOnItsAnswer) {
  const auto memory = std::make_shared<LogMemory>();
  const Telemetry telemetry = logs_to(memory);
  const TraceRef answer =
      TraceRef::from_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  telemetry.record_evaluation(answer, {.name = "helpfulness",
                                       .score = 0.5,
                                       .label = "so so",
                                       .explanation = "it digresses",
                                       .response_id = "r-1"});
  const auto logs = memory->logs();
  ASSERT_EQ(logs.size(), 1U);
  EXPECT_EQ(logs[0]->span, answer);
  EXPECT_EQ(text_of(*logs[0]),
            "INFO gen_ai.evaluation.result: an answer was evaluated | "
            "gen_ai.evaluation.name=helpfulness | gen_ai.evaluation.score.label=so so | "
            "gen_ai.evaluation.score.value=0.5 | gen_ai.evaluation.explanation=it digresses | "
            "gen_ai.response.id=r-1");
}

TEST_F(LogsTest, AFileGetsALineARecord) {
  Telemetry telemetry = logs_to(LogFile{.path = path("x.log")});
  fail(telemetry);
  telemetry.log(Severity::info, "hello");
  EXPECT_TRUE(telemetry.flush());
  const auto text = lines(path("x.log"));
  ASSERT_EQ(text.size(), 2U);
  EXPECT_TRUE(text[0].ends_with("Z - WARNING - request to openai failed with timeout")) << text[0];
  EXPECT_TRUE(text[1].ends_with("Z - INFO - hello")) << text[1];
}

TEST_F(LogsTest, AFileThatIsLargeIsPutAside) {
  Telemetry telemetry =
      logs_to(LogFile{.path = path("x.log"), .json = true, .max_bytes = 300, .backups = 2});
  for (int at = 0; at < 20; ++at) telemetry.log(Severity::info, "line " + std::to_string(at));
  EXPECT_TRUE(telemetry.shutdown());
  EXPECT_EQ(Json::parse(lines(path("x.log")).back()).at("message"), "line 19");
  for (const auto* name : {"x.log", "x.1.log", "x.2.log"})
    EXPECT_LE(std::filesystem::file_size(path(name)), 300U) << name;
  EXPECT_FALSE(std::filesystem::exists(path("x.3.log")));
}

TEST_F(LogsTest, AFileThatCannotBeOpenedIsAWarningAndTheOthersAreWritten) {
  const auto memory = std::make_shared<LogMemory>();
  const Telemetry telemetry = logs_to(
      memory,
      {.exporters = {LogFile{.path = "/dev/null/x.log"}, LogFile{.path = path("y"), .max_bytes = 0},
                     Webhook{.url = "http://h/SECRET"}, Webhook{.url = "SECRET"}}});
  const auto warnings = telemetry.warnings();
  ASSERT_EQ(warnings.size(), 4U);
  EXPECT_NE(warnings[0].find("/dev/null/x.log"), std::string::npos) << warnings[0];
  EXPECT_EQ(warnings[1], path("y") + ": a log file of 0 bytes can't be written");
  EXPECT_EQ(warnings[2],
            "webhook: its URL is not https, and MELLEA_LOGGER_INSECURE_HTTP_ALLOWED (in code: "
            "insecure_http_allowed) is not true");
  EXPECT_EQ(warnings[3], "webhook: it is no http or https URL");
  telemetry.log(Severity::info, "hello");
  EXPECT_EQ(memory->logs().size(), 1U);
}

TEST_F(LogsTest, AWebhookGetsArraysAndNobodyWaitsForIt) {
  LoopbackServer server({Script::raw().hold().bytes("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
                         Script::answer(200, "")});
  Telemetry telemetry = logs_to(webhook(server.url("/SECRET")), {.batch = {.batch = 1}});
  telemetry.log(Severity::info, "one");
  EXPECT_TRUE(server.wait_for_requests(1));
  telemetry.log(Severity::info, "two");  // and is back, while the first is still held
  EXPECT_FALSE(telemetry.flush(std::chrono::milliseconds(1)));
  server.release();
  EXPECT_TRUE(telemetry.shutdown());
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0].method, "POST");
  EXPECT_EQ(requests[0].path, "/SECRET");
  EXPECT_EQ(requests[0].header("content-type"), "application/json");
  EXPECT_EQ(Json::parse(requests[0].body).at(0).at("message"), "one");
  EXPECT_EQ(Json::parse(requests[1].body).at(0).at("message"), "two");
}

TEST_F(LogsTest, AnArrayHoldsABatchUnlessThatIsLarge) {
  LoopbackServer server({Script::answer(200, "")});
  Telemetry telemetry = logs_to(webhook(server.url("/")));
  for (const std::size_t size : {10U, 10U, 200'000U, 200'000U})
    telemetry.log(Severity::info, std::string(size, 'x'));
  EXPECT_TRUE(telemetry.shutdown());
  std::vector<std::size_t> sizes;
  for (const auto& request : server.requests()) sizes.push_back(Json::parse(request.body).size());
  EXPECT_EQ(sizes, (std::vector<std::size_t>{3, 1}));
}

TEST_F(LogsTest, AWebhookThatMayPassIsTriedAgain) {
  LoopbackServer server(
      {Script::answer(503, "", {{"retry-after-ms", "1"}}), Script::answer(200, "")});
  Telemetry telemetry = logs_to(webhook(server.url("/")));
  telemetry.log(Severity::info, "one");
  EXPECT_TRUE(telemetry.shutdown());
  EXPECT_EQ(server.requests().size(), 2U);
}

TEST_F(LogsTest, AWebhookThatRefusesIsAWarningWithoutItsUrl) {
  LoopbackServer server({Script::answer(404, "SECRET")});
  Telemetry telemetry = logs_to(webhook(server.url("/SECRET")));
  telemetry.log(Severity::info, "one");
  EXPECT_FALSE(telemetry.shutdown());
  EXPECT_EQ(telemetry.warnings(),
            std::vector<std::string>{"webhook at " + server.authority() +
                                     ": 1 log records lost: HTTP status 404"});
}

TEST_F(LogsTest, AWebhookWhereNobodyListensKeepsTheDeadline) {
  std::string url;
  { url = LoopbackServer(std::vector<Script>{}).url("/SECRET"); }
  Telemetry telemetry = logs_to(webhook(url));
  telemetry.log(Severity::info, "one");
  const Instant until = Instant::clock::now() + 300ms;
  EXPECT_FALSE(telemetry.shutdown(300ms));
  EXPECT_LT(Instant::clock::now() - until, 2s);
  ASSERT_EQ(telemetry.warnings().size(), 1U);
  EXPECT_EQ(telemetry.warnings()[0].find("SECRET"), std::string::npos);
}

TEST_F(LogsTest, ABlackHoleKeepsTheDeadlineAndTheOthersTheirShare) {
  LoopbackServer server({Script::raw().hang()});
  Telemetry telemetry(
      {.exporters = {OtlpHttp{.endpoint = server.url("/v1/traces")}},
       .logs = {.exporters = {OtlpHttp{.endpoint = server.url("/v1/logs")},
                              webhook(server.url("/hook")), LogFile{.path = path("x.log")}}}});
  fail(telemetry);
  const Instant until = Instant::clock::now() + 400ms;
  EXPECT_FALSE(telemetry.shutdown(400ms));
  EXPECT_LT(Instant::clock::now() - until, 2s);
  const auto text = lines(path("x.log"));
  ASSERT_FALSE(text.empty());
  EXPECT_NE(text[0].find("request to openai failed with timeout"), std::string::npos) << text[0];
}

TEST_F(LogsTest, ACollectorGetsThem) {
  LoopbackServer server({Script::answer(200, "")});
  Telemetry telemetry =
      logs_to(OtlpHttp{.endpoint = server.url("/v1/logs"), .headers = {{"x-key", "k"}}});
  fail(telemetry);
  EXPECT_TRUE(telemetry.flush());
  ASSERT_TRUE(server.wait_for_requests(1));
  const ReceivedRequest request = server.requests().at(0);
  EXPECT_EQ(request.path, "/v1/logs");
  EXPECT_EQ(request.header("content-type"), "application/x-protobuf");
  EXPECT_EQ(request.header("x-key"), "k");
  const auto decoded = decoded_by_protoc(request.body, OtlpSignal::logs);
  if (!decoded) GTEST_SKIP() << kNoProtoc;
  EXPECT_NE(decoded->find("request to openai failed with timeout"), std::string::npos);
}

TEST_F(LogsTest, WhatACollectorRejectsIsTold) {
  LoopbackServer server({Script::answer(200, std::string_view("\x0A\x02\x08\x01", 4))});
  Telemetry telemetry = logs_to(OtlpHttp{.endpoint = server.url("/v1/logs")});
  telemetry.log(Severity::info, "one");
  EXPECT_FALSE(telemetry.shutdown());
  ASSERT_EQ(telemetry.warnings().size(), 1U);
  EXPECT_TRUE(telemetry.warnings()[0].ends_with("the receiver rejected 1 log records"));
}

TEST_F(LogsTest, AnOtlpFileGetsALineABatch) {
  Telemetry telemetry = logs_to(OtlpFile{path("x.jsonl")});
  telemetry.log(Severity::info, "one");
  telemetry.log(Severity::info, "two");
  EXPECT_TRUE(telemetry.shutdown());
  const auto text = lines(path("x.jsonl"));
  ASSERT_EQ(text.size(), 1U);
  EXPECT_EQ(
      Json::parse(text[0]).at("resourceLogs").at(0).at("scopeLogs").at(0).at("logRecords").size(),
      2U);
}

TEST_F(LogsTest, WhatTelemetryLosesIsARecordThatSaysHowMuch) {
  LoopbackServer server({Script::answer(400, "")});
  const auto memory = std::make_shared<LogMemory>();
  std::string text;
  std::vector<std::string> told;
  Telemetry telemetry(
      {.exporters = {OtlpHttp{.endpoint = server.url("/v1/traces")}},
       .batch = {.queue = 1, .batch = 1, .delay = 1h},
       .logs = {.exporters = {memory, LogText{.write = [&](auto part) { text += part; }}}},
       .warn = [&](auto warning) { told.emplace_back(warning); }});
  hooks_ = Hooks(telemetry.plugins(), nullptr);
  end(generation(Scope::root(Kind::generation)));
  EXPECT_FALSE(telemetry.shutdown());
  EXPECT_EQ(told.size(), 1U);
  const auto logs = memory->logs();
  ASSERT_EQ(logs.size(), 1U);
  EXPECT_EQ(text_of(*logs[0]),
            "WARN mellea.telemetry.export_failed: 1 spans could not be delivered | "
            "mellea.telemetry.signal=traces | mellea.telemetry.exporter=" +
                server.authority() + " | mellea.telemetry.lost_count=1");
  EXPECT_EQ(text, "") << "people have the warning";
}

TEST_F(LogsTest, WhatHasNoRoomIsToldApart) {
  LoopbackServer server({Script::raw().hold().bytes("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
                         Script::answer(200, "")});
  const auto memory = std::make_shared<LogMemory>();
  Telemetry telemetry({.exporters = {OtlpHttp{.endpoint = server.url("/v1/traces")}},
                       .batch = {.queue = 1, .batch = 1, .delay = 1h},
                       .logs = {.exporters = {memory}}});
  hooks_ = Hooks(telemetry.plugins(), nullptr);
  end(generation(Scope::root(Kind::generation)));
  ASSERT_TRUE(server.wait_for_requests(1));
  for (int at = 0; at < 3; ++at) end(generation(Scope::root(Kind::generation)));
  server.release();
  EXPECT_FALSE(telemetry.shutdown());
  const auto logs = memory->logs();
  ASSERT_EQ(logs.size(), 1U);
  EXPECT_EQ(logs[0]->event, log_event::kDropped);
  EXPECT_EQ(logs[0]->body, "2 spans dropped: more came than could be sent");
  EXPECT_EQ(at(logs[0], Fact::lost_count), "2");
}

TEST_F(LogsTest, AModelWithoutAPriceIsARecordOnItsSpan) {
  const auto memory = std::make_shared<LogMemory>();
  const auto spans = std::make_shared<MemoryExporter>();
  const Telemetry telemetry({.exporters = {spans}, .logs = {.exporters = {memory}}});
  hooks_ = Hooks(telemetry.plugins(), nullptr);
  for (int at = 0; at < 2; ++at)
    end(generation(Scope::root(Kind::generation, {.labels = {{"tenant.id", "north"}}}),
                   {.model = "granite"}),
        {}, {.usage = Usage{.input_tokens = 42}});
  const auto logs = memory->logs();
  ASSERT_EQ(logs.size(), 1U) << "once a model";
  EXPECT_EQ(logs[0]->event, log_event::kUnknownModel);
  EXPECT_EQ(at(logs[0], Fact::request_model), "granite");
  EXPECT_EQ(at(logs[0], Fact::provider), "openai");
  EXPECT_EQ(at(logs[0], "tenant.id"), "north");
  EXPECT_EQ(logs[0]->span, spans->spans().at(0)->ids);
}

TEST_F(LogsTest, HowTheirExportersFareIsCounted) {
  LoopbackServer server({Script::answer(400, "")});
  Telemetry telemetry(
      {.metrics = {.enabled = true},
       .logs = {.exporters = {OtlpFile{path("x.jsonl")}, webhook(server.url("/SECRET"))}}});
  telemetry.log(Severity::info, "one");
  EXPECT_FALSE(telemetry.flush());
  const std::string text = telemetry.metrics_text();
  for (const std::string expected :
       {"mellea_telemetry_logs_exported_total{mellea_telemetry_exporter=\"file\"",
        "mellea_telemetry_logs_lost_total{mellea_telemetry_exporter=\"127.0.0.1:"})
    EXPECT_NE(text.find(expected), std::string::npos) << text;
  EXPECT_EQ(text.find("SECRET"), std::string::npos);
}

TEST_F(LogsTest, AChildOfForkLogsNothing) {
  const auto memory = std::make_shared<LogMemory>();
  Telemetry telemetry = logs_to(memory, {.exporters = {LogFile{.path = path("x.log")}}});
  const pid_t child = ::fork();
  if (child == 0) {
    telemetry.log(Severity::info, "from the child");
    const bool quiet = memory->logs().empty() && telemetry.flush() && telemetry.shutdown();
    ::_exit(quiet ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  telemetry.log(Severity::info, "from the parent");
  EXPECT_TRUE(telemetry.shutdown());
  EXPECT_EQ(lines(path("x.log")).size(), 1U);
  telemetry.log(Severity::info, "too late");
  EXPECT_EQ(memory->logs().size(), 1U);
}

}  // namespace
}  // namespace mellea::telemetry
