// A server that calls a model because somebody called it: what of that goes where.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/core/trace_context.h"
#include "mellea/mellea.h"
#include "mellea/net/testing/loopback_server.h"
#include "mellea/telemetry.h"
#include "mellea/telemetry/memory_exporter.h"

namespace mellea {
namespace {

constexpr std::string_view kTrace = "0af7651916cd43dd8448eb211c80319c";

std::shared_ptr<const Origin> caller() {
  return origin_of({{"Traceparent", "00-" + std::string(kTrace) + "-b7ad6b7169203331-01"},
                    {"Tracestate", "vendor=1"},
                    {"Baggage", "tenant.id=7"},
                    {"Baggage", "user=al%C3%ADce"}});
}

Script well() {
  return Script::answer(
      200, R"({"id":"c1","choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]})");
}

class PropagationTest : public testing::Test {
 protected:
  // Asks that provider, and tells `hosts` more.
  void chat_with(const LoopbackServer& provider, std::vector<std::string> hosts) {
    Telemetry telemetry({.exporters = {memory_},
                         .metrics = {.enabled = true, .labels = {"tenant.id"}},
                         .propagation = {.hosts = std::move(hosts),
                                         .baggage = {"tenant.id"},
                                         .labels = {"tenant.id", "user"}}});
    Runtime runtime({.plugins = telemetry.plugins()});
    Session session = runtime.start_session(
        {.backend = "openai", .model = "m", .base_url = provider.url("/v1")}, {.span = false});
    try {
      session.chat("hi", {.origin = caller()});
    } catch (const Error&) {
      failed_ = true;
    }
    metrics_ = telemetry.metrics_text();
  }

  static std::vector<std::string> heard(const LoopbackServer& server) {
    std::vector<std::string> all;
    for (const ReceivedRequest& request : server.requests()) {
      EXPECT_EQ(request.header("traceparent").substr(3, 32), kTrace);
      all.push_back(std::string(request.header("tracestate")) + " " +
                    std::string(request.header("baggage")));
    }
    return all;
  }

  using Texts = std::vector<std::string>;
  const std::shared_ptr<telemetry::MemoryExporter> memory_ =
      std::make_shared<telemetry::MemoryExporter>();
  std::string metrics_;
  bool failed_ = false;
};

TEST_F(PropagationTest, AHostOnTheListHearsItWithEachRetry) {
  LoopbackServer provider({Script::answer(503, "", {{"retry-after-ms", "1"}}), well()});
  chat_with(provider, {provider.authority()});
  EXPECT_EQ(heard(provider), (Texts{"vendor=1 tenant.id=7", "vendor=1 tenant.id=7"}));
}

TEST_F(PropagationTest, AnyOtherHearsTheTraceAlone) {
  LoopbackServer provider({well()});
  chat_with(provider, {"localhost", "127.0.0.1:1", "*.0.0.1"});
  EXPECT_EQ(heard(provider), Texts{" "});
}

TEST_F(PropagationTest, WhereAHostOnTheListPointsToHearsNothing) {
  LoopbackServer other({well()});
  LoopbackServer provider({Script::answer(307, "", {{"location", other.url("/v1")}})});
  chat_with(provider, {provider.authority()});
  EXPECT_EQ(heard(provider), Texts{"vendor=1 tenant.id=7"});
  EXPECT_TRUE(other.requests().empty());
  EXPECT_TRUE(failed_);
}

TEST_F(PropagationTest, WhatIsNamedIsOnEverySpanAndWhatIsNamedAgainInMetrics) {
  LoopbackServer provider({well()});
  chat_with(provider, {});
  const auto spans = memory_->spans();
  EXPECT_EQ(spans.size(), 2U);
  for (const telemetry::SpanPtr& span : spans) {
    std::string labels;
    for (const telemetry::Attribute& attribute : span->attributes())
      if (const auto* key = std::get_if<std::string_view>(&attribute.key))
        labels.append(*key).append("=").append(std::get<std::string_view>(attribute.value)) += ' ';
    EXPECT_EQ(labels,
              "tenant.id=7 user=al\xC3\xAD"
              "ce ")
        << span->name;
  }
  EXPECT_NE(metrics_.find("tenant_id=\"7\""), std::string::npos);
  EXPECT_EQ(metrics_.find("al\xC3\xAD"), std::string::npos);
}

}  // namespace
}  // namespace mellea
