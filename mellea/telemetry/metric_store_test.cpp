#include "mellea/telemetry/metric_store.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <future>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>

#include "mellea/telemetry/metric_names.h"
#include "mellea/telemetry/metrics_for_test.h"

namespace mellea::telemetry {
namespace {

class MetricStoreTest : public testing::Test {
 protected:
  MetricInstrument& counter() { return *store_->instrument({.name = "c", .unit = "{call}"}); }
  MetricInstrument& histogram() {
    return *store_->instrument(
        {.name = "h", .kind = InstrumentKind::histogram, .bounds = {1, 2, 4}});
  }
  LabelRef label(std::string_view value, std::string_view key = "k") {
    return store_->labels().kept({key, value});
  }
  void add(MetricInstrument& instrument, double value, std::string_view of = "a",
           const TraceRef& trace = {}) {
    const LabelRef labels[] = {label(of)};
    instrument.record(value, labels, trace);
  }
  std::string seen() { return text_of(store_->collect()); }
  static Instant soon() { return Instant::clock::now() + 30s; }

  std::int64_t now_ = 100;
  std::shared_ptr<MetricStore> store_ =
      std::make_shared<MetricStore>(ExemplarFilter::sampled, [this] { return now_; });
};

TEST_F(MetricStoreTest, ASetOfLabelsHasOneSum) {
  add(counter(), 1);
  add(counter(), 2, "b");
  add(counter(), 4);
  EXPECT_EQ(seen(), "c k=a 5\nc k=b 2\n");
}

TEST_F(MetricStoreTest, AnInstrumentThatNothingWasRecordedWithIsNotSeen) {
  counter();
  EXPECT_EQ(seen(), "");
}

TEST_F(MetricStoreTest, TheOrderOfLabelsCountsAndNoneIsASetToo) {
  counter().record(1, {});
  const LabelRef ab[] = {label("1", "a"), label("1", "b")};
  const LabelRef ba[] = {ab[1], ab[0]};
  counter().record(1, ab);
  counter().record(1, ba);
  EXPECT_EQ(seen(), "c 1\nc a=1 b=1 1\nc b=1 a=1 1\n");
}

TEST_F(MetricStoreTest, ABoundIsInItsBucket) {
  for (const double value : {0.5, 1.0, 1.5, 2.0, 2.1, 4.0, 4.1, 1e300}) add(histogram(), value);
  const MetricBatch batch = store_->collect();
  const auto& value = std::get<HistogramValue>(batch.metrics.at(0).points.at(0).value);
  EXPECT_EQ(value.counts, (std::vector<std::uint64_t>{2, 2, 2, 2}));
  EXPECT_EQ(value.least, 0.5);
  EXPECT_EQ(value.most, 1e300);
  EXPECT_EQ(value.count(), 8U);
}

TEST_F(MetricStoreTest, WhatIsNoNumberOrLessThanNothingIsNotCounted) {
  add(counter(), -1);
  add(histogram(), std::numeric_limits<double>::quiet_NaN());
  add(histogram(), std::numeric_limits<double>::infinity());
  EXPECT_EQ(seen(), "");
  MetricInstrument& open =
      *store_->instrument({.name = "u", .kind = InstrumentKind::up_down_counter});
  add(open, 3);
  add(open, -1);
  EXPECT_EQ(seen(), "u k=a 2\n");
}

TEST_F(MetricStoreTest, ANumberOfManyThreadsIsExact) {
  constexpr int kThreads = 16;
  constexpr int kRounds = 5'000;
  MetricInstrument& calls = counter();
  MetricInstrument& times = histogram();
  const TraceRef sampled = trace_of(1);
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread)
      threads.emplace_back([&, thread] {
        for (int round = 0; round < kRounds; ++round) {
          add(calls, 1, std::to_string(round % 40));
          add(times, round % 5, std::to_string(thread % 3), sampled);
        }
      });
    while (store_->collect().points() < 10) {  // somebody looks meanwhile
    }
  }
  double calls_sum = 0;
  HistogramValue sum{.counts = {0, 0, 0, 0}};
  for (const MetricData& metric : store_->collect().metrics)
    for (const MetricPoint& point : metric.points) {
      if (const auto* one = std::get_if<HistogramValue>(&point.value)) {
        sum.sum += one->sum;
        for (std::size_t at = 0; at < 4; ++at) sum.counts[at] += one->counts[at];
      } else {
        calls_sum += static_cast<double>(std::get<std::int64_t>(point.value));
      }
    }
  EXPECT_EQ(calls_sum, kThreads * kRounds);
  EXPECT_EQ(sum.sum, kThreads * kRounds / 5 * 10);
  const std::uint64_t each = kThreads * kRounds / 5;
  EXPECT_EQ(sum.counts, (std::vector<std::uint64_t>{2 * each, each, 2 * each, 0}));
}

