#include "mellea/otel/host_sampler.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "mellea/otel/host_for_test.h"

namespace mellea::otel {
namespace {

using opentelemetry::common::AttributeValue;
using opentelemetry::common::KeyValueIterable;
using opentelemetry::trace::SpanContextKeyValueIterable;

// What a sampler was asked, and what it says.
struct Asked {
  TraceRef parent{};
  std::string trace_state{};
  std::string trace{};
  std::string name{};
  opentelemetry::trace::SpanKind kind{};
  std::map<std::string, std::string> texts{};
  std::size_t links = 0;
};

class Script final : public sdk::Sampler {
 public:
  Script(std::shared_ptr<Asked> asked, sdk::Decision decision)
      : asked_(std::move(asked)), decision_(decision) {}

  sdk::SamplingResult ShouldSample(const opentelemetry::trace::SpanContext& parent,
                                   opentelemetry::trace::TraceId trace,
                                   opentelemetry::nostd::string_view name,
                                   opentelemetry::trace::SpanKind kind,
                                   const KeyValueIterable& attributes,
                                   const SpanContextKeyValueIterable& links) noexcept override {
    *asked_ = {.parent = to_ids(parent),
               .trace_state = parent.trace_state()->ToHeader(),
               .trace = std::string(reinterpret_cast<const char*>(trace.Id().data()), 16),
               .name = std::string(to_std(name)),
               .kind = kind,
               .links = links.size()};
    attributes.ForEachKeyValue([&](auto key, AttributeValue value) {
      if (const auto* text =
              opentelemetry::nostd::get_if<opentelemetry::nostd::string_view>(&value))
        asked_->texts[std::string(to_std(key))] = to_std(*text);
      return true;
    });
    using Map = std::map<std::string, AttributeValue>;
    auto said = std::make_unique<const Map>(Map{{"sampler.rule", "r1"},
                                                {"sampler.rate", 0.5},
                                                {"sampler.tier", std::int32_t{3}},
                                                {"sampler.kept", true}});
    return {decision_, std::move(said), opentelemetry::trace::TraceState::FromHeader("ot=th:8")};
  }
  opentelemetry::nostd::string_view GetDescription() const noexcept override { return "script"; }

 private:
  const std::shared_ptr<Asked> asked_;
  const sdk::Decision decision_;
};

class HostSamplerTest : public testing::Test {
 protected:
  HostSamplerTest() {
    span_.ids.trace[0] = 1;
    span_.ids.span[0] = 2;
    span_.ids.flags = 1;
    span_.name = "chat granite";
    span_.kind = telemetry::SpanKind::client;
    span_.trace_state = "vendor=1";
    span_.set(telemetry::Fact::request_model, "granite");
    span_.add_link(span_.ids);
  }

  bool decide(sdk::Decision decision, const TraceRef& parent = {}) {
    HostForTest host(std::make_unique<Script>(asked_, decision));
    return HostSampler(std::make_shared<const Host>(host.provider()))(span_, parent);
  }

  const std::shared_ptr<Asked> asked_ = std::make_shared<Asked>();
  telemetry::SpanRecord span_;
};

TEST_F(HostSamplerTest, IsAskedWithAllThatIsKnownAtTheStart) {
  TraceRef parent = span_.ids;
  parent.span[0] = 9;
  decide(sdk::Decision::RECORD_AND_SAMPLE, parent);
  EXPECT_EQ(asked_->parent, parent);
  EXPECT_EQ(asked_->trace_state, "vendor=1");
  EXPECT_EQ(asked_->trace, std::string(reinterpret_cast<const char*>(span_.ids.trace.data()), 16));
  EXPECT_EQ(asked_->name, "chat granite");
  EXPECT_EQ(asked_->kind, opentelemetry::trace::SpanKind::kClient);
  EXPECT_EQ(asked_->texts,
            (std::map<std::string, std::string>{{"gen_ai.request.model", "granite"}}));
  EXPECT_EQ(asked_->links, 1U);
}

TEST_F(HostSamplerTest, OnlyWhatIsSampledIsRecorded) {
  EXPECT_TRUE(decide(sdk::Decision::RECORD_AND_SAMPLE));
  EXPECT_FALSE(decide(sdk::Decision::RECORD_ONLY));
  EXPECT_FALSE(decide(sdk::Decision::DROP));
}

TEST_F(HostSamplerTest, WhatItSaysStandsOnTheSpan) {
  decide(sdk::Decision::RECORD_AND_SAMPLE);
  EXPECT_EQ(span_.trace_state, "ot=th:8");
  std::map<std::string, telemetry::Value> said;
  for (const auto& attribute : span_.attributes())
    said[std::string(name_of(attribute.key))] = attribute.value;
  EXPECT_EQ(std::get<std::string_view>(said.at("sampler.rule")), "r1");
  EXPECT_EQ(std::get<double>(said.at("sampler.rate")), 0.5);
  EXPECT_EQ(std::get<std::int64_t>(said.at("sampler.tier")), 3);
  EXPECT_TRUE(std::get<bool>(said.at("sampler.kept")));
}

}  // namespace
}  // namespace mellea::otel
