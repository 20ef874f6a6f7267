#include "mellea/telemetry/metrics_plugins.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "mellea/telemetry/metrics_for_test.h"

namespace mellea::telemetry {
namespace {

// Fires events at the tracing and the metrics plugins, and looks at what was counted.
class MetricsPluginsTest : public TracingTest {
 protected:
  void SetUp() override { use({}); }

  void use(MetricsConfig config, bool chunk_events = false) {
    store_ = std::make_shared<MetricStore>(ExemplarFilter::sampled);
    const auto recorder =
        std::make_shared<const MetricRecorder>(store_, config.vocabulary, config.labels);
    pricing_ = std::make_shared<const Pricing>(PricingOptions{}, true, warnings_);
    Plugins plugins = make_tracing_plugins(tracer_, false);
    for (auto& plugin : make_metrics_plugins(recorder, pricing_, chunk_events))
      plugins.push_back(std::move(plugin));
    hooks_ = Hooks(plugins, nullptr);
  }
  std::string counted() { return "\n" + text_of(store_->collect()); }

  static constexpr char kModel[] = "gpt-4o";
  Opened<GenerationPreCall> chat(bool stream = false) {
    return generation(Scope::root(Kind::generation), {.model = kModel, .stream = stream});
  }
  static Reply tokens(std::int64_t input, std::int64_t output) {
    return {.usage = Usage{.input_tokens = input, .output_tokens = output}};
  }
  static Effort sent(Instant first_chunk = {}) {
    return {.times = {.started = kStart + 2ms, .sent = kStart + 3ms, .first_chunk = first_chunk}};
  }

