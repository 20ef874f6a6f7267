#include "mellea/otel/host_exporter.h"

#include <gtest/gtest.h>
#include <opentelemetry/sdk/trace/exporter.h>

#include <chrono>
#include <string>
#include <vector>

#include "mellea/otel/host_for_test.h"

namespace mellea::otel {
namespace {

using namespace std::chrono_literals;
using opentelemetry::trace::SpanKind;
using opentelemetry::trace::StatusCode;
using telemetry::Attribute;
using telemetry::Fact;
using telemetry::SpanPtr;
using telemetry::SpanRecord;

constexpr std::int64_t kBegan = 1'700'000'000'000'000'000;

template <class Value, class Values>
Value value_at(const Values& attributes, const std::string& key) {
  const auto found = attributes.find(key);
  EXPECT_NE(found, attributes.end()) << key;
  if (found == attributes.end()) return {};
  const auto* const value = opentelemetry::nostd::get_if<Value>(&found->second);
  EXPECT_NE(value, nullptr) << key << " has another type";
  return value ? *value : Value{};
}

TraceRef some_ids(std::uint8_t number) {
  TraceRef ids;
  ids.trace[15] = 7;
  ids.span[7] = number;
  ids.flags = 1;
  return ids;
}

std::shared_ptr<SpanRecord> some_span() {
  auto span = std::make_shared<SpanRecord>();
  span->ids = some_ids(2);
  span->name = "chat granite";
  span->began = kBegan;
  span->started = Instant(1s);
  span->ended = kBegan + 5'000'000;
  return span;
}

class HostExporterTest : public testing::Test {
 protected:
  // As the host's exporter gets it.
  HostForTest::Data sent(const SpanPtr& span) {
    exporter_.export_spans({&span, 1});
    auto spans = host_.take();
    EXPECT_EQ(spans.size(), 1U);
    return spans.empty() ? std::make_unique<sdk::SpanData>() : std::move(spans.front());
  }

  HostForTest host_;
  HostExporter exporter_{std::make_shared<const Host>(host_.provider())};
};

TEST_F(HostExporterTest, ASpanKeepsItsIdsItsParentAndItsTimes) {
  auto span = some_span();
  span->parent = some_ids(1).span;
  span->trace_state = "vendor=1";
  const auto data = sent(span);
  EXPECT_EQ(ids(*data), span->ids);
  EXPECT_TRUE(is_child(*data, some_ids(1)));
  EXPECT_EQ(data->GetSpanContext().trace_state()->ToHeader(), "vendor=1");
  EXPECT_TRUE(data->GetFlags().IsSampled());
  EXPECT_EQ(data->GetStartTime().time_since_epoch(), std::chrono::nanoseconds(kBegan));
  EXPECT_EQ(data->GetDuration(), 5ms);
}

TEST_F(HostExporterTest, ARootHasNoParent) {
  EXPECT_FALSE(sent(some_span())->GetParentSpanId().IsValid());
}

TEST_F(HostExporterTest, ASpanHasTheHostsResourceAndItsOwnLibrary) {
  auto span = some_span();
  span->library = "mellea.backend";
  span->kind = telemetry::SpanKind::client;
  const auto backend = sent(span);
  EXPECT_EQ(backend->GetInstrumentationScope().GetName(), "mellea.backend");
  EXPECT_FALSE(backend->GetInstrumentationScope().GetVersion().empty());
  EXPECT_EQ(backend->GetSpanKind(), SpanKind::kClient);
  EXPECT_EQ(value_at<std::string>(backend->GetResource().GetAttributes(), "service.name"), "shop");

  const auto application = sent(some_span());
  EXPECT_EQ(application->GetInstrumentationScope().GetName(), "mellea.application");
  EXPECT_EQ(application->GetSpanKind(), SpanKind::kInternal);
}

TEST_F(HostExporterTest, AttributesKeepTheirTypes) {
  auto span = some_span();
  span->set(Fact::request_model, "granite");
  span->set(Fact::input_tokens, std::int64_t{42});
  span->set(Fact::temperature, 0.5);
  span->set(Fact::is_control_flow, true);
  span->set(Fact::finish_reasons, std::vector<std::string>{"stop", "length"});
  span->set_label("tenant", "blue");
  const auto data = sent(span);
  const auto& all = data->GetAttributes();
  EXPECT_EQ(all.size(), 6U);
  EXPECT_EQ(value_at<std::string>(all, "gen_ai.request.model"), "granite");
  EXPECT_EQ(value_at<std::int64_t>(all, "gen_ai.usage.input_tokens"), 42);
  EXPECT_EQ(value_at<double>(all, "gen_ai.request.temperature"), 0.5);
  EXPECT_EQ(value_at<bool>(all, std::string(name_of(Fact::is_control_flow))), true);
  EXPECT_EQ(value_at<std::vector<std::string>>(all, "gen_ai.response.finish_reasons"),
            (std::vector<std::string>{"stop", "length"}));
  EXPECT_EQ(value_at<std::string>(all, "tenant"), "blue");
}

TEST_F(HostExporterTest, OneBadByteDoesNotSpoilAWholeBatch) {
  auto span = some_span();
  span->name = "caf\xE9";
  span->set_label("key\xFF", std::string_view("\x80 text"));
  const auto data = sent(span);
  EXPECT_EQ(to_std(data->GetName()), "caf\xEF\xBF\xBD");
  EXPECT_EQ(value_at<std::string>(data->GetAttributes(), "key\xEF\xBF\xBD"), "\xEF\xBF\xBD text");
}

TEST_F(HostExporterTest, EventsAndLinksComeAlong) {
  auto span = some_span();
  const Attribute attributes[] = {{Fact::retry_count, std::int64_t{1}}};
  span->add_event("retry", span->started + 2ms, attributes);
  span->add_link(some_ids(9));
  const auto data = sent(span);
  ASSERT_EQ(data->GetEvents().size(), 1U);
  const auto& event = data->GetEvents().front();
  EXPECT_EQ(event.GetName(), "retry");
  EXPECT_EQ(event.GetTimestamp().time_since_epoch(), std::chrono::nanoseconds(kBegan + 2'000'000));
  EXPECT_EQ(value_at<std::int64_t>(event.GetAttributes(), std::string(name_of(Fact::retry_count))),
            1);
  ASSERT_EQ(data->GetLinks().size(), 1U);
  EXPECT_EQ(to_ids(data->GetLinks().front().GetSpanContext()), some_ids(9));
}

TEST_F(HostExporterTest, AFailureIsAStatusAndAllElseIsNone) {
  auto span = some_span();
  span->status = telemetry::SpanStatus::error;
  span->description = "rate_limit (429)";
  const auto failed = sent(span);
  EXPECT_EQ(failed->GetStatus(), StatusCode::kError);
  EXPECT_EQ(to_std(failed->GetDescription()), "rate_limit (429)");
  EXPECT_EQ(sent(some_span())->GetStatus(), StatusCode::kUnset);
}

TEST_F(HostExporterTest, AfterItsShutdownTheHostGetsNothing) {
  EXPECT_TRUE(exporter_.shutdown(Instant::clock::now()));
  const SpanPtr span = some_span();
  exporter_.export_spans({&span, 1});
  EXPECT_TRUE(host_.take().empty());
}

TEST_F(HostExporterTest, AHostThatHasGoneLosesSpansAndNothingElse) {
  host_.destroy_provider();
  const SpanPtr span = some_span();
  exporter_.export_spans({&span, 1});
  exporter_.flush(Instant::clock::now() + 1s);
  EXPECT_TRUE(host_.take().empty());
}

// Writes down what it is told, and what it was given then.
class Journal final : public sdk::SpanProcessor {
 public:
  struct Told {
    std::vector<std::string> lines{};
    std::vector<std::chrono::microseconds> flushes{};
  };

