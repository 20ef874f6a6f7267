#include "mellea/telemetry/telemetry.h"

#include <unistd.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>

#include "mellea/net/testing/loopback_server.h"
#include "mellea/telemetry/protoc_for_test.h"
#include "mellea/telemetry/tracing_for_test.h"

namespace mellea::telemetry {
namespace {

std::string unpacked(const std::string& gzip) {
  z_stream stream{};
  inflateInit2(&stream, 15 + 16);
  std::string text(1U << 20U, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(gzip.data()));
  stream.avail_in = static_cast<uInt>(gzip.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  text.resize(stream.total_out);
  inflateEnd(&stream);
  return text;
}

// Fires one generation at the plugins of a Telemetry.
class TelemetryTest : public TracingTest {
 protected:
  void generate(const Telemetry& telemetry) {
    hooks_ = Hooks(telemetry.plugins(), nullptr);
    end(generation(Scope::root(Kind::generation)), {}, {.usage = Usage{.input_tokens = 42}});
  }
  static Telemetry to(const std::string& endpoint, bool gzip = false) {
    return Telemetry(
        {.exporters = {OtlpHttp{.endpoint = endpoint, .headers = {{"x-key", "k"}}, .gzip = gzip}}});
  }
};

TEST_F(TelemetryTest, OffIsNoPlugins) {
  EXPECT_TRUE(Telemetry().plugins().empty());
  const auto nothing = [](const char*) { return std::optional<std::string>(); };
  EXPECT_TRUE(Telemetry::from_env(nothing).plugins().empty());
  EXPECT_TRUE(Telemetry().flush());
}

TEST_F(TelemetryTest, FromEnvTellsItsWarnings) {
  std::vector<std::string> told;
  const auto telemetry = Telemetry::from_env(
      [](const char* name) {
        return std::string_view(name) == "MELLEA_TRACES_OTLP" ? std::optional<std::string>("1")
                                                              : std::nullopt;
      },
      [&](std::string_view warning) { told.emplace_back(warning); });
  EXPECT_EQ(told.size(), 1U);
  EXPECT_EQ(telemetry.warnings(), told);
}

TEST_F(TelemetryTest, AFileGetsALine) {
  const std::string path = testing::TempDir() + "mellea_trace_" + std::to_string(::getpid());
  {
    Telemetry telemetry({.exporters = {OtlpFile{path}}});
    generate(telemetry);
    Telemetry moved = std::move(telemetry);
  }
  std::ifstream in(path);
  std::string line;
  EXPECT_TRUE(std::getline(in, line));
  EXPECT_NE(line.find("chat granite"), std::string::npos);
  EXPECT_FALSE(std::getline(in, line));
  std::filesystem::remove(path);
}

TEST_F(TelemetryTest, AFileThatCannotBeWrittenIsOneWarning) {
  Telemetry telemetry({.exporters = {OtlpFile{"/no/such/folder/x.jsonl"}}});
  generate(telemetry);
  EXPECT_FALSE(telemetry.shutdown());
  EXPECT_EQ(telemetry.warnings(),
            std::vector<std::string>{
                "/no/such/folder/x.jsonl: 1 spans lost: open: No such file or directory"});
}

TEST_F(TelemetryTest, ACollectorGetsWhatItsDescriptionsDecode) {
  for (const bool gzip : {false, true}) {
    LoopbackServer server({Script::answer(200, "")});
    Telemetry telemetry = to(server.url("/v1/traces"), gzip);
    generate(telemetry);
    EXPECT_TRUE(telemetry.flush());
    ASSERT_TRUE(server.wait_for_requests(1));
    const ReceivedRequest request = server.requests().at(0);
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.path, "/v1/traces");
    EXPECT_EQ(request.header("content-type"), "application/x-protobuf");
    EXPECT_EQ(request.header("content-encoding"), gzip ? "gzip" : "");
    EXPECT_EQ(request.header("x-key"), "k");
    const auto decoded = decoded_by_protoc(gzip ? unpacked(request.body) : request.body);
    if (!decoded) GTEST_SKIP() << kNoProtoc;
    EXPECT_NE(decoded->find(R"(name: "chat granite")"), std::string::npos);
    EXPECT_NE(decoded->find("int_value: 42"), std::string::npos);
  }
}

TEST_F(TelemetryTest, WhatMayPassIsTriedAgain) {
  LoopbackServer server(
      {Script::answer(503, "", {{"retry-after-ms", "1"}}), Script::answer(200, "")});
  Telemetry telemetry = to(server.url("/v1/traces"));
  generate(telemetry);
  EXPECT_TRUE(telemetry.flush());
  EXPECT_EQ(server.requests().size(), 2U);
  EXPECT_TRUE(telemetry.warnings().empty());
}

TEST_F(TelemetryTest, WhatWillNotPassIsNotTriedAgain) {
  LoopbackServer server({Script::answer(400, "")});
  Telemetry telemetry = to(server.url("/v1/traces"));
  generate(telemetry);
  EXPECT_FALSE(telemetry.flush());
  telemetry.shutdown();
  EXPECT_EQ(server.requests().size(), 1U);
  EXPECT_EQ(telemetry.warnings(),
            std::vector<std::string>{server.url("/v1/traces") + ": 1 spans lost: HTTP status 400"});
}

TEST_F(TelemetryTest, WhatTheReceiverRejectsIsTold) {
  LoopbackServer server({Script::answer(200, std::string_view("\x0A\x02\x08\x01", 4))});
  Telemetry telemetry = to(server.url("/v1/traces"));
  generate(telemetry);
  telemetry.shutdown();
  ASSERT_EQ(telemetry.warnings().size(), 1U);
  EXPECT_TRUE(telemetry.warnings()[0].ends_with("the receiver rejected 1 spans"));
}

TEST_F(TelemetryTest, ARefusedConnectionKeepsTheDeadline) {
  std::string url;
  { url = LoopbackServer(std::vector<Script>{}).url("/v1/traces"); }  // nobody listens any more
  Telemetry telemetry = to(url);
  generate(telemetry);
  const Instant until = Instant::clock::now() + 300ms;
  EXPECT_FALSE(telemetry.shutdown(300ms));
  EXPECT_LT(Instant::clock::now() - until, 2s);
  EXPECT_EQ(telemetry.warnings().size(), 1U);
}

TEST_F(TelemetryTest, ABlackHoleKeepsTheDeadline) {
  LoopbackServer server({Script::raw().hang()});
  Telemetry telemetry = to(server.url("/v1/traces"));
  generate(telemetry);
  EXPECT_FALSE(telemetry.flush(50ms));
  const Instant until = Instant::clock::now() + 300ms;
  EXPECT_FALSE(telemetry.shutdown(300ms));
  EXPECT_LT(Instant::clock::now() - until, 2s);
}

TEST_F(TelemetryTest, ABlackHoleDoesNotKeepTheOthersFromTheirShare) {
  const std::string path = testing::TempDir() + "mellea_share_" + std::to_string(::getpid());
  LoopbackServer server({Script::raw().hang()});
  Telemetry telemetry(
      {.exporters = {OtlpHttp{.endpoint = server.url("/v1/traces")}, OtlpFile{path}}});
  generate(telemetry);
  EXPECT_FALSE(telemetry.shutdown(500ms));
  EXPECT_GT(std::filesystem::file_size(path), 0U);
  EXPECT_EQ(telemetry.warnings().size(), 1U);
  std::filesystem::remove(path);
}

// What people said, and what providers and plugins said about it, is in no span.
TEST_F(TelemetryTest, NoContentIsEverExported) {
  const std::string path = testing::TempDir() + "mellea_canary_" + std::to_string(::getpid());
  LoopbackServer server({Script::answer(200, "")});
  std::string tree;
  Telemetry telemetry({.exporters = {OtlpHttp{.endpoint = server.url("/v1/traces")}, OtlpFile{path},
                                     TreeText{.write = [&](auto text) { tree += text; }}},
                       .chunk_events = true});
  hooks_ = Hooks(telemetry.plugins(), nullptr);
  const auto s = session();
  const auto a = begin(
      ComponentPreExecute{.scope = s.scope.child(Kind::action),
                          .at = kStart,
                          .component = "Message",
                          .action = std::make_shared<const Message>(Message{.text = "SECRET"}),
                          .tools = {{.name = "tool", .description = "SECRET"}}});
  Request request{.model = "granite",
                  .messages = {{.text = "SECRET", .thinking = "SECRET"}},
                  .prompts = {"SECRET"},
                  .options = {.user = std::string("SECRET")},
                  .tools = {{.name = "SECRET", .description = "SECRET"}},
                  .stream = true,
                  .headers = {{"authorization", "SECRET"}}};
  const auto g = generation(a.scope.child(Kind::generation), request);
  const auto chunk = std::make_shared<const Chunk>(Chunk{.at = kStart, .what = "SECRET"});
  hooks_.tell(GenerationEvent{.scope = g.opening->scope, .chunk = chunk});
  hooks_.tell(GenerationRetry{
      .scope = g.opening->scope, .at = kStart, .notice = {.text = "SECRET", .name = "SECRET"}});
  const Reply reply{.text = "SECRET", .thinking = "SECRET", .refusal = "SECRET"};
  const Ending ending = failed(Errc::content_policy, {.status = 400,
                                                      .provider_code = "SECRET",
                                                      .provider_message = "SECRET",
                                                      .request_id = "SECRET SECRET",
                                                      .partial_text = "SECRET",
                                                      .block_reason = "SECRET",
                                                      .block_code = "SECRET"});
  end(g, ending, reply);
  end(action(s.scope.child(Kind::action)), {}, reply);
  end(a, ending);
  end(s, ending);
  EXPECT_TRUE(telemetry.shutdown());

  std::ifstream in(path);
  const std::string file((std::istreambuf_iterator<char>(in)), {});
  std::filesystem::remove(path);
  ASSERT_TRUE(server.wait_for_requests(1));
  const std::string sent = server.requests().at(0).body;
  for (const std::string& bytes : {file, sent, tree}) {
    EXPECT_NE(bytes.find("chat granite"), std::string::npos);
    EXPECT_EQ(bytes.find("SECRET"), std::string::npos) << bytes;
  }
}

}  // namespace
}  // namespace mellea::telemetry
