#include "mellea/telemetry/propagation_plugin.h"

#include "mellea/telemetry/tracing_for_test.h"

namespace mellea::telemetry {
namespace {

constexpr const char* kCaller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

// A plugin that writes such headers of its own, before ours are added.
class SendsOwn : public Plugin {
 public:
  std::string_view name() const override { return "sends_own"; }
  void subscribe(Subscriber& hooks) override {
    hooks.transform<GenerationPreCall>([](GenerationPreCall& event) {
      event.headers.insert(event.headers.end(), {{"Tracestate", "own=1"}, {"BAGGAGE", "own=2"}});
    });
  }
};

class PropagationTest : public TracingTest {
 protected:
  void use(const PropagationOptions& options, bool traced = true) {
    Plugins plugins = traced ? make_tracing_plugins(tracer_, false) : Plugins();
    if (auto plugin = make_propagation_plugin(traced ? tracer_ : nullptr, options, warnings_))
      plugins.push_back(std::move(plugin));
    hooks_ = Hooks(plugins, nullptr);
  }

  static Scope call_of(Origin origin) {
    return Scope::root(Kind::action, {.origin = std::make_shared<const Origin>(std::move(origin))});
  }

  // What a request of that call takes along to that host, but for `traceparent`.
  std::string told(const Endpoint& to, const Scope& scope = call_of(kOrigin)) {
    const auto call = action(scope);
    const auto sent = generation(call.scope.child(Kind::generation), {.model = "granite"},
                                 {.provider = "openai", .endpoint = to});
    end(sent);
    end(call);
    std::string all;
    for (const auto& [name, value] : sent.opening->headers)
      if (name != "traceparent") all.append(name).append(": ").append(value).append("; ");
    return all;
  }

  Labels labels_of(const std::string& baggage) {
    CallBegin event{.origin = std::make_shared<const Origin>(Origin{.baggage = baggage})};
    static_cast<void>(hooks_.decide(event));
    return event.labels;
  }

