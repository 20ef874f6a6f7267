#include "mellea/telemetry/prometheus_text.h"

#include <gtest/gtest.h>

#include "mellea/telemetry/metric_store.h"
#include "mellea/telemetry/metrics_for_test.h"

namespace mellea::telemetry {
namespace {

class PrometheusTextTest : public testing::Test {
 protected:
  MetricInstrument& make(InstrumentDescription description) {
    return *store_->instrument(std::move(description));
  }
  void record(MetricInstrument& instrument, double value, std::vector<MetricLabel> labels = {},
              const TraceRef& trace = {}) {
    std::vector<LabelRef> refs;
    for (const MetricLabel& label : labels) refs.push_back(store_->labels().kept(label));
    instrument.record(value, refs, trace);
  }
  // Without the time of exemplars, and with a version that does not change.
  std::string text(PrometheusFormat format = PrometheusFormat::text) {
    Resource resource("test", {{"service.instance.id", "1"}});
    resource.attributes.resize(2);
    resource.library_version = "V";
    MetricBatch batch = store_->collect();
    for (MetricData& data : batch.metrics)
      for (MetricPoint& point : data.points)
        for (Exemplar& exemplar : point.exemplars) exemplar.at = 1'700'000'000'007'000'000;
    return prometheus_text(batch, resource, format);
  }