  std::shared_ptr<Warnings> warnings_ = std::make_shared<Warnings>();
  std::shared_ptr<const Pricing> pricing_;
  std::shared_ptr<MetricStore> store_;
};

TEST_F(MetricsPluginsTest, AGenerationThatEndsWell) {
  end(chat(), {}, tokens(1000, 100));
  EXPECT_EQ(counted(), R"(
gen_ai.client.token.usage gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat gen_ai.token.type=input 1x sum 1000
gen_ai.client.token.usage gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat gen_ai.token.type=output 1x sum 100
gen_ai.client.operation.duration gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat gen_ai.request.stream=false 1x sum 0.068
mellea.llm.cost.usd gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat 0.0035
)");
}

TEST_F(MetricsPluginsTest, AStreamThatEndsWell) {
  end(chat(true), {}, tokens(10, 0), sent(kStart + 12ms));
  EXPECT_EQ(counted(), R"(
gen_ai.client.token.usage gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat gen_ai.token.type=input 1x sum 10
gen_ai.client.operation.duration gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat gen_ai.request.stream=true 1x sum 0.068
gen_ai.client.operation.time_to_first_chunk gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat 1x sum 0.01
mellea.llm.cost.usd gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat 2.5e-05
)");
}

TEST_F(MetricsPluginsTest, AGenerationThatFailsAfterRetries) {
  Effort effort = sent();
  effort.retries = 2;
  end(chat(), failed(Errc::rate_limit), {}, effort);
  EXPECT_EQ(counted(), R"(
gen_ai.client.operation.duration gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat gen_ai.request.stream=false error.type=rate_limit mellea.outcome=error 1x sum 0.068
mellea.llm.errors gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat mellea.error.category=rate_limit error.type=rate_limit 1
mellea.generation.retries gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat 2
)");
}

TEST_F(MetricsPluginsTest, WhatWasBilledBeforeAFailureIsCounted) {
  end(chat(), failed(Errc::transport_error), tokens(100, 0), sent());
  EXPECT_NE(counted().find("gen_ai.token.type=input 1x sum 100\n"), std::string::npos);
  EXPECT_NE(counted().find("mellea.llm.cost.usd"), std::string::npos);
}

TEST_F(MetricsPluginsTest, AGenerationThatIsDropped) {
  end(chat(true), cancelled(CancelReason::dropped), {}, sent(kStart + 12ms));
  EXPECT_EQ(counted(), R"(
gen_ai.client.operation.duration gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat gen_ai.request.stream=true mellea.outcome=cancelled mellea.generation.cancel_reason=dropped 1x sum 0.068
gen_ai.client.operation.time_to_first_chunk gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat 1x sum 0.01
mellea.generation.usage_missing gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat 1
)");
}

TEST_F(MetricsPluginsTest, AGenerationThatIsCancelledBeforeItWasSentMissesNothing) {
  end(chat(), cancelled(CancelReason::caller));
  EXPECT_EQ(counted().find("usage_missing"), std::string::npos);
}

// A plugin that stops one kind of event.
template <class E>
class Stops : public Plugin {
 public:
  std::string_view name() const override { return "gate"; }
  void subscribe(Subscriber& hooks) override {
    hooks.intercept<E>([](E&) { return Verdict::stop({.reason = "SECRET", .code = "no_way"}); });
  }
};

TEST_F(MetricsPluginsTest, AGenerationThatIsBlockedBeforeItIsSent) {
  hooks_ = hooks_.with({std::make_shared<Stops<GenerationPreCall>>()});
  const auto blocked = chat();
  ASSERT_TRUE(blocked.opening->stopped);
  end(blocked, failed(Errc::blocked, {.plugin = "gate", .block_code = "no_way"}));
  EXPECT_EQ(counted(), R"(
mellea.plugin.blocks mellea.block.plugin=gate mellea.block.event=generation_pre_call mellea.block.code=no_way 1
)");
}

TEST_F(MetricsPluginsTest, AReplyThatIsBlockedWasBilled) {
  end(chat(), failed(Errc::blocked, {.plugin = "gate", .block_code = "Not a code"}),
      tokens(1000, 0), sent());
  EXPECT_EQ(counted(), R"(
gen_ai.client.token.usage gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat gen_ai.token.type=input 1x sum 1000
gen_ai.client.operation.duration gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat gen_ai.request.stream=false mellea.outcome=blocked 1x sum 0.068
mellea.llm.cost.usd gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat 0.0025
mellea.plugin.blocks mellea.block.plugin=gate mellea.block.event=generation_post_call 1
)");
}

TEST_F(MetricsPluginsTest, ABatchIsOneRequest) {
  const auto opened = begin(GenerationBatchPreCall{
      .scope = Scope::root(Kind::batch),
      .at = kStart,
      .target = std::make_shared<const Target>(Target{.provider = "watsonx"}),
      .request = Request{.kind = Request::Kind::completion, .prompts = {"a", "b"}}});
  hooks_.tell(GenerationBatchPostCall{.opening = opened.opening,
                                      .ending = {.at = kStart + 1s},
                                      .replies = std::make_shared<const std::vector<Reply>>(2),
                                      .usage = Usage{.input_tokens = 7}});
  EXPECT_EQ(counted(), R"(
gen_ai.client.token.usage gen_ai.provider.name=ibm.watsonx.ai gen_ai.request.model=unknown gen_ai.operation.name=text_completion gen_ai.token.type=input 1x sum 7
gen_ai.client.operation.duration gen_ai.provider.name=ibm.watsonx.ai gen_ai.request.model=unknown gen_ai.operation.name=text_completion gen_ai.request.stream=false 1x sum 1
)");
}

TEST_F(MetricsPluginsTest, AParseFailureIsNoFailureOfTheRequest) {
  const auto opened = chat();
  end(opened, {}, tokens(0, 0));
  hooks_.tell(GenerationParseError{.scope = opened.scope});
  EXPECT_EQ(counted(), R"(
gen_ai.client.operation.duration gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat gen_ai.request.stream=false 1x sum 0.068
mellea.llm.cost.usd gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat 0
mellea.output.parse_failures 1
)");
}

TEST_F(MetricsPluginsTest, TheTimeBetweenChunksIsCountedOnlyIfChunksAreAskedFor) {
  const auto run = [&] {
    const auto opened = chat(true);
    const auto chunk = [&](std::chrono::milliseconds at, auto what) {
      hooks_.tell(GenerationEvent{
          .scope = opened.scope,
          .chunk = std::make_shared<const Chunk>(Chunk{.at = kStart + at, .what = what})});
    };
    chunk(10ms, std::string("a"));
    chunk(30ms, Thinking{"b"});
    chunk(31ms, Finish{"stop"});  // no output
    chunk(60ms, ToolCallPart{});
    end(opened, {}, tokens(0, 0));
    chunk(90ms, std::string("late"));
  };
  EXPECT_FALSE(hooks_.wanted<GenerationEvent>());
  use({}, true);
  run();
  EXPECT_NE(counted().find("gen_ai.client.operation.time_per_output_chunk "
                           "gen_ai.provider.name=openai gen_ai.request.model=gpt-4o "
                           "gen_ai.operation.name=chat 2x sum 0.05\n"),
            std::string::npos)
      << counted();
}

TEST_F(MetricsPluginsTest, ASamplingCountsItsAttemptsAndHowItEnded) {
  const auto sample = [&](bool success, Ending ending) {
    const auto opened = begin(SamplingLoopStart{
        .scope = Scope::root(Kind::sampling), .at = kStart, .strategy = rejection(2)});
    for (int attempt = 0; attempt < 2; ++attempt)
      hooks_.tell(SamplingIteration{.scope = opened.scope,
                                    .strategy = rejection(2),
                                    .attempt = std::make_shared<const Attempt>()});
    hooks_.tell(SamplingLoopEnd{.opening = opened.opening,
                                .ending = std::move(ending),
                                .attempts = std::make_shared<const Attempts>(),
                                .success = success});
  };
  sample(true, {});
  sample(false, {});
  sample(false, cancelled(CancelReason::caller));
  sample(false, failed(Errc::timeout));
  EXPECT_EQ(counted(), R"(
mellea.sampling.attempts strategy=RejectionSamplingStrategy 8
mellea.sampling.successes strategy=RejectionSamplingStrategy 1
mellea.sampling.failures strategy=RejectionSamplingStrategy 1
)");
}

TEST_F(MetricsPluginsTest, AStreamIsASamplingOfOneAttempt) {
  const auto stream = [&](bool success, std::vector<Checked> failures, Ending ending) {
    const auto opened = begin(StreamingStart{.scope = Scope::root(Kind::stream), .at = kStart});
    hooks_.tell(StreamingEnd{
        .opening = opened.opening,
        .ending = std::move(ending),
        .success = success,
        .failures = failures.empty()
                        ? nullptr
                        : std::make_shared<const std::vector<Checked>>(std::move(failures))});
  };
  stream(true, {}, {});
  stream(false, {found("short", false)}, {});
  stream(false, {}, cancelled(CancelReason::consumer));
  stream(false, {}, failed(Errc::server_error));
  EXPECT_EQ(counted(), R"(
mellea.sampling.successes strategy=stream 1
mellea.sampling.failures strategy=stream 1
)");
}

TEST_F(MetricsPluginsTest, RequirementsAreCountedByNameAndFailuresByCode) {
  const auto opened = begin(ValidationPreCheck{.scope = Scope::root(Kind::validation),
                                               .at = kStart,
                                               .reply = std::make_shared<const Reply>()});
  Checked coded = found("short", false);
  coded.result.code = "too_long";
  Checked odd = found("", false);
  odd.result.code = "Told by a model";
  Checked judged{Requirement("SECRET text"), {.passed = false, .reason = "SECRET"}};
  hooks_.tell(ValidationPostCheck{.opening = opened.opening,
                                  .checks = {found("short", true), coded, odd, judged}});
  const auto broken = begin(ValidationPreCheck{.scope = Scope::root(Kind::validation),
                                               .at = kStart,
                                               .reply = std::make_shared<const Reply>()});
  hooks_.tell(ValidationPostCheck{.opening = broken.opening,
                                  .ending = failed(Errc::timeout),
                                  .checks = {found("short", true)}});
  EXPECT_EQ(counted(), R"(
mellea.requirement.checks requirement=short 2
mellea.requirement.checks requirement=function 1
mellea.requirement.checks requirement=)" +
                           std::string(Requirement("x").kind()) + R"( 1
mellea.requirement.failures requirement=short reason=too_long 1
mellea.requirement.failures requirement=function reason=check failed 1
mellea.requirement.failures requirement=)" +
                           std::string(Requirement("x").kind()) + R"( reason=LLM judgment 1
)");
}

