#include "mellea/telemetry/otlp_metrics.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "mellea/telemetry/metric_store.h"
#include "mellea/telemetry/metrics_for_test.h"
#include "mellea/telemetry/protoc_for_test.h"

namespace mellea::telemetry {
namespace {

class OtlpMetricsTest : public testing::Test {
 protected:
  OtlpMetricsTest() {
    resource_.attributes.resize(1);
    resource_.library_version = "V";
  }

  // A counter, a sum that may shrink, a histogram and a gauge.
  MetricBatch batch() {
    const LabelRef labels[] = {store_->labels().kept({Fact::operation, "chat"}),
                               store_->labels().kept({Fact::request_stream, true}),
                               store_->labels().kept({"t\xC3", std::int64_t{-7}}),
                               store_->labels().kept({"bad", "x\xFF"})};
    store_->instrument({.name = "calls", .unit = "{call}", .description = "Calls"})
        ->record(3, labels);
    store_
        ->instrument({.name = "open",
                      .kind = InstrumentKind::up_down_counter,
                      .unit = "{x}",
                      .integer = false})
        ->record(-1.5, {});
    MetricInstrument& times = *store_->instrument({.name = "times",
                                                   .kind = InstrumentKind::histogram,
                                                   .unit = "s",
                                                   .bounds = {0.5, 2},
                                                   .scope = "shop"});
    times.record(0.5, {}, trace_of(0xAB));
    times.record(9, {});
    store_->observe({.name = "depth", .kind = InstrumentKind::gauge}, [] {
      return std::vector<MetricStore::Measured>{{4, {}}};
    });
    MetricBatch batch = store_->collect();
    for (MetricData& data : batch.metrics) {
      data.delta = data.instrument->name == "times";
      for (MetricPoint& point : data.points)
        for (Exemplar& exemplar : point.exemplars) exemplar.at = 1'700'000'000'000'000'002;
    }
    return batch;
  }

  std::int64_t now_ = 1'700'000'000'000'000'000;
  Resource resource_{"test", {}};
  std::shared_ptr<MetricStore> store_ =
      std::make_shared<MetricStore>(ExemplarFilter::sampled, [this] { return now_++; });
};

TEST_F(OtlpMetricsTest, JsonIsAsTheMappingOfProtobufSays) {
  const std::string text = otlp_metrics_json(batch(), resource_);
  EXPECT_EQ(text.find('\n'), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(text), nlohmann::json::parse(R"({"resourceMetrics":[{
    "resource":{"attributes":[{"key":"service.name","value":{"stringValue":"test"}}]},
    "scopeMetrics":[
      {"scope":{"name":"mellea.metrics","version":"V"},"metrics":[
        {"name":"calls","description":"Calls","unit":"{call}","sum":{
          "aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{
            "attributes":[
              {"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},
              {"key":"gen_ai.request.stream","value":{"boolValue":true}},
              {"key":"t\ufffd","value":{"intValue":"-7"}},
              {"key":"bad","value":{"stringValue":"x\ufffd"}}],
            "startTimeUnixNano":"1700000000000000000","timeUnixNano":"1700000000000000001",
            "asInt":"3"}]}},
        {"name":"open","description":"","unit":"{x}","sum":{
          "aggregationTemporality":2,"isMonotonic":false,"dataPoints":[{"attributes":[],
            "startTimeUnixNano":"1700000000000000000","timeUnixNano":"1700000000000000001",
            "asDouble":-1.5}]}},
        {"name":"depth","description":"","unit":"1","gauge":{"dataPoints":[{"attributes":[],
            "startTimeUnixNano":"1700000000000000000","timeUnixNano":"1700000000000000001",
            "asInt":"4"}]}}]},
      {"scope":{"name":"shop"},"metrics":[
        {"name":"times","description":"","unit":"s","histogram":{
          "aggregationTemporality":1,"dataPoints":[{"attributes":[],
            "startTimeUnixNano":"1700000000000000000","timeUnixNano":"1700000000000000001",
            "count":"2","sum":9.5,"bucketCounts":["1","0","1"],"explicitBounds":[0.5,2.0],
            "min":0.5,"max":9.0,
            "exemplars":[{"timeUnixNano":"1700000000000000002","asDouble":0.5,
              "spanId":"00000000000000ab","traceId":"000000000000000000000000000000ab"}]}]}}]}]}]})"));
}

TEST_F(OtlpMetricsTest, TheDescriptionsOfOpenTelemetryDecodeTheProtobuf) {
  const auto requests = otlp_metrics_protobuf(batch(), resource_, 1U << 20U);
  ASSERT_EQ(requests.size(), 1U);
  const auto decoded = decoded_by_protoc(requests[0], OtlpSignal::metrics);
  if (!decoded) GTEST_SKIP() << kNoProtoc;
  for (const auto* expected : {R"(key: "service.name")",
                               R"(name: "mellea.metrics")",
                               R"(version: "V")",
                               R"(name: "shop")",
                               R"(name: "calls")",
                               R"(description: "Calls")",
                               R"(unit: "{call}")",
                               "is_monotonic: true",
                               "aggregation_temporality: AGGREGATION_TEMPORALITY_CUMULATIVE",
                               "aggregation_temporality: AGGREGATION_TEMPORALITY_DELTA",
                               "start_time_unix_nano: 1700000000000000000",
                               "time_unix_nano: 1700000000000000001",
                               "as_int: 3",
                               "as_double: -1.5",
                               "gauge {",
                               "as_int: 4",
                               "count: 2",
                               "sum: 9.5",
                               "bucket_counts: 1",
                               "bucket_counts: 0",
                               "explicit_bounds: 0.5",
                               "explicit_bounds: 2",
                               "min: 0.5",
                               "max: 9",
                               "exemplars {",
                               R"(span_id: "\000\000\000\000\000\000\000\253")",
                               R"(string_value: "x\357\277\275")",
                               "int_value: -7",
                               "bool_value: true"})
    EXPECT_NE(decoded->find(expected), std::string::npos) << expected << "\nin\n" << *decoded;
  // Whether the program's own scope has our version.
  const std::size_t shop = decoded->find(R"(name: "shop")");
  EXPECT_EQ(decoded->find(R"(version: "V")", shop), std::string::npos);
}

TEST_F(OtlpMetricsTest, ManyPointsAreSeveralRequests) {
  MetricInstrument& calls = *store_->instrument({.name = "calls"});
  for (int at = 0; at < 1'900; ++at) {
    const LabelRef labels[] = {store_->labels().kept({"x", std::int64_t{at % 100}}),
                               store_->labels().kept({"y", std::int64_t{at / 100}})};
    calls.record(1, labels);
  }
  const MetricBatch many = store_->collect();
  EXPECT_EQ(many.points(), 1'900U);
  const auto requests = otlp_metrics_protobuf(many, resource_, 70'000);
  EXPECT_EQ(requests.size(), 2U);
  EXPECT_TRUE(otlp_metrics_protobuf({}, resource_, 70'000).empty());
}

}  // namespace
}  // namespace mellea::telemetry