  explicit Journal(std::shared_ptr<Told> told) : told_(std::move(told)) {}

  std::unique_ptr<sdk::Recordable> MakeRecordable() noexcept override {
    return std::make_unique<sdk::SpanData>();
  }
  void OnStart(sdk::Recordable& span,
               const opentelemetry::trace::SpanContext& parent) noexcept override {
    const auto& data = static_cast<sdk::SpanData&>(span);
    told_->lines.push_back("start " + std::string(to_std(data.GetName())) + " below " +
                           to_ids(parent).traceparent());
  }
  void OnEnd(std::unique_ptr<sdk::Recordable>&& span) noexcept override {
    const auto& data = static_cast<sdk::SpanData&>(*span);
    told_->lines.push_back("end " + std::string(to_std(data.GetName())));
  }
  bool ForceFlush(std::chrono::microseconds limit) noexcept override {
    told_->flushes.push_back(limit);
    return true;
  }
  bool Shutdown(std::chrono::microseconds) noexcept override { return true; }

 private:
  const std::shared_ptr<Told> told_;
};

TEST(HostExporterProcessorTest, AProcessorIsToldOfTheStartBeforeTheEnd) {
  const auto told = std::make_shared<Journal::Told>();
  sdk::TracerProvider provider(std::make_unique<Journal>(told));
  HostExporter exporter(std::make_shared<const Host>(provider));
  auto span = some_span();
  span->parent = some_ids(1).span;
  const SpanPtr ended = span;
  exporter.export_spans({&ended, 1});
  EXPECT_EQ(told->lines,
            (std::vector<std::string>{"start chat granite below " + some_ids(1).traceparent(),
                                      "end chat granite"}));
}

// For the SDK no time is all the time there is.
TEST(HostExporterProcessorTest, AFlushWithNoTimeLeftDoesNotAskTheHost) {
  const auto told = std::make_shared<Journal::Told>();
  sdk::TracerProvider provider(std::make_unique<Journal>(told));
  HostExporter exporter(std::make_shared<const Host>(provider));
  EXPECT_FALSE(exporter.flush(Instant::clock::now()));
  EXPECT_TRUE(told->flushes.empty());
  EXPECT_TRUE(exporter.flush(Instant::clock::now() + 1h));
  ASSERT_EQ(told->flushes.size(), 1U);
  EXPECT_LE(told->flushes.front(), 1h);
  EXPECT_GT(told->flushes.front(), 0h);
}

}  // namespace
}  // namespace mellea::otel
