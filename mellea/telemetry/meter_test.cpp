#include "mellea/telemetry/meter.h"

#include "mellea/telemetry/metrics_for_test.h"

namespace mellea::telemetry {
namespace {

class MeterTest : public testing::Test {
 protected:
  std::string seen() { return text_of(store_->collect()); }

  std::shared_ptr<Warnings> warnings_ = std::make_shared<Warnings>();
  std::shared_ptr<MetricStore> store_ = std::make_shared<MetricStore>();
  Meter meter_{store_, warnings_, "shop"};
};

TEST_F(MeterTest, GivesInstrumentsThatAddUp) {
  const Counter sales = meter_.counter({.name = "sales"});
  sales.add();
  sales.add(2, {{"region", "north"}, {"big", true}});
  sales.add(3, {{"big", true}, {"region", "north"}});
  const UpDownCounter open = meter_.up_down_counter({.name = "open", .integer = false});
  open.add(2.5);
  open.add(-1);
  meter_.histogram({.name = "price"}).record(7, {{"region", "south"}});
  meter_.gauge({.name = "depth"}, [] {
    return std::vector<MetricStore::Measured>{{3, {{"q", "a"}}}};
  });
  EXPECT_EQ(seen(),
            "sales 1\nsales big=true region=north 5\nopen 1.5\n"
            "price region=south 1x sum 7\ndepth q=a 3\n");
  const MetricBatch batch = store_->collect();
  EXPECT_EQ(batch.metrics.at(0).instrument->scope, "shop");
  EXPECT_EQ(batch.metrics.at(2).instrument->bounds, default_bounds());
}

TEST_F(MeterTest, TheSameNameIsTheSameInstrument) {
  meter_.counter({.name = "sales"}).add();
  meter_.counter({.name = "sales"}).add();
  meter_.histogram({.name = "sales"}).record(1);
  EXPECT_EQ(seen(), "sales 2\n");
  EXPECT_EQ(warnings_->all(),
            std::vector<std::string>{
                "metric sales: there is another of that name; this one is not counted"});
}

TEST_F(MeterTest, AGaugeMayBeToldOfByManyButNotUnderAnothersName) {
  const auto tells = [](std::string_view label) {
    return [label] { return std::vector<MetricStore::Measured>{{1, {{"q", label}}}}; };
  };
  meter_.gauge({.name = "depth"}, tells("a"));
  meter_.gauge({.name = "depth"}, tells("b"));
  EXPECT_TRUE(warnings_->all().empty());
  meter_.counter({.name = "depth"}).add();
  meter_.counter({.name = "sales"}).add();
  meter_.gauge({.name = "sales"}, tells("c"));
  EXPECT_EQ(seen(), "sales 1\ndepth q=a 1\ndepth q=b 1\n");
  EXPECT_EQ(warnings_->all().size(), 2U);
  Meter(store_, warnings_, "other").counter({.name = "sales"}).add();
  EXPECT_EQ(warnings_->all().size(), 2U);
}

TEST_F(MeterTest, APartOfOneCountsUnlessItIsToCountWholeNumbers) {
  const Counter parts = meter_.counter({.name = "parts"});
  const Counter whole = meter_.counter({.name = "whole", .integer = true});
  for (int at = 0; at < 2; ++at) parts.add(0.5);
  for (int at = 0; at < 2; ++at) whole.add(1.5);
  EXPECT_EQ(seen(), "parts 1\nwhole 2\n");
}

TEST_F(MeterTest, NothingIsCountedOnceTelemetryIsOver) {
  const Counter sales = meter_.counter({.name = "sales"});
  sales.add();
  store_->close(Instant::clock::now());
  sales.add();
  meter_.counter({.name = "more"}).add();
  EXPECT_EQ(seen(), "sales 1\n");
}

TEST_F(MeterTest, TheScopeOfAnOperationGivesTheExemplar) {
  const Scope scope = Scope::root(Kind::tool).traced(trace_of(7));
  meter_.counter({.name = "sales"}).add(1, {}, scope);
  EXPECT_EQ(store_->collect().metrics.at(0).points.at(0).exemplars.at(0).trace, trace_of(7));
}

TEST_F(MeterTest, OffItGivesWhatDoesNothing) {
  const Meter off;
  off.counter({.name = "sales"}).add();
  off.up_down_counter({.name = "open"}).add(1);
  off.histogram({.name = "price"}).record(1);
  off.gauge({.name = "depth"}, {});
  Counter().add();
  EXPECT_EQ(seen(), "");
}

TEST_F(MeterTest, WhatItGivesOutlivesIt) {
  const Counter sales = meter_.counter({.name = "sales"});
  meter_ = Meter();
  store_ = nullptr;
  sales.add(1, {{"region", "north"}});
}

}  // namespace
}  // namespace mellea::telemetry
