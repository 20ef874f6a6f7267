#include "mellea/telemetry/metric_reader.h"

#include <atomic>
#include <condition_variable>
#include <thread>

#include "mellea/telemetry/metrics_for_test.h"

namespace mellea::telemetry {
namespace {

// Keeps what it is sent, as text; fails or blocks when it is told to.
class FakeExporter : public MetricExporter {
 public:
  std::string name() const override { return "fake"; }
  MetricsSent send(const MetricBatch& batch) override {
    std::unique_lock lock(mutex_);
    sent_.push_back(text_of(batch));
    arrived_.notify_all();
    go_on_.wait(lock, [&] { return !held_; });
    return {failure_, partly_};
  }
  void interrupt() noexcept override {
    const std::lock_guard lock(mutex_);
    held_ = false;
    failure_ = "there was no time left";
    go_on_.notify_all();
  }
  void close() noexcept override {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }

  void fail(std::string failure, bool partly = false) {
    const std::lock_guard lock(mutex_);
    failure_ = std::move(failure);
    partly_ = partly;
  }
  void let_go() {
    const std::lock_guard lock(mutex_);
    held_ = false;
    go_on_.notify_all();
  }
  void hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
  }
  std::vector<std::string> sent() {
    const std::lock_guard lock(mutex_);
    return sent_;
  }
  bool closed() {
    const std::lock_guard lock(mutex_);
    return closed_;
  }
  bool wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    return arrived_.wait_for(lock, 30s, [&] { return sent_.size() >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::condition_variable go_on_;
  std::vector<std::string> sent_;
  std::string failure_;
  bool partly_ = false;
  bool held_ = false;
  bool closed_ = false;
};

class MetricReaderTest : public testing::Test {
 protected:
  // Or a last look would go on beside the next test.
  void TearDown() override { reader_->thread().shutdown(soon()); }

  void read(Temporality temporality, std::chrono::milliseconds interval = 1h) {
    reader_ = std::make_unique<MetricReader>(store_, exporter_, interval, temporality, warnings_);
  }
  static Instant soon() { return Instant::clock::now() + 30s; }
  bool flush() { return reader_->thread().flush(soon()); }
  void add(double value, std::string_view label = "a") {
    const LabelRef labels[] = {store_->labels().kept({"k", label})};
    store_->instrument({.name = "c"})->record(value, labels);
    store_->instrument({.name = "h", .kind = InstrumentKind::histogram, .bounds = {1}})
        ->record(value, labels);
    store_->instrument({.name = "u", .kind = InstrumentKind::up_down_counter})
        ->record(value, labels);
  }
  using Texts = std::vector<std::string>;

  std::shared_ptr<MetricStore> store_ = std::make_shared<MetricStore>();
  std::shared_ptr<FakeExporter> exporter_ = std::make_shared<FakeExporter>();
  std::shared_ptr<Warnings> warnings_ = std::make_shared<Warnings>();
  std::unique_ptr<MetricReader> reader_;
};

TEST_F(MetricReaderTest, SumsAreSinceTheBeginning) {
  read(Temporality::cumulative);
  add(2);
  EXPECT_TRUE(flush());
  EXPECT_TRUE(flush());
  add(3);
  EXPECT_TRUE(flush());
  EXPECT_EQ(exporter_->sent(),
            (Texts{"c k=a 2\nh k=a 1x sum 2\nu k=a 2\n", "c k=a 2\nh k=a 1x sum 2\nu k=a 2\n",
                   "c k=a 5\nh k=a 2x sum 5\nu k=a 5\n"}));
}

TEST_F(MetricReaderTest, OrOfWhatIsNewButForThoseThatMayShrink) {
  read(Temporality::delta);
  add(2);
  EXPECT_TRUE(flush());
  add(3);
  add(1, "b");
  EXPECT_TRUE(flush());
  EXPECT_TRUE(flush());
  EXPECT_EQ(exporter_->sent(),
            (Texts{"c k=a 2\nh k=a 1x sum 2\nu k=a 2\n",
                   "c k=a 3\nc k=b 1\nh k=a 1x sum 3\nh k=b 1x sum 1\nu k=a 5\nu k=b 1\n",
                   "u k=a 5\nu k=b 1\n"}));
}

TEST_F(MetricReaderTest, WhatWasNotDeliveredComesAgain) {
  read(Temporality::delta);
  add(2);
  exporter_->fail("full");
  EXPECT_FALSE(flush());
  exporter_->fail("");
  add(3);
  EXPECT_TRUE(flush());
  EXPECT_TRUE(exporter_->sent().at(1).starts_with("c k=a 5\n"));
  EXPECT_EQ(warnings_->all(), Texts{"fake: metrics not delivered: full"});
  // And then nothing is lost.
  EXPECT_TRUE(reader_->thread().shutdown(soon()));
}

TEST_F(MetricReaderTest, WhatWasDeliveredInPartDoesNotComeAgain) {
  read(Temporality::delta);
  add(2);
  exporter_->fail("a part is rejected", true);
  EXPECT_FALSE(flush());
  exporter_->fail("");
  add(3);
  EXPECT_TRUE(flush());
  EXPECT_TRUE(exporter_->sent().at(1).starts_with("c k=a 3\n"));
  EXPECT_EQ(warnings_->all(), Texts{"fake: metrics not delivered: a part is rejected"});
  EXPECT_FALSE(reader_->thread().shutdown(soon()));  // the rest of it is lost for good
}

TEST_F(MetricReaderTest, AnIntervalThatCanNotBeIsNone) {
  for (const auto interval : {0ms, -1ms, std::chrono::milliseconds::max()}) {
    read(Temporality::cumulative, interval);
    add(1);
    EXPECT_TRUE(flush());
    EXPECT_TRUE(reader_->thread().shutdown(soon()));
    EXPECT_LE(exporter_->sent().size(), 2U);  // this flush's, and the last
    exporter_ = std::make_shared<FakeExporter>();
  }
  read(Temporality::cumulative);
}

TEST_F(MetricReaderTest, ThreadsThatShutItDownAtOnceFindTheSame) {
  read(Temporality::cumulative);
  add(1);
  exporter_->fail("full");
  exporter_->hold();
  std::vector<std::jthread> threads;
  std::atomic<int> complete{0};
  for (int at = 0; at < 4; ++at)
    threads.emplace_back([&] { complete += reader_->thread().shutdown(soon()) ? 1 : 0; });
  EXPECT_TRUE(exporter_->wait_for(1));
  exporter_->let_go();
  threads.clear();
  EXPECT_EQ(complete, 0);
  EXPECT_FALSE(reader_->thread().shutdown(soon()));
}

TEST_F(MetricReaderTest, WithLittleMemoryWhatIsMeasuredAtTheLookIsSinceTheBeginning) {
  store_->observe({.name = "o"}, [sum = std::make_shared<double>(0)] {
    return std::vector<MetricStore::Measured>{{++*sum, {}}};
  });
  read(Temporality::low_memory);
  add(2);
  EXPECT_TRUE(flush());
  add(3);
  EXPECT_TRUE(flush());
  EXPECT_EQ(exporter_->sent().at(1), "c k=a 3\nh k=a 1x sum 3\nu k=a 5\no 2\n");
}

TEST_F(MetricReaderTest, NothingIsSentWhereNothingWasCounted) {
  read(Temporality::cumulative);
  EXPECT_TRUE(flush());
  EXPECT_TRUE(exporter_->sent().empty());
}

TEST_F(MetricReaderTest, LooksAgainAndAgain) {
  add(1);
  read(Temporality::cumulative, 1ms);
  EXPECT_TRUE(exporter_->wait_for(3));
}

TEST_F(MetricReaderTest, AShutdownLooksALastTime) {
  read(Temporality::cumulative);
  add(1);
  EXPECT_TRUE(reader_->thread().shutdown(soon()));
  EXPECT_EQ(exporter_->sent().size(), 1U);
  EXPECT_TRUE(exporter_->closed());
  EXPECT_TRUE(reader_->thread().shutdown(soon()));
}

TEST_F(MetricReaderTest, AnExporterThatHangsIsInterrupted) {
  read(Temporality::cumulative);
  add(1);
  exporter_->hold();
  EXPECT_FALSE(reader_->thread().flush(Instant::clock::now() + 10ms));
  EXPECT_FALSE(reader_->thread().shutdown(Instant::clock::now() + 200ms));
}

class MetricDeltasTest : public testing::Test {
 protected:
  MetricBatch look(std::int64_t at) {
    now_ = at;
    return store_->collect();
  }
  std::int64_t now_ = 100;
  std::shared_ptr<MetricStore> store_ =
      std::make_shared<MetricStore>(ExemplarFilter::all, [this] { return now_; });
};

TEST_F(MetricDeltasTest, SayWhatTheyAreSince) {
  MetricInstrument& times =
      *store_->instrument({.name = "h", .kind = InstrumentKind::histogram, .bounds = {1}});
  MetricDeltas deltas(Temporality::delta);
  times.record(2, {});
  MetricBatch first = look(200);
  deltas.apply(first);
  EXPECT_EQ(first.metrics.at(0).points.at(0).since, 100);
  EXPECT_TRUE(first.metrics.at(0).delta);
  EXPECT_EQ(std::get<HistogramValue>(first.metrics[0].points[0].value).most, 2);
  deltas.delivered(look(200));
  times.record(1, {});
  MetricBatch second = look(300);
  deltas.apply(second);
  EXPECT_EQ(second.metrics.at(0).points.at(0).since, 200);
  EXPECT_EQ(std::get<HistogramValue>(second.metrics[0].points[0].value).most, std::nullopt);
}

}  // namespace
}  // namespace mellea::telemetry
