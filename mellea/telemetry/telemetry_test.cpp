#include "mellea/telemetry/telemetry.h"

#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>
#include <utility>

#include "mellea/net/network.h"
#include "mellea/net/testing/loopback_server.h"
#include "mellea/telemetry/protoc_for_test.h"
#include "mellea/telemetry/tracing_for_test.h"
#include "mellea/telemetry/warnings.h"

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

class StyleTest : public TelemetryTest {
 protected:
  // What is in the file when all is over.
  std::string written(const std::string& name) const {
    std::ifstream in(path(name));
    return {std::istreambuf_iterator<char>(in), {}};
  }
  OtlpFile to(const std::string& name, SpanStyle style) const {
    std::filesystem::remove(path(name));
    return {path(name), std::move(style)};
  }
  void TearDown() override {
    for (const auto* name : {"a", "b"}) std::filesystem::remove(path(name));
    TelemetryTest::TearDown();
  }

 private:
  static std::string path(const std::string& name) {
    return testing::TempDir() + "mellea_style_" + std::to_string(::getpid()) + name;
  }
};

TEST_F(StyleTest, EachExporterShowsSpansInItsOwn) {
  const auto blue = [](const SpanRecord& span) { return span.label("tenant.id") == "blue"; };
  Telemetry telemetry(
      {.exporters = {
           to("a", {.names = {Vocabulary::otel_1_41}, .content = false}),
           to("b", {.names = {Vocabulary::openinference, Vocabulary::langfuse}, .when = blue})}});
  hooks_ = Hooks(telemetry.plugins(), nullptr);
  for (const auto* tenant : {"red", "blue"})
    end(generation(Scope::root(Kind::generation, {.labels = {{"tenant.id", tenant}}})), {},
        {.usage = Usage{.input_tokens = 42}});
  EXPECT_TRUE(telemetry.shutdown());
  EXPECT_TRUE(telemetry.warnings().empty());

  const std::string all = written("a");
  EXPECT_NE(all.find("gen_ai.usage.input_tokens"), std::string::npos);
  EXPECT_NE(all.find("\"schemaUrl\":\"https://opentelemetry.io/schemas/1.41.1\""),
            std::string::npos);
  EXPECT_NE(all.find("red"), std::string::npos);
  const std::string some = written("b");
  EXPECT_NE(some.find("llm.token_count.prompt"), std::string::npos);
  EXPECT_EQ(some.find("gen_ai."), std::string::npos);
  EXPECT_EQ(some.find("schemaUrl"), std::string::npos);
  EXPECT_NE(some.find("blue"), std::string::npos);
  EXPECT_EQ(some.find("red"), std::string::npos);
}

TEST_F(StyleTest, AnExporterWithoutNamesHasThoseOfAll) {
  Telemetry telemetry({.exporters = {to("a", {}), to("b", {.names = {Vocabulary::mellea}})},
                       .names = {Vocabulary::openinference}});
  generate(telemetry);
  EXPECT_TRUE(telemetry.shutdown());
  EXPECT_NE(written("a").find("llm.token_count.prompt"), std::string::npos);
  EXPECT_EQ(written("b").find("llm.token_count.prompt"), std::string::npos);
}