TEST_F(MetricStoreTest, WhatComesAfterTheLastSeriesOverflows) {
  MetricInstrument& calls = counter();
  for (std::size_t at = 0; at < MetricInstrument::kMostSeries + 500; ++at) {
    const LabelRef labels[] = {label(std::to_string(at % 50), "x"),
                               label(std::to_string(at / 50), "y")};
    calls.record(1, labels);
  }
  const MetricBatch batch = store_->collect();
  EXPECT_EQ(batch.points(), MetricInstrument::kMostSeries);
  EXPECT_TRUE(text_of(batch).ends_with("c otel.metric.overflow=true 501\n"));
  const LabelRef known[] = {label("0", "x"), label("0", "y")};
  calls.record(1, known);
  EXPECT_TRUE(seen().starts_with("c x=0 y=0 2\n"));
}

TEST_F(MetricStoreTest, AKeyHasNoMoreValuesThanAllowed) {
  LabelTable& labels = store_->labels();
  const LabelRef first = labels.kept({"m", "1"}, 2);
  EXPECT_NE(labels.kept({"m", "2"}, 2), first);
  const LabelRef third = labels.kept({"m", "3"}, 2);
  EXPECT_EQ(text_of(third->attribute.value), "other");
  EXPECT_EQ(labels.kept({"m", "4"}, 2), third);
  EXPECT_EQ(labels.kept({"m", "1"}, 2), first);
  EXPECT_EQ(text_of(labels.kept({"n", "1"}, 2)->attribute.value), "1");
}

TEST_F(MetricStoreTest, LabelsAreOfATypeAndTextIsOneLineOfUtf8) {
  LabelTable& labels = store_->labels();
  EXPECT_NE(labels.kept({"k", "1"}), labels.kept({"k", std::int64_t{1}}));
  EXPECT_NE(labels.kept({"k", true}), labels.kept({"k", std::int64_t{1}}));
  EXPECT_EQ(labels.kept({Fact::provider, "x"})->attribute.key, Key(Fact::provider));
  EXPECT_EQ(text_of(labels.kept({"k", "a\xFF\nb"})->attribute.value), "a\uFFFD b");
  EXPECT_EQ(labels.kept({"k", "a\xFF\nb"}), labels.kept({"k", "a\uFFFD b"}));
}

TEST_F(MetricStoreTest, AnExemplarIsTheLastOfItsBucketInASpanThatIsSampled) {
  add(histogram(), 1, "a", trace_of(1));
  add(histogram(), 0.5, "a", trace_of(2));
  add(histogram(), 3, "a", trace_of(3));
  add(histogram(), 3.5, "a", trace_of(4, false));
  add(histogram(), 9);
  const MetricBatch batch = store_->collect();
  const auto& exemplars = batch.metrics.at(0).points.at(0).exemplars;
  ASSERT_EQ(exemplars.size(), 2U);
  EXPECT_EQ(exemplars[0].value, 0.5);
  EXPECT_EQ(exemplars[0].trace, trace_of(2));
  EXPECT_EQ(exemplars[1].value, 3);
  EXPECT_GT(exemplars[1].at, 0);
}

TEST_F(MetricStoreTest, WithoutExemplarsThereAreNone) {
  store_ = std::make_shared<MetricStore>(ExemplarFilter::off);
  add(counter(), 1, "a", trace_of(1));
  EXPECT_TRUE(store_->collect().metrics.at(0).points.at(0).exemplars.empty());
  store_ = std::make_shared<MetricStore>(ExemplarFilter::all);
  add(counter(), 1);
  EXPECT_EQ(store_->collect().metrics.at(0).points.at(0).exemplars.size(), 1U);
}

TEST_F(MetricStoreTest, AnInstrumentIsKnownByItsName) {
  EXPECT_EQ(store_->instrument({.name = "c"}), store_->instrument({.name = "c"}));
  EXPECT_EQ(store_->instrument({.name = "c", .unit = "s"}), nullptr);
  EXPECT_NE(store_->instrument({.name = "c", .unit = "s", .scope = "shop"}), nullptr);
}

TEST_F(MetricStoreTest, WhatIsObservedIsMeasuredAtEachLook) {
  double depth = 3;
  store_->observe({.name = "depth", .kind = InstrumentKind::gauge}, [&] {
    return std::vector<MetricStore::Measured>{{depth, {{"q", "a"}}}};
  });
  EXPECT_EQ(seen(), "depth q=a 3\n");
  depth = 1;
  EXPECT_EQ(seen(), "depth q=a 1\n");
  EXPECT_TRUE(store_->close(soon()));
  EXPECT_EQ(seen(), "");
}

TEST_F(MetricStoreTest, OfOneSetOfLabelsSumsAddUpAndTheLastValueOfAGaugeCounts) {
  const auto twice = [] {
    return std::vector<MetricStore::Measured>{{1, {{"a", "x"}, {"b", "y"}}},
                                              {2, {{"b", "y"}, {"a", "x"}}}};
  };
  EXPECT_TRUE(store_->observe({.name = "sum"}, twice));
  EXPECT_TRUE(store_->observe({.name = "share", .integer = false}, twice));
  EXPECT_TRUE(store_->observe({.name = "depth", .kind = InstrumentKind::gauge}, twice));
  EXPECT_EQ(seen(), "sum a=x b=y 3\nshare a=x b=y 3\ndepth a=x b=y 2\n");
}