TEST_F(MetricsPluginsTest, ChecksOfChunksAreCountedAndThoseOfTheWholeOnce) {
  const Scope scope = Scope::root(Kind::stream);
  const auto tell = [&](StreamingEvent::What what) {
    hooks_.tell(StreamingEvent{
        .scope = scope, .what = std::make_shared<const StreamingEvent::What>(std::move(what))});
  };
  tell(QuickCheck{.passed = false, .checks = {found("short", false)}});
  tell(FullValidation{.checks = {found("short", true)}});  // comes as a validation, too
  EXPECT_EQ(counted(), R"(
mellea.requirement.checks requirement=short 1
mellea.requirement.failures requirement=short reason=check failed 1
)");
}

TEST_F(MetricsPluginsTest, ToolsAreCountedByStatusAndNeverByANameOfTheModels) {
  const auto call = [&](bool known, Ending ending) {
    const auto spec = known ? std::make_shared<const ToolSpec>(ToolSpec{.name = "weather"})
                            : std::shared_ptr<const ToolSpec>();
    const auto opened = begin(ToolPreInvoke{
        .scope = Scope::root(Kind::tool), .at = kStart, .tool = spec, .call = {.name = "SECRET"}});
    hooks_.tell(ToolPostInvoke{.opening = opened.opening, .ending = std::move(ending)});
  };
  call(true, {});
  call(true, {});
  call(true, failed(Errc::unknown));
  call(true, cancelled(CancelReason::caller));
  call(false, failed(Errc::not_found));
  EXPECT_EQ(counted(), R"(
mellea.tool.calls gen_ai.tool.name=weather status=success 2
mellea.tool.calls gen_ai.tool.name=weather status=failure 1
mellea.tool.calls gen_ai.tool.name=weather status=cancelled 1
mellea.tool.calls gen_ai.tool.name=unknown status=failure 1
)");
}

