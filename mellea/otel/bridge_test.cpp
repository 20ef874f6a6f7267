#include "mellea/otel/bridge.h"

#include <gtest/gtest.h>
#include <opentelemetry/trace/noop.h>

#include <string>

#include "mellea/core/error.h"
#include "mellea/hooks/events.h"
#include "mellea/otel/host_for_test.h"
#include "mellea/telemetry/memory_exporter.h"
#include "mellea/telemetry/telemetry.h"

namespace mellea::otel {
namespace {

using telemetry::MemoryExporter;

// One session, begun and ended; how its span came to be known to the runtime.
TraceRef trace_one_session(const telemetry::Telemetry& telemetry) {
  const Hooks hooks(telemetry.plugins(), nullptr);
  SessionPreInit event{.scope = Scope::root(Kind::session)};
  static_cast<void>(hooks.decide(event));
  const auto opening = std::make_shared<const SessionPreInit>(event);
  hooks.tell(*opening);
  hooks.tell(SessionCleanup{.opening = opening});
  return opening->trace;
}

std::string thrown_by(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::invalid_request);
    return error.what();
  }
  return "nothing";
}

TEST(BridgeTest, SpansGoToTheHostBesideOtherExporters) {
  HostForTest host;
  const auto memory = std::make_shared<MemoryExporter>();
  const telemetry::Telemetry telemetry(through(host.provider(), {.exporters = {memory}}));
  const TraceRef known_as = trace_one_session(telemetry);
  const auto spans = host.take();
  ASSERT_EQ(spans.size(), 1U);
  EXPECT_EQ(ids(*spans.front()), known_as);
  ASSERT_EQ(memory->spans().size(), 1U);
  EXPECT_EQ(memory->spans().front()->ids, known_as);
}

TEST(BridgeTest, WithTheNoOpProviderTheHostsTracingIsOffAndTheRestGoesOn) {
  opentelemetry::trace::NoopTracerProvider off;
  const auto memory = std::make_shared<MemoryExporter>();
  trace_one_session(telemetry::Telemetry(through(off, {.exporters = {memory}})));
  EXPECT_EQ(memory->spans().size(), 1U);
  EXPECT_EQ(trace_one_session(telemetry::Telemetry(through(off))).flags, 0);
}

class ForeignProvider final : public opentelemetry::trace::TracerProvider {
 public:
  opentelemetry::nostd::shared_ptr<opentelemetry::trace::Tracer> GetTracer(
      opentelemetry::nostd::string_view, opentelemetry::nostd::string_view,
      opentelemetry::nostd::string_view) noexcept override {
    return opentelemetry::nostd::shared_ptr<opentelemetry::trace::Tracer>(
        new opentelemetry::trace::NoopTracer);
  }
};

TEST(BridgeTest, AProviderThatIsNotTheSdksIsRefused) {
  ForeignProvider foreign;
  EXPECT_NE(thrown_by([&] { through(foreign); }).find("SDK"), std::string::npos);
}

TEST(BridgeTest, HeadersOfAnotherVersionAreRefusedByName) {
  HostForTest host;
  const std::string what = thrown_by([&] { through(host.provider(), {}, {}, "1.18.0"); });
  EXPECT_NE(what.find("1.18.0"), std::string::npos);
  EXPECT_NE(what.find(OPENTELEMETRY_VERSION), std::string::npos);
}

}  // namespace
}  // namespace mellea::otel