  static const Origin kOrigin;
  Warnings warnings_;
};
const Origin PropagationTest::kOrigin{
    .traceparent = kCaller, .tracestate = "vendor=1", .baggage = "tenant=7;p=1,user=alice"};

TEST_F(PropagationTest, OnlyHostsOnTheListHearMoreThanTheTracesIds) {
  use({.hosts = {"LLM.internal", "*.example.com", "10.0.0.7:8443", "[::1]:80"},
       .baggage = {"tenant"}});
  const std::string all = "tracestate: vendor=1; baggage: tenant=7;p=1; ";
  EXPECT_EQ(told({.address = "llm.internal", .port = 443}), all);
  EXPECT_EQ(told({.address = "a.b.example.com", .port = 8000}), all);
  EXPECT_EQ(told({.address = "10.0.0.7", .port = 8443}), all);
  EXPECT_EQ(told({.address = "::1", .port = 80}), all);
  for (const Endpoint& other : {Endpoint{"api.openai.com", 443},
                                {"example.com", 443},
                                {"evil-example.com", 443},
                                {"example.com.evil.org", 443},
                                {"llm.internal.evil.org", 443},
                                {"10.0.0.7", 443},
                                {"::1", 8080},
                                Endpoint{}})
    EXPECT_EQ(told(other), "") << other.address;
}

TEST_F(PropagationTest, OfBaggageNothingLeavesThatIsNotNamed) {
  use({.hosts = {"llm.internal"}});
  EXPECT_EQ(told({.address = "llm.internal"}), "tracestate: vendor=1; ");
}

TEST_F(PropagationTest, ABatchTakesAlongWhatAChatDoes) {
  use({.hosts = {"llm.internal"}, .baggage = {"tenant"}});
  const auto batch = begin(GenerationBatchPreCall{
      .scope = Scope::root(Kind::batch, {.origin = std::make_shared<const Origin>(kOrigin)}),
      .at = kStart,
      .target = std::make_shared<const Target>(
          Target{.provider = "openai", .endpoint = {.address = "llm.internal"}}),
      .request = Request{.kind = Request::Kind::embedding, .model = "granite"}});
  hooks_.tell(GenerationBatchPostCall{.opening = batch.opening, .ending = {.at = kStart + 1ms}});
  EXPECT_EQ(batch.opening->headers.size(), 3U);
}

TEST_F(PropagationTest, AStateIsNotToldOfAnotherTrace) {
  use({.hosts = {"llm.internal"}, .baggage = {"tenant"}}, false);  // so that no span has ids
  EXPECT_EQ(told({.address = "llm.internal"}), "baggage: tenant=7;p=1; ");
  EXPECT_EQ(told({.address = "llm.internal"}, Scope::root(Kind::action)), "");
}

TEST_F(PropagationTest, ATraceThatIsNotSampledKeepsItsState) {
  tracer_ = std::make_shared<Tracer>(Sampler{.ratio = 0, .follow_parent = false},
                                     std::vector<std::shared_ptr<SpanExporter>>{memory_});
  use({.hosts = {"llm.internal"}});
  EXPECT_EQ(told({.address = "llm.internal"}), "tracestate: vendor=1; ");
  EXPECT_TRUE(memory_->spans().empty());
}

TEST_F(PropagationTest, WhatTheProgramSendsItselfIsReplacedAndNotSentTwice) {
  use({.hosts = {"llm.internal"}, .baggage = {"tenant"}});
  hooks_ = hooks_.with({std::make_shared<SendsOwn>()});
  EXPECT_EQ(told({.address = "llm.internal"}), "tracestate: vendor=1; baggage: tenant=7;p=1; ");
  EXPECT_EQ(told({.address = "elsewhere"}), "Tracestate: own=1; BAGGAGE: own=2; ");
}

TEST_F(PropagationTest, BaggageThatIsNamedBecomesLabels) {
  use({.labels = {"tenant", "name", "empty", "missing"}});
  EXPECT_EQ(labels_of("tenant=7;p=1,user=alice,name=J%C3%B6rg%20%ff,empty="),
            (Labels{{"tenant", "7"}, {"name", "J\xC3\xB6rg \xEF\xBF\xBD"}}));
  EXPECT_EQ(labels_of("tenant=7,tenant=8"), (Labels{{"tenant", "8"}}));
  EXPECT_EQ(labels_of("user=alice"), Labels());
  EXPECT_EQ(labels_of("tenant=" + std::string(1000, 'x')),
            (Labels{{"tenant", std::string(256, 'x')}}));
}

TEST_F(PropagationTest, LabelsOfOtherPluginsStay) {
  use({.labels = {"tenant"}});
  CallBegin event{.origin = std::make_shared<const Origin>(kOrigin), .labels = {{"host", true}}};
  static_cast<void>(hooks_.decide(event));
  EXPECT_EQ(event.labels, (Labels{{"host", true}, {"tenant", "7"}}));
}

TEST_F(PropagationTest, WhatIsAskedForInVainIsAWarning) {
  const std::vector<std::string> bad = {"",   "*",       "*.",  "http://a/", "a:b",
                                        ".a", "*.0.0.1", "a:0", "a:65536",   "x*.y"};
  EXPECT_EQ(
      make_propagation_plugin(tracer_, {.hosts = bad, .labels = {"gen_ai.tool.name"}}, warnings_),
      nullptr);
  const auto told = warnings_.all();
  ASSERT_EQ(told.size(), bad.size() + 1);
  EXPECT_EQ(told[1],
            "propagation: \"*\" is no host: it is left out; \"llm.internal\" and \"*.example.com\" "
            "are");
  EXPECT_EQ(told.back(), "propagation: \"gen_ai.tool.name\" is an attribute of ours, and no label");
  EXPECT_EQ(make_propagation_plugin(tracer_, {}, warnings_), nullptr);
}

}  // namespace
}  // namespace mellea::telemetry