TEST_F(MetricsPluginsTest, AToolThatIsBlockedIsAFailureAndOneBlock) {
  hooks_ = hooks_.with({std::make_shared<Stops<ToolPreInvoke>>()});
  const auto opened = begin(ToolPreInvoke{.scope = Scope::root(Kind::tool), .at = kStart});
  hooks_.tell(ToolPostInvoke{.opening = opened.opening, .ending = failed(Errc::blocked)});
  EXPECT_EQ(counted(), R"(
mellea.tool.calls gen_ai.tool.name=unknown status=failure 1
mellea.plugin.blocks mellea.block.plugin=gate mellea.block.event=tool_pre_invoke mellea.block.code=no_way 1
)");
}

TEST_F(MetricsPluginsTest, TheProgramsLabelsStandOnMetricsIfTheyAreNamed) {
  use({.labels = {"tenant", "shard", "absent"}});
  const Scope scope = Scope::root(
      Kind::generation,
      {.labels = {{"tenant", std::string("a")}, {"shard", std::int64_t{3}}, {"user", 1.5}}});
  end(generation(scope, {.model = kModel}), failed(Errc::timeout));
  EXPECT_NE(counted().find("mellea.llm.errors tenant=a shard=3 gen_ai.provider.name=openai"),
            std::string::npos);
  EXPECT_EQ(counted().find("user"), std::string::npos);
}

TEST_F(MetricsPluginsTest, ModelsBeyondTheHundredthAreOther) {
  for (int model = 0; model < 120; ++model)
    end(generation(Scope::root(Kind::generation), {.model = "m" + std::to_string(model)}),
        failed(Errc::timeout));
  EXPECT_NE(counted().find("mellea.llm.errors gen_ai.provider.name=openai "
                           "gen_ai.request.model=other gen_ai.operation.name=chat "
                           "mellea.error.category=timeout error.type=timeout 20\n"),
            std::string::npos);
}

TEST_F(MetricsPluginsTest, AnExemplarIsTheSpanOfItsGeneration) {
  const auto opened = chat();
  end(opened, {}, tokens(5, 0));
  const MetricBatch batch = store_->collect();
  ASSERT_FALSE(batch.metrics.empty());
  EXPECT_EQ(batch.metrics[0].points.at(0).exemplars.at(0).trace, opened.opening->trace);
}

TEST_F(MetricsPluginsTest, AnUnknownModelIsToldOfOnce) {
  for (int round = 0; round < 2; ++round)
    end(generation(Scope::root(Kind::generation)), {}, tokens(5, 0));
  EXPECT_EQ(warnings_->all().size(), 1U);
  EXPECT_EQ(counted().find("cost"), std::string::npos);
}

