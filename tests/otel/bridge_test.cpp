// Whole programs over the scripted provider, in a host that has opentelemetry-cpp.
#include <gtest/gtest.h>
#include <opentelemetry/sdk/trace/samplers/always_off.h>

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mellea/backends/scripted_backend.h"
#include "mellea/mellea.h"
#include "mellea/otel.h"
#include "mellea/otel/host_for_test.h"
#include "mellea/telemetry.h"

namespace mellea::otel {
namespace {

using scripted::call;
using scripted::say;
using Active = opentelemetry::trace::Scope;
using Spans = std::vector<HostForTest::Data>;

class OtelBridgeTest : public testing::Test {
 protected:
  explicit OtelBridgeTest(
      std::unique_ptr<sdk::Sampler> root = std::make_unique<sdk::AlwaysOnSampler>())
      : host_(std::make_unique<sdk::ParentBasedSampler>(std::move(root))) {}

  Session session() { return runtime_->start_session(backend_, "demo"); }

  // A tool that starts a span of its own.
  Tool weather() {
    return Tool({.name = "weather"}, [this](const Json&, const Call&) {
      host_.start("query")->End();
      return std::string("windy");
    });
  }

  // All that the host's exporter got: the program is over.
  Spans spans() {
    runtime_.reset();
    EXPECT_TRUE(telemetry_->shutdown());
    return host_.take();
  }

  HostForTest host_;
  std::optional<telemetry::Telemetry> telemetry_{through(host_.provider())};
  std::shared_ptr<ScriptedBackend> backend_ = std::make_shared<ScriptedBackend>();
  std::optional<Runtime> runtime_{RuntimeOptions{.plugins = telemetry_->plugins()}};
};

TEST_F(OtelBridgeTest, TheHostsSpanIsTheParentOfWhatACallDoes) {
  backend_->add(say("Hello."));
  TraceRef request_ids;
  {
    Session session = this->session();
    const auto request = host_.start("request");
    request_ids = ids(request);
    const Active active(request);
    session.chat("Hi");
    request->End();
  }
  const Spans all = spans();
  const sdk::SpanData* action = nullptr;
  for (const auto& span : all)
    if (is_child(*span, request_ids)) action = span.get();
  ASSERT_NE(action, nullptr);
  const auto* chat = find(all, "chat demo");
  const auto* session = find(all, "session");
  ASSERT_TRUE(chat && session);
  EXPECT_TRUE(is_child(*chat, ids(*action)));
  EXPECT_FALSE(session->GetParentSpanId().IsValid());
  ASSERT_EQ(action->GetLinks().size(), 1U);
  EXPECT_EQ(to_ids(action->GetLinks().front().GetSpanContext()), ids(*session));
}

TEST_F(OtelBridgeTest, ASessionBegunInARequestIsBelowItAndSoIsWhatItDoes) {
  backend_->add(say("Hello."));
  const auto request = host_.start("request");
  {
    const Active active(request);
    session().chat("Hi");
  }
  const Spans all = spans();
  const auto* session = find(all, "session");
  const auto* chat = find(all, "chat demo");
  ASSERT_TRUE(session && chat);
  EXPECT_TRUE(is_child(*session, ids(request)));
  EXPECT_EQ(ids(*chat).trace, ids(request).trace);
}

TEST_F(OtelBridgeTest, AToolsOwnSpanStandsBelowItsCall) {
  backend_->add(call({.id = "c1", .name = "weather", .arguments = "{}"}));
  {
    Session session = this->session();
    const Result asked = session.chat("How is the weather?", {.tools = {weather()}});
    session.call_tools(asked);
  }
  const Spans all = spans();
  const auto* tool = find(all, "execute_tool weather");
  const auto* query = find(all, "query");
  ASSERT_TRUE(tool && query);
  EXPECT_TRUE(is_child(*query, ids(*tool)));
}

TEST_F(OtelBridgeTest, ACallBelowAToolsCallStandsBelowIt) {
  backend_->add(call({.id = "c1", .name = "ask", .arguments = "{}"}));
  backend_->add(say("windy"));
  {
    Session session = this->session();
    const Tool ask({.name = "ask"}, [&](const Json&, const Call& call) {
      return session.within(call).chat("How is the weather?").text();
    });
    session.call_tools(session.chat("Ask.", {.tools = {ask}}));
  }
  const Spans all = spans();
  const auto* tool = find(all, "execute_tool ask");
  ASSERT_NE(tool, nullptr);
  int below = 0;
  for (const auto& span : all) {
    if (!is_child(*span, ids(*tool))) continue;
    ++below;
    EXPECT_TRUE(span->GetLinks().empty()) << "it did not come from elsewhere";
  }
  EXPECT_EQ(below, 1);
}

TEST_F(OtelBridgeTest, TheCompletionOfAnAsynchronousCallIsWhereTheCallWasBegun) {
  backend_->add(say("One."));
  backend_->add(say("Two."));
  std::promise<void> over;
  TraceRef in_completion;
  Session session = this->session();
  const auto request = host_.start("request");
  {
    const Active active(request);
    session.chat_async("Hi", {}, [&](std::exception_ptr, std::optional<Result>) {
      in_completion = current_ids();
      session.chat_async("Again", {},
                         [&](std::exception_ptr, std::optional<Result>) { over.set_value(); });
    });
  }
  over.get_future().wait();
  session.end();
  EXPECT_EQ(in_completion, ids(request));
  int below = 0;
  for (const auto& span : spans()) below += is_child(*span, ids(request));
  EXPECT_EQ(below, 2);
}

class SampledOutTest : public OtelBridgeTest {
 protected:
  SampledOutTest() : OtelBridgeTest(std::make_unique<sdk::AlwaysOffSampler>()) {}
};

TEST_F(SampledOutTest, WhatTheHostsSamplerDropsIsNotRecordedNorAreItsToolsSpans) {
  backend_->add(call({.id = "c1", .name = "weather", .arguments = "{}"}));
  {
    Session session = this->session();
    const auto request = host_.start("request");
    const Active active(request);
    session.call_tools(session.chat("How is the weather?", {.tools = {weather()}}));
    request->End();
  }
  EXPECT_TRUE(spans().empty());
}

TEST_F(OtelBridgeTest, AHostThatEndsItsTracingFirstLosesTheRestAndNothingElse) {
  backend_->add(say("Hello."));
  Session session = this->session();
  host_.destroy_provider();
  EXPECT_EQ(session.chat("Hi").text(), "Hello.");
}

}  // namespace
}  // namespace mellea::otel