TEST_F(MetricStoreTest, SeveralMayTellOfOneInstrument) {
  const auto tells = [](std::string_view label) {
    return [label] { return std::vector<MetricStore::Measured>{{1, {{"q", label}}}}; };
  };
  EXPECT_TRUE(store_->observe({.name = "depth", .kind = InstrumentKind::gauge}, tells("a")));
  EXPECT_TRUE(store_->observe({.name = "depth", .kind = InstrumentKind::gauge}, tells("b")));
  EXPECT_FALSE(store_->observe({.name = "depth"}, tells("c")));
  EXPECT_EQ(store_->instrument({.name = "depth"}), nullptr);
  counter();
  EXPECT_FALSE(store_->observe({.name = "c", .unit = "{call}"}, tells("d")));
  EXPECT_EQ(store_->collect().metrics.size(), 1U);
  EXPECT_EQ(seen(), "depth q=a 1\ndepth q=b 1\n");
}

TEST_F(MetricStoreTest, WhatThrowsIsNotSeenAndTheRestIs) {
  add(counter(), 1);
  store_->observe({.name = "o"}, []() -> std::vector<MetricStore::Measured> {
    throw std::runtime_error("broken");
  });
  EXPECT_EQ(seen(), "c k=a 1\n");
  EXPECT_TRUE(store_->close(soon()));
}

// Somebody measures and does not come back for a while.
class SlowMeasureTest : public MetricStoreTest {
 protected:
  void SetUp() override {
    store_->observe({.name = "slow"}, [this] {
      if (measured_++ == 0) return std::vector<MetricStore::Measured>{{1, {}}};
      measuring_.set_value();
      go_on_.get_future().wait();
      return std::vector<MetricStore::Measured>{{2, {}}};
    });
    EXPECT_EQ(seen(), "slow 1\n");
    looking_ = std::jthread([this] { slow_ = seen(); });
    measuring_.get_future().wait();
  }
  void TearDown() override {
    go_on_.set_value();
    looking_.join();
    EXPECT_EQ(slow_, "slow 2\n");
  }

  int measured_ = 0;
  std::promise<void> measuring_;
  std::promise<void> go_on_;
  std::string slow_;
  std::jthread looking_;
};

TEST_F(SlowMeasureTest, WhoLooksMeanwhileSeesWhatWasMeasuredBefore) {
  add(counter(), 1);
  EXPECT_EQ(seen(), "c k=a 1\nslow 1\n");
}

TEST_F(SlowMeasureTest, AClosedStoreLeavesItBehindAndStaysClosed) {
  EXPECT_FALSE(store_->close(Instant::clock::now() + 20ms));
  EXPECT_FALSE(store_->working());
  EXPECT_EQ(seen(), "");
}

TEST_F(MetricStoreTest, AWholeNumberStaysWithinWhatOneCanBe) {
  MetricInstrument& open =
      *store_->instrument({.name = "u", .kind = InstrumentKind::up_down_counter});
  add(open, 1e300);
  add(open, 1e18);
  add(open, -1e300, "b");
  add(open, 1.9, "c");
  store_->observe({.name = "o"}, [] {
    return std::vector<MetricStore::Measured>{{1e300, {}},
                                              {std::numeric_limits<double>::quiet_NaN(), {}}};
  });
  EXPECT_EQ(seen(),
            "u k=a 9223372036854775807\nu k=b -9200000000000000000\nu k=c 1\n"
            "o 9200000000000000000\n");
}

TEST_F(MetricStoreTest, AProgramsKeyHasABudgetOfItsOwn) {
  LabelTable& labels = store_->labels();
  for (int at = 0; at < 20; ++at) labels.kept({"gen_ai.request.model", std::to_string(at)});
  for (int at = 0; at < 20; ++at) labels.kept({kStrategyLabel, std::to_string(at)});
  EXPECT_EQ(text_of(labels.kept({Fact::request_model, "m"}, 10)->attribute.value), "m");
  EXPECT_EQ(text_of(labels.kept({kStrategyLabel, "s"}, 10)->attribute.value), "s");
}

TEST_F(MetricStoreTest, AChildOfForkCountsNothingAndSeesNothing) {
  add(counter(), 1);
  MetricInstrument& calls = counter();
  const pid_t child = ::fork();
  if (child == 0) {
    add(calls, 1);
    add(calls, 1, "new");
    ::_exit(store_->collect().metrics.empty() ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(seen(), "c k=a 1\n");
}

TEST_F(MetricStoreTest, ABatchOutlivesItsStore) {
  add(counter(), 1);
  const MetricBatch batch = store_->collect();
  store_ = nullptr;
  EXPECT_EQ(text_of(batch), "c k=a 1\n");
}

}  // namespace
}  // namespace mellea::telemetry