TEST_F(MetricsPluginsTest, TheConventionsKnowMoreLabels) {
  use({.vocabulary = Vocabulary::otel_1_41});
  end(generation(Scope::root(Kind::generation), {.model = kModel},
                 {.provider = "openai", .endpoint = {.address = "h", .port = 443}}),
      {}, {.response = {.model = "gpt-4o-x"}, .usage = Usage{.output_tokens = 3}});
  EXPECT_NE(counted().find("gen_ai.client.token.usage gen_ai.provider.name=openai "
                           "gen_ai.request.model=gpt-4o gen_ai.operation.name=chat "
                           "gen_ai.response.model=gpt-4o-x server.address=h server.port=443 "
                           "gen_ai.token.type=output 1x sum 3\n"),
            std::string::npos)
      << counted();
}

TEST_F(MetricsPluginsTest, TheNewestConventionsCountTokensApart) {
  use({.vocabulary = Vocabulary::otel_2026_10});
  end(chat(), {}, {.usage = Usage{.input_tokens = 7, .output_tokens = 3, .cache_read_tokens = 2}});
  end(chat(), failed(Errc::timeout));
  EXPECT_EQ(counted(), R"(
gen_ai.client.inference.duration gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat gen_ai.request.stream=false 1x sum 0.068
gen_ai.client.inference.duration gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat gen_ai.request.stream=false error.type=timeout mellea.outcome=error 1x sum 0.068
mellea.llm.errors gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat mellea.error.category=timeout error.type=timeout 1
mellea.llm.cost.usd gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat 4.5e-05
gen_ai.client.inference.usage.input_tokens gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat gen_ai.token.modality=text 7
gen_ai.client.inference.usage.input_tokens gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat gen_ai.token.modality=unknown 0
gen_ai.client.inference.usage.output_tokens gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat gen_ai.token.modality=text 3
gen_ai.client.inference.usage.output_tokens gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat gen_ai.token.modality=unknown 0
gen_ai.client.inference.usage.cache_read.input_tokens gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat gen_ai.token.modality=text 2
gen_ai.client.inference.operation.input_tokens gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat 1x sum 7
gen_ai.client.inference.operation.input_tokens gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat error.type=timeout 1x sum 0
gen_ai.client.inference.operation.output_tokens gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat 1x sum 3
gen_ai.client.inference.operation.output_tokens gen_ai.provider.name=openai gen_ai.request.model=gpt-4o gen_ai.operation.name=chat error.type=timeout 1x sum 0
)");
}

// What the contract and the conventions say of the metrics we have of them.
struct Convention {
  std::string_view name;
  InstrumentKind kind;
  std::string_view unit;
  std::vector<Key> labels;  // the required ones, and those of the contract
  double first_bound = 0;
  double last_bound = 0;
};
const std::vector<Convention>& conventions() {
  using enum InstrumentKind;
  const std::vector<Key> call = {Fact::provider, Fact::request_model, Fact::operation};
  const auto and_also = [&](std::vector<Key> more) {
    more.insert(more.end(), call.begin(), call.end());
    return more;
  };
  static const std::vector<Convention> all = {
      {"gen_ai.client.token.usage", histogram, "{token}", and_also({Fact::token_type}), 1,
       67108864},
      {"gen_ai.client.operation.duration", histogram, "s",
       and_also({Fact::request_stream, Fact::error_type}), 0.01, 81.92},
      {"gen_ai.client.operation.time_to_first_chunk", histogram, "s", call, 0.01, 81.92},
      {"gen_ai.client.operation.time_per_output_chunk", histogram, "s", call, 0.01, 81.92},
      {"mellea.llm.errors", counter, "{error}", and_also({Fact::error_category, Fact::error_type})},
      {"mellea.llm.cost.usd", counter, "USD", call},
      {"mellea.sampling.attempts", counter, "{attempt}", {kStrategyLabel}},
      {"mellea.sampling.successes", counter, "{sample}", {kStrategyLabel}},
      {"mellea.sampling.failures", counter, "{failure}", {kStrategyLabel}},
      {"mellea.requirement.checks", counter, "{check}", {kRequirementLabel}},
      {"mellea.requirement.failures", counter, "{failure}", {kRequirementLabel, kReasonLabel}},
      {"mellea.tool.calls", counter, "{call}", {Fact::tool_name, kStatusLabel}},
  };
  return all;
}