TEST_F(StyleTest, WhatCanNotBeIsAWarning) {
  Telemetry telemetry(
      {.exporters = {to("a", {.names = {Vocabulary::mellea, Vocabulary::otel_1_41}})},
       .metrics = {.exporters = {to("b", {.content = false})},
                   .vocabulary = Vocabulary::openinference}});
  EXPECT_EQ(telemetry.warnings(),
            (std::vector<std::string>{
                "mellea and otel-1.41 can't stand on one span, for tokens would count twice: "
                "mellea is used",
                "there are no metrics in openinference: they are called as in mellea",
                "the style of an exporter is for spans: metrics have none"}));
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
  EXPECT_TRUE(telemetry.warnings()[0].ends_with(": 1 spans lost: the receiver rejected 1 spans"));
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

// A Telemetry whose metrics go to one place, and a generation of a model with a price.
class TelemetryMetricsTest : public TelemetryTest {
 protected:
  static Telemetry metrics_to(MetricOutput output, MetricsConfig metrics = {}) {
    metrics.exporters = {std::move(output)};
    return Telemetry({.metrics = std::move(metrics)});
  }
  void generate_at_a_price(const Telemetry& telemetry) {
    hooks_ = Hooks(telemetry.plugins(), nullptr);
    end(generation(Scope::root(Kind::generation), {.model = "gpt-4o"}), {},
        {.usage = Usage{.input_tokens = 42}});
  }
};

TEST_F(TelemetryMetricsTest, ACollectorGetsWhatItsDescriptionsDecode) {
  LoopbackServer server({Script::answer(200, "")});
  Telemetry telemetry = metrics_to(OtlpHttp{.endpoint = server.url("/v1/metrics"), .gzip = true});
  generate_at_a_price(telemetry);
  EXPECT_TRUE(telemetry.flush());
  ASSERT_TRUE(server.wait_for_requests(1));
  const ReceivedRequest request = server.requests().at(0);
  EXPECT_EQ(request.path, "/v1/metrics");
  const auto decoded = decoded_by_protoc(unpacked(request.body), OtlpSignal::metrics);
  if (!decoded) GTEST_SKIP() << kNoProtoc;
  EXPECT_NE(decoded->find(R"(name: "gen_ai.client.token.usage")"), std::string::npos);
  EXPECT_NE(decoded->find("as_double: 0.000105"), std::string::npos);
}

TEST_F(TelemetryMetricsTest, ACollectorThatRefusesIsAWarningThatSaysWhatAndWhy) {
  LoopbackServer server({Script::answer(400, "")});
  Telemetry telemetry = metrics_to(OtlpHttp{.endpoint = server.url("/v1/metrics")});
  generate_at_a_price(telemetry);
  EXPECT_FALSE(telemetry.flush());
  telemetry.shutdown();
  EXPECT_EQ(telemetry.warnings().at(0),
            server.url("/v1/metrics") + ": metrics not delivered: HTTP status 400");
}

TEST_F(TelemetryMetricsTest, AFileGetsALineAtTheEnd) {
  const std::string path = testing::TempDir() + "mellea_metrics_" + std::to_string(::getpid());
  generate_at_a_price(metrics_to(OtlpFile{path}));
  std::ifstream in(path);
  std::string line;
  EXPECT_TRUE(std::getline(in, line));
  EXPECT_NE(line.find("mellea.llm.cost.usd"), std::string::npos);
  EXPECT_FALSE(std::getline(in, line));
  std::filesystem::remove(path);
}

TEST_F(TelemetryMetricsTest, WithoutTracesThereAreNoSpans) {
  Telemetry telemetry = metrics_to(MetricsText{.write = [](std::string_view) {}});
  hooks_ = Hooks(telemetry.plugins(), nullptr);
  EXPECT_FALSE(hooks_.wanted<ComponentPostSuccess>());
  EXPECT_FALSE(generation(Scope::root(Kind::generation)).opening->trace);
}

TEST_F(TelemetryMetricsTest, PeopleGetThemAsText) {
  std::string text;
  Telemetry telemetry =
      metrics_to(MetricsText{.write = [&](std::string_view part) { text += part; }});
  generate_at_a_price(telemetry);
  EXPECT_TRUE(telemetry.flush());
  EXPECT_NE(text.find("\nmellea_llm_cost_usd_USD_total{"), std::string::npos);
}

TEST_F(TelemetryMetricsTest, PrometheusGetsThemWhenItAsks) {
  Telemetry telemetry = metrics_to(PrometheusEndpoint{.port = 0});
  generate_at_a_price(telemetry);
  ASSERT_NE(telemetry.prometheus_port(), 0);
  Network network;
  const auto exchange = network.start(
      {.method = "GET",
       .url = "http://127.0.0.1:" + std::to_string(telemetry.prometheus_port()) + "/metrics"});
  std::string page;
  for (HttpNext next = exchange->try_next(); next != HttpNext::end; next = exchange->try_next()) {
    if (next == HttpNext::pending) exchange->wait(Instant::clock::now() + 10s);
    if (next == HttpNext::bytes) page += exchange->bytes();
  }
  EXPECT_EQ(exchange->head().status, 200);
  EXPECT_EQ(page, telemetry.metrics_text());
  EXPECT_NE(page.find("gen_ai_client_token_usage_sum{"), std::string::npos);
  telemetry.shutdown();
  EXPECT_EQ(telemetry.prometheus_port(), 0);
}

TEST_F(TelemetryMetricsTest, APortThatIsTakenIsAWarningAndTheRestGoesOn) {
  const Telemetry first = metrics_to(PrometheusEndpoint{.port = 0});
  const Telemetry second = metrics_to(PrometheusEndpoint{.port = first.prometheus_port()});
  ASSERT_EQ(second.warnings().size(), 1U);
  EXPECT_TRUE(second.warnings()[0].ends_with("Address already in use"));
  EXPECT_FALSE(second.metrics_text().find("target_info") == std::string::npos);
}

TEST_F(TelemetryMetricsTest, TheySayHowSpansFare) {
  const std::string path = testing::TempDir() + "mellea_health_" + std::to_string(::getpid());
  Telemetry telemetry({.exporters = {OtlpFile{path}, OtlpFile{"/no/such/folder/x"}},
                       .metrics = {.exporters = {MetricsText{.write = [](std::string_view) {}}}}});
  generate_at_a_price(telemetry);
  telemetry.flush();
  const std::string text = telemetry.metrics_text();
  const auto value_of = [&](std::string_view name, const std::string& exporter) {
    const std::size_t at =
        text.find("\n" + std::string(name) + "{mellea_telemetry_exporter=\"" + exporter + "\"");
    return at == std::string::npos ? std::string("none") : text.substr(text.find("} ", at) + 2, 1);
  };
  EXPECT_EQ(value_of("mellea_telemetry_spans_exported_total", "file"), "1");
  EXPECT_EQ(value_of("mellea_telemetry_spans_lost_total", "file"), "0");
  EXPECT_EQ(value_of("mellea_telemetry_spans_exported_total", "file 2"), "0");
  EXPECT_EQ(value_of("mellea_telemetry_spans_lost_total", "file 2"), "1");
  EXPECT_EQ(value_of("mellea_telemetry_spans_waiting", "file"), "0");
  EXPECT_EQ(text.find(path), std::string::npos);  // whose machine it is stays there
  std::filesystem::remove(path);
}

TEST_F(TelemetryMetricsTest, TheSpanSaysWhatItCostToo) {
  for (const bool priced : {true, false}) {
    memory_ = std::make_shared<MemoryExporter>();
    Telemetry telemetry({.exporters = {memory_}, .pricing = {.enabled = priced}});
    generate_at_a_price(telemetry);
    EXPECT_EQ(at(span("chat gpt-4o"), Fact::cost), priced ? "0.000105" : "");
    EXPECT_TRUE(telemetry.warnings().empty());
  }
}

TEST_F(TelemetryMetricsTest, AProgramCountsWhatItLikes) {
  const Telemetry telemetry = metrics_to(MetricsText{.write = [](std::string_view) {}});
  telemetry.meter("shop").counter({.name = "shop.sales", .unit = "{sale}"}).add(2);
  EXPECT_NE(telemetry.metrics_text().find("shop_sales_total{otel_scope_name=\"shop\"} 2\n"),
            std::string::npos);
  Telemetry().meter("shop").counter({.name = "shop.sales"}).add(2);
  EXPECT_EQ(Telemetry().metrics_text(), "");
}

TEST_F(TelemetryMetricsTest, ABlackHoleKeepsTheDeadline) {
  LoopbackServer server({Script::raw().hang()});
  Telemetry telemetry = metrics_to(OtlpHttp{.endpoint = server.url("/v1/metrics")});
  generate_at_a_price(telemetry);
  const Instant until = Instant::clock::now() + 300ms;
  EXPECT_FALSE(telemetry.shutdown(300ms));
  EXPECT_LT(Instant::clock::now() - until, 2s);
}

TEST_F(TelemetryMetricsTest, APartThatTheReceiverRejectsDoesNotComeAgain) {
  LoopbackServer server(
      {Script::answer(200, std::string_view("\x0A\x02\x08\x01", 4)), Script::answer(200, "")});
  Telemetry telemetry = metrics_to(OtlpHttp{.endpoint = server.url("/v1/metrics")},
                                   {.temporality = Temporality::delta});
  generate_at_a_price(telemetry);
  EXPECT_FALSE(telemetry.flush());
  EXPECT_TRUE(telemetry.flush());  // there is nothing new
  EXPECT_EQ(server.requests().size(), 1U);
  EXPECT_FALSE(telemetry.shutdown());
  EXPECT_TRUE(telemetry.warnings().at(0).ends_with("the receiver rejected 1 points"));
}

TEST_F(TelemetryMetricsTest, WhatTheNextLookDeliversWasNotLost) {
  LoopbackServer server({Script::answer(400, ""), Script::answer(200, "")});
  Telemetry telemetry = metrics_to(OtlpHttp{.endpoint = server.url("/v1/metrics")});
  generate_at_a_price(telemetry);
  EXPECT_FALSE(telemetry.flush());
  EXPECT_TRUE(telemetry.shutdown());
}

TEST_F(TelemetryMetricsTest, AProgramThatShowsThemItselfNeedsNoExporter) {
  const Telemetry telemetry({.metrics = {.enabled = true}});
  generate_at_a_price(telemetry);
  EXPECT_NE(telemetry.metrics_text().find("\nmellea_llm_cost_usd_USD_total{"), std::string::npos);
  EXPECT_TRUE(telemetry.warnings().empty());
}

TEST_F(TelemetryMetricsTest, ExportersOfOneNameAreTwo) {
  const std::string path = testing::TempDir() + "mellea_twice_" + std::to_string(::getpid());
  Telemetry telemetry(
      {.exporters = {OtlpFile{path}, OtlpFile{path}}, .metrics = {.enabled = true}});
  generate_at_a_price(telemetry);
  EXPECT_TRUE(telemetry.flush());
  const std::string text = telemetry.metrics_text();
  for (const std::string name : {"file", "file 2"}) {
    EXPECT_NE(text.find("spans_exported_total{mellea_telemetry_exporter=\"" + name + "\""),
              std::string::npos)
        << text;
  }
  std::filesystem::remove(path);
}

TEST_F(TelemetryMetricsTest, AMeasureThatHangsKeepsTheDeadline) {
  struct Gate {
    std::promise<void> inside;
    std::promise<void> go_on;
    std::promise<void> over;
    std::atomic<int> asked{0};
  };
  const auto gate = std::make_shared<Gate>();
  {
    Telemetry telemetry = metrics_to(MetricsText{.write = [](std::string_view) {}});
    telemetry.meter("shop").gauge({.name = "depth"}, [gate] {
      if (gate->asked++ == 0) gate->inside.set_value();
      gate->go_on.get_future().wait();
      gate->over.set_value();
      return std::vector<MetricStore::Measured>();
    });
    EXPECT_FALSE(telemetry.flush(1ms));
    gate->inside.get_future().wait();
    EXPECT_EQ(telemetry.metrics_text().find("depth"),
              std::string::npos);  // and nobody waits for it
    EXPECT_FALSE(telemetry.shutdown(50ms));
  }
  gate->go_on.set_value();
  gate->over.get_future().wait();
  EXPECT_EQ(gate->asked, 1);
}

TEST_F(TelemetryTest, AllThatShutItDownFindTheSame) {
  LoopbackServer server(
      {Script::raw().hold().bytes("HTTP/1.1 400 x\r\ncontent-length: 0\r\n\r\n")});
  Telemetry telemetry({.exporters = {OtlpHttp{.endpoint = server.url("/v1/traces")}},
                       .metrics = {.exporters = {PrometheusEndpoint{.port = 0},
                                                 MetricsText{.write = [](std::string_view) {}}}}});
  generate(telemetry);
  std::atomic<int> complete{0};
  {
    std::vector<std::jthread> threads;
    for (int at = 0; at < 4; ++at)
      threads.emplace_back([&] {
        complete += telemetry.shutdown(30s) ? 1 : 0;
        static_cast<void>(telemetry.prometheus_port());
      });
    EXPECT_TRUE(server.wait_for_requests(1));
    server.release();
  }
  EXPECT_EQ(complete, 0);
  EXPECT_FALSE(telemetry.shutdown());
  EXPECT_EQ(telemetry.prometheus_port(), 0);
}

TEST_F(TelemetryMetricsTest, NothingIsCountedOrToldOnceItIsOver) {
  std::vector<std::string> told;
  Telemetry telemetry(
      {.metrics = {.enabled = true}, .warn = [&](auto text) { told.emplace_back(text); }});
  hooks_ = Hooks(telemetry.plugins(), nullptr);
  const Meter meter = telemetry.meter("shop");
  const std::string before = telemetry.metrics_text();
  EXPECT_TRUE(telemetry.shutdown());
  // Its model has no price, which would be a warning.
  end(generation(Scope::root(Kind::generation), {.model = "granite"}), {},
      {.usage = Usage{.input_tokens = 42}});
  meter.counter({.name = "sales"}).add();
  EXPECT_EQ(telemetry.metrics_text(), before);
  EXPECT_TRUE(told.empty());
}

// Whatever other threads were doing when it was made.
TEST_F(TelemetryMetricsTest, AChildOfForkDoesNotHang) {
  std::promise<void> measuring;
  std::promise<void> go_on;
  auto telemetry = std::make_unique<Telemetry>(
      Config{.exporters = {OtlpFile{"/dev/null"}},
             .chunk_events = true,
             .metrics = {.exporters = {PrometheusEndpoint{.port = 0}, OtlpFile{"/dev/null"}}}});
  generate_at_a_price(*telemetry);
  telemetry->meter("shop").gauge({.name = "depth"}, [&, once = true]() mutable {
    if (std::exchange(once, false)) {
      measuring.set_value();
      go_on.get_future().wait();
    }
    return std::vector<MetricStore::Measured>();
  });
  std::jthread looking([&] { static_cast<void>(telemetry->metrics_text()); });
  measuring.get_future().wait();
  std::jthread ending([&] { telemetry->shutdown(30s); });
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(30);
    generate_at_a_price(*telemetry);
    telemetry->meter("shop").counter({.name = "sales"}).add();
    static_cast<void>(telemetry->metrics_text());
    telemetry->flush();
    telemetry->shutdown();
    static_cast<void>(telemetry->warnings());
    telemetry = nullptr;
    ::_exit(0);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  go_on.set_value();
}

TEST(WarningsTest, OnceClosedTheyAreOnlyKept) {
  std::vector<std::string> told;
  Warnings warnings([&](std::string_view text) { told.emplace_back(text); });
  warnings.add("a");
  warnings.close(Instant::clock::now());
  warnings.add("b");
  EXPECT_EQ(told, std::vector<std::string>{"a"});
  EXPECT_EQ(warnings.all(), (std::vector<std::string>{"a", "b"}));
}

TEST(WarningsTest, AreNotClosedWhileOneIsTold) {
  std::promise<void> telling;
  std::promise<void> go_on;
  bool told = false;
  Warnings warnings([&](std::string_view) {
    telling.set_value();
    go_on.get_future().wait();
    told = true;
  });
  std::jthread thread([&] { warnings.add("a"); });
  telling.get_future().wait();
  const Instant until = Instant::clock::now() + 10ms;
  warnings.close(until);
  EXPECT_GE(Instant::clock::now(), until);
  go_on.set_value();
  warnings.close(Instant::clock::now() + 30s);
  EXPECT_TRUE(told);
}

}  // namespace
}  // namespace mellea::telemetry