  std::shared_ptr<MetricStore> store_ = std::make_shared<MetricStore>();
};

TEST_F(PrometheusTextTest, IsAsTheFormat004Says) {
  auto& calls =
      make({.name = "mellea.tool.calls", .unit = "{call}", .description = "Calls\\of\n\"it\""});
  record(calls, 2, {{Fact::tool_name, "say \"hi\"\\now"}, {"status", "success"}});
  auto& times = make({.name = "gen_ai.client.operation.duration",
                      .kind = InstrumentKind::histogram,
                      .unit = "s",
                      .description = "Time",
                      .integer = false,
                      .bounds = {0.01, 1}});
  record(times, 0.0078125, {{Fact::request_stream, true}}, trace_of(1));
  record(times, 1, {{Fact::request_stream, true}});
  record(times, 2.5, {{Fact::request_stream, true}});
  auto& open = make({.name = "open", .kind = InstrumentKind::up_down_counter, .unit = "{x}"});
  record(open, -3);
  EXPECT_EQ(text(), R"(# TYPE target_info gauge
# HELP target_info Who is measured
target_info{service_name="test",service_instance_id="1"} 1
# TYPE mellea_tool_calls_total counter
# HELP mellea_tool_calls_total Calls\\of\n"it"
mellea_tool_calls_total{gen_ai_tool_name="say \"hi\"\\now",status="success",otel_scope_name="mellea.metrics",otel_scope_version="V"} 2
# TYPE gen_ai_client_operation_duration_seconds histogram
# HELP gen_ai_client_operation_duration_seconds Time
gen_ai_client_operation_duration_seconds_bucket{gen_ai_request_stream="true",otel_scope_name="mellea.metrics",otel_scope_version="V",le="0.01"} 1
gen_ai_client_operation_duration_seconds_bucket{gen_ai_request_stream="true",otel_scope_name="mellea.metrics",otel_scope_version="V",le="1"} 2
gen_ai_client_operation_duration_seconds_bucket{gen_ai_request_stream="true",otel_scope_name="mellea.metrics",otel_scope_version="V",le="+Inf"} 3
gen_ai_client_operation_duration_seconds_sum{gen_ai_request_stream="true",otel_scope_name="mellea.metrics",otel_scope_version="V"} 3.5078125
gen_ai_client_operation_duration_seconds_count{gen_ai_request_stream="true",otel_scope_name="mellea.metrics",otel_scope_version="V"} 3
# TYPE open gauge
open{otel_scope_name="mellea.metrics",otel_scope_version="V"} -3
)");
}

TEST_F(PrometheusTextTest, OpenMetricsHasUnitsAndExemplarsAndAnEnd) {
  auto& cost = make({.name = "mellea.llm.cost.usd",
                     .unit = "USD",
                     .description = "A \"cost\"",
                     .integer = false,
                     .scope = "shop"});
  record(cost, 0.25, {}, trace_of(1));
  auto& times =
      make({.name = "t", .kind = InstrumentKind::histogram, .unit = "s", .bounds = {1, 2}});
  record(times, 0.5, {}, trace_of(2));
  record(times, 3, {}, trace_of(3));
  EXPECT_EQ(text(PrometheusFormat::open_metrics), R"(# TYPE target info
# HELP target Who is measured
target_info{service_name="test",service_instance_id="1"} 1
# TYPE mellea_llm_cost_usd_USD counter
# UNIT mellea_llm_cost_usd_USD USD
# HELP mellea_llm_cost_usd_USD A \"cost\"
mellea_llm_cost_usd_USD_total{otel_scope_name="shop"} 0.25 # {trace_id="00000000000000000000000000000001",span_id="0000000000000001"} 0.25 1700000000.007
# TYPE t_seconds histogram
# UNIT t_seconds seconds
t_seconds_bucket{otel_scope_name="mellea.metrics",otel_scope_version="V",le="1.0"} 1 # {trace_id="00000000000000000000000000000002",span_id="0000000000000002"} 0.5 1700000000.007
t_seconds_bucket{otel_scope_name="mellea.metrics",otel_scope_version="V",le="2.0"} 1
t_seconds_bucket{otel_scope_name="mellea.metrics",otel_scope_version="V",le="+Inf"} 2 # {trace_id="00000000000000000000000000000003",span_id="0000000000000003"} 3 1700000000.007
t_seconds_sum{otel_scope_name="mellea.metrics",otel_scope_version="V"} 3.5
t_seconds_count{otel_scope_name="mellea.metrics",otel_scope_version="V"} 2
# EOF
)");
}

TEST_F(PrometheusTextTest, TwoOfOneNameAreOneThatCanBeRead) {
  record(make({.name = "a.b"}), 1);
  record(make({.name = "a_b"}), 2);
  const std::string page = text();
  EXPECT_NE(
      page.find("\na_b_total{otel_scope_name=\"mellea.metrics\",otel_scope_version=\"V\"} 1\n"),
      std::string::npos);
  EXPECT_EQ(page.find("} 2\n"), std::string::npos);
}

TEST_F(PrometheusTextTest, OneNameOfSeveralScopesIsOneFamily) {
  record(make({.name = "a"}), 1);
  record(make({.name = "b"}), 2);
  record(make({.name = "a", .scope = "shop"}), 3);
  const std::string page = text();
  EXPECT_NE(page.find("# TYPE a_total counter\n"
                      "a_total{otel_scope_name=\"mellea.metrics\",otel_scope_version=\"V\"} 1\n"
                      "a_total{otel_scope_name=\"shop\"} 3\n# TYPE b_total counter\n"),
            std::string::npos)
      << page;
}

TEST_F(PrometheusTextTest, KeysThatBecomeOneNameShareIt) {
  record(make({.name = "c"}), 1, {{"a.b", "x"}, {"a-b", "y"}, {"1", std::int64_t{7}}});
  EXPECT_NE(text().find("{a_b=\"x;y\",key_1=\"7\","), std::string::npos);
}

TEST(PrometheusNameTest, IsTranslatedWithItsUnit) {
  struct Row {
    std::string name;
    InstrumentKind kind;
    std::string unit;
    std::string expected;
  };
  using enum InstrumentKind;
  const std::vector<Row> rows = {
      {"gen_ai.client.token.usage", histogram, "{token}", "gen_ai_client_token_usage"},
      {"gen_ai.client.operation.duration", histogram, "s",
       "gen_ai_client_operation_duration_seconds"},
      {"mellea.llm.cost.usd", counter, "USD", "mellea_llm_cost_usd_USD"},
      {"mellea.llm.errors", counter, "{error}", "mellea_llm_errors"},
      {"jobs.total", counter, "1", "jobs"},
      {"load", gauge, "1", "load_ratio"},
      {"disk", gauge, "By/s", "disk_bytes_per_second"},
      {"disk.bytes", gauge, "By", "disk_bytes"},
      {"a--b..c", counter, "", "a_b_c"},
      {"1st", counter, "", "_1st"},
      {"full", gauge, "%", "full_percent"},
      {"rate", gauge, "{packet}/min", "rate_per_min"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(prometheus_name({.name = row.name, .kind = row.kind, .unit = row.unit}),
              row.expected);
  }
}

TEST(PrometheusFormatTest, IsWhatTheScraperLikesBest) {
  using enum PrometheusFormat;
  EXPECT_EQ(preferred_format(""), text);
  EXPECT_EQ(preferred_format("*/*"), text);
  EXPECT_EQ(preferred_format("text/plain;version=0.0.4"), text);
  EXPECT_EQ(preferred_format("application/openmetrics-text;version=1.0.0"), open_metrics);
  // Prometheus 2 and 3.
  EXPECT_EQ(
      preferred_format("application/openmetrics-text;version=1.0.0;q=0.6,"
                       "application/openmetrics-text;version=0.0.1;q=0.5,"
                       "text/plain;version=1.0.0;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"),
      open_metrics);
  EXPECT_EQ(preferred_format("text/plain;q=0.9, application/openmetrics-text;q=0.1"), text);
  EXPECT_EQ(preferred_format("application/openmetrics-text;q=0"), text);
}

}  // namespace
}  // namespace mellea::telemetry