const MetricRow* row_named(std::string_view name) {
  const auto table = metric_table();
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const auto& row) { return row.name == name; });
  return found == table.end() ? nullptr : &*found;
}

TEST(MetricTableTest, HasTheContractsMetrics) {
  for (const Convention& wanted : conventions()) {
    const MetricRow* row = row_named(wanted.name);
    ASSERT_NE(row, nullptr) << wanted.name;
    EXPECT_EQ(row->kind, wanted.kind) << wanted.name;
    EXPECT_EQ(row->unit, wanted.unit) << wanted.name;
    for (const Key& label : wanted.labels)
      EXPECT_NE(std::find(row->labels.begin(), row->labels.end(), label), row->labels.end())
          << wanted.name << " " << name_of(label);
    const auto bounds = description_of(row->metric, Vocabulary::mellea)->bounds;
    EXPECT_EQ(bounds.size(), wanted.last_bound == 0 ? 0U : 14U);
    if (!bounds.empty()) {
      EXPECT_EQ(bounds.front(), wanted.first_bound);
      EXPECT_EQ(bounds.back(), wanted.last_bound);
      EXPECT_TRUE(std::is_sorted(bounds.begin(), bounds.end()));
    }
  }
}

TEST(MetricTableTest, EachNameIsTheRegistrysOrOurs) {
  const std::string folder = MELLEA_SOURCE_DIR "/../shared/reference/genai-registry/";
  std::set<std::string> known;
  for (const auto* file : {"registry-v1.41.1.json", "registry-2026-08-03-fe5608e.json"}) {
    std::ifstream in(folder + file);
    if (!in) GTEST_SKIP() << folder << file << " is not here";
    const auto metrics = nlohmann::json::parse(in).at("metrics");
    for (const auto& [name, metric] : metrics.items()) {
      known.insert(name);
      const MetricRow* row = row_named(name);
      if (!row) continue;
      EXPECT_EQ(metric.at("unit"), row->unit) << name;
      EXPECT_EQ(metric.at("instrument") == "histogram", row->kind == InstrumentKind::histogram);
      for (const auto& [attribute, level] : metric.at("attributes").items()) {
        const bool ours = std::any_of(row->labels.begin(), row->labels.end(),
                                      [&](const Key& key) { return name_of(key) == attribute; });
        const bool more = std::any_of(more_labels().begin(), more_labels().end(),
                                      [&](const Key& key) { return name_of(key) == attribute; });
        if (level.at("level") == "required") {
          EXPECT_TRUE(ours) << name << " " << attribute;
        } else {
          EXPECT_TRUE(ours || more) << name << " " << attribute;
        }
      }
    }
  }
  std::ifstream in(folder + "overlay-2026-09plus.json");
  const auto newer = nlohmann::json::parse(in);
  for (const auto& [name, metric] : newer.at("metrics_added").items()) known.insert(name);
  for (const auto& rename : newer.at("metric_renames")) known.insert(rename.at("to"));
  for (const MetricRow& row : metric_table())
    for (const std::string_view name : {row.name, row.name_2026_10})
      EXPECT_TRUE(name.empty() || name.starts_with("mellea.") || known.contains(std::string(name)))
          << name;
}

TEST_F(MetricsPluginsTest, LabelsOfTheProgramAreEachOnceAndCrowdOutNoneOfOurs) {
  std::vector<std::string> keys = {"tenant.id", "gen_ai.request.model", "strategy", "tenant.id"};
  for (int at = 0; at < 30; ++at) keys.push_back("k" + std::to_string(at));
  const std::vector<std::string> possible = possible_labels(keys, *warnings_);
  EXPECT_EQ(possible.size(), kMostOwnLabels);
  EXPECT_EQ(possible.at(0), "tenant.id");
  EXPECT_EQ(possible.at(1), "k0");
  const auto warnings = warnings_->all();
  ASSERT_EQ(warnings.size(), 2U + 19U);
  EXPECT_EQ(warnings[0],
            "metrics have a label gen_ai.request.model of their own: the program's is left out");
  EXPECT_EQ(warnings[2], "metrics have 12 labels of the program's at most: k11 is left out");
}

}  // namespace
}  // namespace mellea::telemetry
