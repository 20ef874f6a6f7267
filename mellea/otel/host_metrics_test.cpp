#include "mellea/otel/host_metrics.h"

#include <gtest/gtest.h>
#include <opentelemetry/sdk/metrics/data/metric_data.h>
#include <opentelemetry/sdk/metrics/export/metric_producer.h>
#include <opentelemetry/sdk/metrics/meter_provider.h>
#include <opentelemetry/sdk/metrics/metric_reader.h>

#include <chrono>
#include <latch>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "mellea/hooks/events.h"
#include "mellea/otel/bridge.h"
#include "mellea/otel/values.h"
#include "mellea/telemetry/telemetry.h"

namespace mellea::otel {
namespace {

using namespace std::chrono_literals;
namespace sdk = opentelemetry::sdk::metrics;

// Looks when it is asked to.
class Reader final : public sdk::MetricReader {
 public:
  sdk::AggregationTemporality GetAggregationTemporality(
      sdk::InstrumentType) const noexcept override {
    return sdk::AggregationTemporality::kCumulative;
  }

 private:
  bool OnForceFlush(std::chrono::microseconds) noexcept override { return true; }
  bool OnShutDown(std::chrono::microseconds) noexcept override { return true; }
};

struct Seen {
  std::string unit;
  std::string scope;
  std::vector<sdk::PointDataAttributes> points;
};

class HostMetricsTest : public testing::Test {
 protected:
  HostMetricsTest() { host_->AddMetricReader(reader_); }

  // What the host sees now, by the names of the instruments.
  std::map<std::string, Seen> seen() {
    std::map<std::string, Seen> all;
    reader_->Collect([&](sdk::ResourceMetrics& metrics) {
      for (const auto& scope : metrics.scope_metric_data_)
        for (const auto& metric : scope.metric_data_)
          all[metric.instrument_descriptor.name_] = {
              metric.instrument_descriptor.unit_, scope.scope_->GetName(), metric.point_data_attr_};
      return true;
    });
    return all;
  }
  template <class Number>
  static Number sum(const Seen& metric) {
    EXPECT_EQ(metric.points.size(), 1U);
    return opentelemetry::nostd::get<Number>(
        opentelemetry::nostd::get<sdk::SumPointData>(metric.points.at(0).point_data).value_);
  }

  // One chat that took so long, and so many tokens.
  void chat(std::int64_t tokens, std::chrono::nanoseconds took) {
    const Hooks hooks(telemetry_.plugins(), nullptr);
    const Instant began = Instant(1h);
    GenerationPreCall event{.scope = Scope::root(Kind::generation),
                            .at = began,
                            .target = std::make_shared<const Target>(Target{.provider = "ollama"}),
                            .request = Request{.model = "granite"}};
    static_cast<void>(hooks.decide(event));
    const auto opening = std::make_shared<const GenerationPreCall>(event);
    hooks.tell(*opening);
    Reply reply;
    reply.usage = Usage{.input_tokens = tokens};
    hooks.tell(GenerationPostCall{.opening = opening,
                                  .ending = {.at = began + took},
                                  .reply = std::make_shared<const Reply>(reply),
                                  .effort = {.times = {.started = began}}});
  }

  const std::shared_ptr<sdk::MeterProvider> host_ = std::make_shared<sdk::MeterProvider>();
  const std::shared_ptr<Reader> reader_ = std::make_shared<Reader>();
  telemetry::Telemetry telemetry_{metrics_through(*host_)};
};

TEST_F(HostMetricsTest, WhatWeCountIsInTheHostsInstrumentsWithOurBuckets) {
  chat(100, 300ms);
  chat(7, 40ms);
  const auto all = seen();
  const Seen& tokens = all.at("gen_ai.client.token.usage");
  EXPECT_EQ(tokens.unit, "{token}");
  EXPECT_EQ(tokens.scope, "mellea.metrics");
  ASSERT_EQ(tokens.points.size(), 1U);
  const auto& attributes = tokens.points[0].attributes.GetAttributes();
  EXPECT_EQ(opentelemetry::nostd::get<std::string>(attributes.at("gen_ai.request.model")),
            "granite");
  const auto& counted =
      opentelemetry::nostd::get<sdk::HistogramPointData>(tokens.points[0].point_data);
  EXPECT_EQ(counted.count_, 2U);
  EXPECT_EQ(opentelemetry::nostd::get<std::int64_t>(counted.sum_), 107);
  EXPECT_EQ(counted.boundaries_.front(), 1);
  EXPECT_EQ(counted.boundaries_.back(), 67108864);

  const auto& took = opentelemetry::nostd::get<sdk::HistogramPointData>(
      all.at("gen_ai.client.operation.duration").points.at(0).point_data);
  EXPECT_EQ(took.boundaries_.front(), 0.01);
  EXPECT_DOUBLE_EQ(opentelemetry::nostd::get<double>(took.sum_), 0.34);
}

TEST_F(HostMetricsTest, AProgramsOwnMetricsAreThereToo) {
  auto meter = telemetry_.meter("shop");
  meter.counter({.name = "shop.sales", .integer = true}).add(2, {{"shop.region", "north"}});
  meter.gauge({.name = "shop.open", .unit = "1"},
              [] { return std::vector<telemetry::MetricStore::Measured>{{.value = 0.5}}; });
  const auto all = seen();
  EXPECT_EQ(sum<std::int64_t>(all.at("shop.sales")), 2);
  EXPECT_EQ(all.at("shop.sales").scope, "shop");
  const auto& open = opentelemetry::nostd::get<sdk::LastValuePointData>(
      all.at("shop.open").points.at(0).point_data);
  EXPECT_EQ(opentelemetry::nostd::get<double>(open.value_), 0.5);
}

TEST_F(HostMetricsTest, TheyStandInOurOwnExportersAsWell) {
  chat(100, 300ms);
  EXPECT_NE(telemetry_.metrics_text().find("gen_ai_client_token_usage_sum"), std::string::npos);
}

TEST_F(HostMetricsTest, NothingIsMeasuredAfterShutdown) {
  telemetry_.meter("shop").gauge({.name = "shop.open"}, [] {
    return std::vector<telemetry::MetricStore::Measured>{{.value = 1}};
  });
  chat(100, 300ms);
  telemetry_.shutdown();
  chat(100, 300ms);
  const auto all = seen();
  EXPECT_FALSE(all.contains("shop.open"));
  EXPECT_EQ(opentelemetry::nostd::get<sdk::HistogramPointData>(
                all.at("gen_ai.client.token.usage").points.at(0).point_data)
                .count_,
            1U);
}

TEST_F(HostMetricsTest, ACollectionThatHangsHoldsUpNoShutdown) {
  std::latch entered(1);
  std::latch released(1);
  telemetry_.meter("shop").gauge({.name = "shop.open"}, [&] {
    entered.count_down();
    released.wait();
    return std::vector<telemetry::MetricStore::Measured>{{.value = 1}};
  });
  {
    const std::jthread collecting([&] { seen(); });
    entered.wait();
    telemetry_.shutdown(1ms);  // or nobody would ever release it
    released.count_down();     // the last that knows the gauge ends inside the host's collection
  }
  seen();  // and the host goes on
}

}  // namespace
}  // namespace mellea::otel
