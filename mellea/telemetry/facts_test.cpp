#include "mellea/telemetry/facts.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>

#include "mellea/hooks/events.h"
#include "mellea/telemetry/metric_names.h"
#include "mellea/telemetry/vocabularies_for_test.h"

namespace mellea::telemetry {
namespace {

using enum Vocabulary;
constexpr Vocabulary kBases[] = {mellea, otel_1_41, otel_2026_10, openinference};

TEST(FactsTest, EachSaysWhoCarriesIt) {
  for (const FactRow& row : fact_table())
    EXPECT_NE(row.on, 0) << "fact " << static_cast<int>(row.fact) << ' ' << row.name;
}

TEST(FactsTest, NoCarrierHasTwoOfOneName) {
  for (const Vocabulary vocabulary : kBases)
    for (const FactRow& one : fact_table())
      for (const FactRow& other : fact_table()) {
        const std::string_view name = name_of(one.fact, vocabulary);
        if (one.fact < other.fact && !name.empty() && name == name_of(other.fact, vocabulary)) {
          EXPECT_EQ(one.on & other.on, 0) << to_string(vocabulary) << ' ' << name;
        }
      }
}

TEST(FactsTest, ANameOfMelleaIsKnownAsOne) {
  EXPECT_TRUE(names_a_fact("gen_ai.usage.cache_creation.input_tokens"));
  EXPECT_FALSE(names_a_fact("gen_ai.usage.cache_write.input_tokens"));
  EXPECT_FALSE(names_a_fact("user.id"));
  EXPECT_FALSE(names_a_fact(""));
}

// Of the conventions, from what they publish; nothing where that is not here.
class Registry {
 public:
  static std::optional<Registry> of(Vocabulary vocabulary) {
    Registry registry;
    const auto overlay = read("overlay-2026-09plus.json");
    if (!overlay) return std::nullopt;
    registry.add_types(overlay->at("external_attribute_types"));
    if (vocabulary != otel_2026_10 && !registry.add("registry-v1.41.1.json")) return std::nullopt;
    if (vocabulary == otel_1_41) return registry;
    if (!registry.add("registry-2026-08-03-fe5608e.json")) return std::nullopt;
    if (vocabulary == otel_2026_10) {
      for (const auto& change : overlay->at("attribute_renames")) {
        registry.types_.erase(change.at("from").get<std::string>());
        registry.types_[change.at("to")] = change.at("type");
      }
    }
    for (const auto& [name, attribute] : overlay->at("attributes_added").items())
      registry.types_[name] = attribute.at("type");
    return registry;
  }

  std::string type(const std::string& name) const {  // empty: it is none of theirs
    const auto found = types_.find(name);
    if (found != types_.end()) return found->second == "any" ? "string" : found->second;
    // A family of names: "template[string]".
    for (const auto& [family, type] : types_)
      if (type.starts_with("template[") && name.starts_with(family + "."))
        return type.substr(9, type.size() - 10);
    return {};
  }
  // Of a span of theirs, as the file calls it.
  std::vector<std::string> required(const std::string& span) const {
    return with_mark(span, "level", "required");
  }
  std::vector<std::string> at_start(const std::string& span) const {
    return with_mark(span, "sampling_relevant", true);
  }

 private:
  static std::optional<nlohmann::json> read(const std::string& file) {
    std::ifstream in(MELLEA_SOURCE_DIR "/../shared/reference/genai-registry/" + file);
    return in ? std::optional(nlohmann::json::parse(in)) : std::nullopt;
  }
  bool add(const std::string& file) {
    const auto published = read(file);
    if (!published) return false;
    for (const auto& [name, attribute] : published->at("attributes").items())
      if (!attribute.contains("deprecated") || attribute.at("deprecated").is_null())
        types_[name] = attribute.at("type");
    spans_ = published->at("spans");
    return true;
  }
  void add_types(const nlohmann::json& types) {
    for (const auto& [name, type] : types.items()) types_[name] = type;
  }
  std::vector<std::string> with_mark(const std::string& span, const char* key,
                                     const nlohmann::json& mark) const {
    std::vector<std::string> names;
    for (const auto& [name, attribute] : spans_.at(span).at("attributes").items())
      if (attribute.value(key, nlohmann::json()) == mark) names.push_back(name);
    return names;
  }

  std::map<std::string, std::string> types_;
  nlohmann::json spans_;
};

// Those of OpenInference that we have, with their types.
const std::map<std::string, std::string>& openinference_types() {
  static const std::map<std::string, std::string> types = {
      {"agent.name", "string"},
      {"embedding.invocation_parameters", "string"},
      {"embedding.model_name", "string"},
      {"input.mime_type", "string"},
      {"input.value", "string"},
      {"llm.cost.completion", "double"},
      {"llm.cost.prompt", "double"},
      {"llm.cost.total", "double"},
      {"llm.finish_reason", "string"},
      {"llm.invocation_parameters", "string"},
      {"llm.model_name", "string"},
      {"llm.prompt_template.template", "string"},
      {"llm.prompt_template.variables", "string"},
      {"llm.prompt_template.version", "string"},
      {"llm.provider", "string"},
      {"llm.request.model_name", "string"},
      {"llm.response.model_name", "string"},
      {"llm.system", "string"},
      {"llm.token_count.completion", "int"},
      {"llm.token_count.completion_details.reasoning", "int"},
      {"llm.token_count.prompt", "int"},
      {"llm.token_count.prompt_details.cache_read", "int"},
      {"llm.token_count.prompt_details.cache_write", "int"},
      {"llm.token_count.total", "int"},
      {"metadata", "string"},
      {"openinference.span.kind", "string"},
      {"output.mime_type", "string"},
      {"output.value", "string"},
      {"prompt.id", "string"},
      {"session.id", "string"},
      {"tool.description", "string"},
      {"tool.id", "string"},
      {"tool.name", "string"},
      {"tool.parameters", "string"},
  };
  return types;
}

std::string type_of(const Value& value) {
  static constexpr const char* kTypes[] = {"string", "int", "double", "boolean", "string[]"};
  return kTypes[value.index()];
}

// Ours, Langfuse's, and one of OpenTelemetry's that no file of GenAI's names.
bool is_listed_elsewhere(const std::string& name) {
  return name.starts_with("mellea.") || name.starts_with("langfuse.") ||
         name == "http.response.status_code";
}

// What stands on a span is the conventions' by name and type, OpenInference's, or ours; and of the
// conventions only what the release knows that the vocabulary is named after.
TEST(VocabulariesTest, EachNameIsOnAList) {
  for (const Vocabularies& vocabularies : all_vocabularies()) {
    const auto registry = Registry::of(vocabularies.base());
    if (!registry) GTEST_SKIP() << "the registry of the conventions is not here";
    for (const Kind kind : kKinds)
      for (const auto& [name, value] : shown(*full_span(kind), SpanView(vocabularies, true))) {
        std::string type = registry->type(name);
        const auto theirs = openinference_types().find(name);
        if (type.empty() && theirs != openinference_types().end() &&
            (vocabularies.has(openinference) || name == "openinference.span.kind"))
          type = theirs->second;
        if (is_listed_elsewhere(name)) type = type_of(value);
        if (name == "gen_ai.usage.cache_creation.input_tokens" && vocabularies.has(langfuse))
          type = "int";  // what the conventions called it before, for Langfuse
        EXPECT_EQ(type, type_of(value)) << words_of(vocabularies) << ' ' << name;
      }
  }
}

TEST(VocabulariesTest, NothingOfGenAiIsSaidInOpenInferenceAlone) {
  for (const Kind kind : kKinds)
    for (const auto& [name, value] :
         shown(*full_span(kind), SpanView(Vocabularies(openinference), true)))
      EXPECT_FALSE(name.starts_with("gen_ai.")) << name;
}

TEST(VocabulariesTest, NoSpanSaysANameTwice) {
  for (const Vocabularies& vocabularies : all_vocabularies())
    for (const Kind kind : kKinds) {
      std::set<std::string> names;
      for (const auto& [name, value] : shown(*full_span(kind), SpanView(vocabularies, true)))
        EXPECT_TRUE(names.insert(name).second) << words_of(vocabularies) << ' ' << name;
    }
}

// What a receiver takes for one: of several names on a span it reads the first that is there. What
// begins like a count and is not here it adds up as tokens of its own.
struct Receiver {
  std::string name;
  std::vector<std::string> counts_begin_with;
  std::vector<std::vector<std::string>> same;
};

// Langfuse 6275144 (OtelIngestionProcessor.ts) and Phoenix 9478f95 (gen_ai/conversion.py).
const std::vector<Receiver>& receivers() {
  static const std::vector<Receiver> all = {
      {"Langfuse",
       {"gen_ai.usage.", "llm.token_count."},
       {
           {"gen_ai.usage.input_tokens", "llm.token_count.prompt"},
           {"gen_ai.usage.output_tokens", "llm.token_count.completion"},
           {"llm.token_count.total"},
           {"gen_ai.usage.cache_read.input_tokens", "llm.token_count.prompt_details.cache_read"},
           {"gen_ai.usage.cache_creation.input_tokens",
            "llm.token_count.prompt_details.cache_write"},
           {"gen_ai.usage.reasoning.output_tokens", "llm.token_count.completion_details.reasoning"},
       }},
      {"Phoenix",
       {"llm.token_count."},
       {
           {"gen_ai.usage.input_tokens", "llm.token_count.prompt"},
           {"gen_ai.usage.output_tokens", "llm.token_count.completion"},
           {"llm.token_count.total"},
           {"gen_ai.usage.cache_read.input_tokens", "llm.token_count.prompt_details.cache_read"},
           {"gen_ai.usage.cache_creation.input_tokens",
            "llm.token_count.prompt_details.cache_write"},
           {"gen_ai.usage.reasoning.output_tokens", "llm.token_count.completion_details.reasoning"},
       }},
  };
  return all;
}

// The newest conventions alone are ahead of both.
bool reads(const Receiver& receiver, const Vocabularies& vocabularies) {
  if (vocabularies.base() != otel_2026_10) return true;
  return receiver.name == "Langfuse" && vocabularies.has(langfuse);
}

bool is_count(const Receiver& receiver, const std::string& name) {
  return std::any_of(receiver.counts_begin_with.begin(), receiver.counts_begin_with.end(),
                     [&](const std::string& begin) { return name.starts_with(begin); });
}

TEST(VocabulariesTest, AReceiverGetsNoPartOfATotalThatItDoesNotKnow) {
  for (const Receiver& receiver : receivers())
    for (const Vocabularies& vocabularies : all_vocabularies()) {
      if (!reads(receiver, vocabularies)) continue;
      for (const auto& [name, value] :
           shown(*full_span(Kind::generation), SpanView(vocabularies, true))) {
        const bool known = std::any_of(
            receiver.same.begin(), receiver.same.end(), [&name = name](const auto& names) {
              return std::find(names.begin(), names.end(), name) != names.end();
            });
        EXPECT_TRUE(known || !is_count(receiver, name))
            << receiver.name << ", " << words_of(vocabularies) << ": " << name;
      }
    }
}

// Two names of one count stand on a span only where the receiver knows that they are one.
TEST(VocabulariesTest, AReceiverTakesTwoNamesOfACountForOne) {
  for (const Receiver& receiver : receivers())
    for (const Vocabularies& vocabularies : all_vocabularies()) {
      if (!reads(receiver, vocabularies)) continue;
      for (const FactRow& row : fact_table()) {
        if (row.counts == Counts::nothing) continue;
        SpanRecord span;
        span.traces = Kind::generation;
        span.set(row.fact, std::int64_t{1});
        std::set<std::string> names;
        for (const auto& [name, value] : shown(span, SpanView(vocabularies, true)))
          if (std::holds_alternative<std::int64_t>(value)) names.insert(name);
        if (names.size() < 2 || row.fact == Fact::total_tokens) continue;  // one of two is ours
        EXPECT_TRUE(std::any_of(
            receiver.same.begin(), receiver.same.end(),
            [&](const auto& same) {
              return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
                return std::find(same.begin(), same.end(), name) != same.end();
              });
            }))
            << receiver.name << ", " << words_of(vocabularies) << ": " << *names.begin();
      }
    }
}

TEST(VocabulariesTest, TokensAndCostStandOnGenerationsAlone) {
  for (const FactRow& row : fact_table())
    if (row.counts != Counts::nothing || row.fact == Fact::cost) {
      EXPECT_EQ(row.on, carrier(Kind::generation) | carrier(Kind::batch)) << row.name;
    }
}

TEST(VocabulariesTest, AModelOutsideOfAGenerationIsToldApart) {
  for (const Kind kind : {Kind::session, Kind::stream})
    for (const Vocabularies& vocabularies : all_vocabularies()) {
      const auto all = shown(*full_span(kind), SpanView(vocabularies, true));
      const auto has = [&](std::string_view name) {
        return std::any_of(all.begin(), all.end(),
                           [&](const auto& one) { return one.first == name; });
      };
      EXPECT_TRUE(!has("gen_ai.request.model") || has("openinference.span.kind"));
      EXPECT_TRUE(has("gen_ai.request.model") || has("mellea.request.model"));
    }
}

// An instrument is called by one vocabulary, so none is recorded twice.
TEST(VocabulariesTest, NoTwoMetricsAreCalledTheSame) {
  for (const Vocabulary vocabulary : {mellea, otel_1_41, otel_2026_10}) {
    std::set<std::string> names;
    for (const MetricRow& row : metric_table())
      if (const auto description = description_of(row.metric, vocabulary)) {
        EXPECT_TRUE(names.insert(description->name).second) << description->name;
      }
  }
}

// One of each operation, as the plugins trace it.
class CarriersTest : public TracingTest {
 protected:
  void SetUp() override {
    auto s = session();
    auto run = begin(AgentStart{.scope = s.scope.child(Kind::agent),
                                .at = kStart,
                                .agent = "react",
                                .provider = "openai",
                                .goal = std::make_shared<const std::string>("goal"),
                                .tools = std::make_shared<const Tools>(),
                                .conversation = conversation_,
                                .max_steps = 3});
    auto work = begin(ComponentPreExecute{.scope = run.scope.child(Kind::action),
                                          .at = kStart,
                                          .component = "Instruction",
                                          .conversation = conversation_,
                                          .prompt = prompt_,
                                          .strategy = rejection(2)});
    auto loop = begin(SamplingLoopStart{.scope = work.scope.child(Kind::sampling),
                                        .at = kStart,
                                        .strategy = *work.opening->strategy,
                                        .budget = 2});
    auto chat = generation(loop.scope.child(Kind::generation, {.iteration = 1}), full_request(),
                           {.provider = "watsonx",
                            .endpoint = {.address = "a.test", .port = 443},
                            .component = "Instruction",
                            .conversation = conversation_,
                            .prompt = prompt_});
    Ending bad = failed(Errc::rate_limit, {.status = 429, .request_id = "r-1"});
    end(chat, bad, full_reply());
    auto batch = begin(GenerationBatchPreCall{
        .scope = work.scope.child(Kind::batch),
        .at = kStart,
        .target = std::make_shared<const Target>(
            Target{.provider = "openai", .endpoint = {.address = "a.test", .port = 443}}),
        .request = Request{.kind = Request::Kind::embedding, .model = "e", .prompts = {"a"}}});
    hooks_.tell(GenerationBatchPostCall{.opening = batch.opening,
                                        .ending = {.at = kStart + 5ms},
                                        .usage = Usage{.input_tokens = 1}});
    auto checks = begin(ValidationPreCheck{.scope = loop.scope.child(Kind::validation),
                                           .at = kStart,
                                           .evaluated = chat.scope,
                                           .reply = std::make_shared<const Reply>(full_reply()),
                                           .requirements = {requirement("short")}});
    hooks_.tell(ValidationPostCheck{.opening = checks.opening,
                                    .ending = {.at = kStart + 6ms},
                                    .checks = {found("short", true)}});
    hooks_.tell(SamplingLoopEnd{.opening = loop.opening,
                                .ending = {.at = kStart + 7ms},
                                .attempts = std::make_shared<const Attempts>()});
    end(work);
    const auto weather =
        std::make_shared<const ToolSpec>(ToolSpec{.name = "weather", .description = "Says it."});
    auto tool = begin(ToolPreInvoke{.scope = run.scope.child(Kind::tool),
                                    .at = kStart,
                                    .tool = weather,
                                    .asked_by = chat.scope,
                                    .conversation = conversation_,
                                    .call = {.id = "t-1", .name = "weather", .arguments = "{}"}});
    hooks_.tell(ToolPostInvoke{
        .opening = tool.opening, .ending = cancelled(CancelReason::caller), .took = 2ms});
    hooks_.tell(AgentEnd{.opening = run.opening, .ending = {.at = kStart + 8ms}, .steps = 1});
    end(s);
  }

  static Request full_request() {
    return {
        .model = "granite",
        .options = {.temperature = 0.5, .top_k = 40, .choices = 2, .think = std::string("high")},
        .stream = true};
  }
  static Reply full_reply() {
    return {.finish_reasons = {"stop"},
            .response = {.id = "1", .model = "granite-4", .service_tier = "flex"},
            .usage = Usage{.input_tokens = 3,
                           .output_tokens = 2,
                           .total_tokens = 5,
                           .cache_read_tokens = 1,
                           .cache_write_tokens = 1,
                           .reasoning_tokens = 1}};
  }

  const std::shared_ptr<const std::string> conversation_ =
      std::make_shared<const std::string>("c-1");
  const std::shared_ptr<const Prompt> prompt_ =
      std::make_shared<const Prompt>(Prompt{.name = "greeting", .version = "3", .text = "Hi"});
};

TEST_F(CarriersTest, SaysNothingThatTheyMayNotCarry) {
  EXPECT_GE(memory_->spans().size(), 8U);
  const auto expect = [](std::span<const Attribute> attributes, Carriers carrier,
                         std::string_view where) {
    for (const Attribute& attribute : attributes)
      if (const auto* fact = std::get_if<Fact>(&attribute.key)) {
        EXPECT_NE(row_of(*fact).on & carrier, 0) << where << ": " << name_of(attribute.key);
      }
  };
  for (const SpanPtr& span : memory_->spans()) {
    expect(span->attributes(), carrier(span->traces), span->name);
    for (const SpanEvent& event : span->events())
      expect(event.attributes, kEventCarrier, event.name);
  }
  for (const MetricRow& row : metric_table())
    for (const std::span<const Key> labels : {row.labels, more_labels()})
      for (const Key& label : labels) {
        const Attribute attribute{label, true};
        expect({&attribute, 1}, kMetricCarrier, row.name);
      }
}

// What the conventions want on a span is there under their names.
TEST_F(CarriersTest, HaveWhatTheConventionsRequire) {
  for (const Vocabulary vocabulary : {otel_1_41, otel_2026_10}) {
    const auto registry = Registry::of(vocabulary);
    if (!registry) GTEST_SKIP() << "the registry of the conventions is not here";
    const std::string prefix = vocabulary == otel_1_41 ? "span." : "";
    for (const auto& [name, theirs] : std::map<std::string, std::string>{
             {"chat granite", "gen_ai.inference.client"},
             {"embeddings e", "gen_ai.embeddings.client"},
             {"execute_tool weather", "gen_ai.execute_tool.internal"},
             {"invoke_agent react", "gen_ai.invoke_agent.internal"}}) {
      const SpanPtr traced = span(name);
      ASSERT_NE(traced, nullptr);
      const std::string all = text_of(*traced, SpanView(Vocabularies(vocabulary), true));
      const auto required = registry->required(prefix + theirs);
      EXPECT_FALSE(required.empty()) << theirs;
      for (const std::string& attribute : required)
        EXPECT_NE(all.find("  " + attribute + " = "), std::string::npos)
            << to_string(vocabulary) << ", " << name << ": " << attribute;
    }
  }
}

TEST(FactsTest, WhatSamplersMayAskForIsThereAtTheStart) {
  const auto registry = Registry::of(otel_2026_10);
  if (!registry) GTEST_SKIP() << "the registry of the conventions is not here";
  for (const auto* theirs : {"gen_ai.inference.client", "gen_ai.embeddings.client",
                             "gen_ai.execute_tool.internal", "gen_ai.invoke_agent.internal"})
    for (const std::string& name : registry->at_start(theirs))
      for (const FactRow& row : fact_table())
        if (name_of(row.fact, otel_2026_10) == name) {
          EXPECT_EQ(row.known, KnownAt::start) << name;
        }
}

// Looks at each span when it begins, as a sampler does.
class StartTest : public TracingTest {
 protected:
  static bool look(SpanRecord& beginning, const TraceRef&) {
    for (const Attribute& attribute : beginning.attributes())
      if (const auto* fact = std::get_if<Fact>(&attribute.key)) {
        EXPECT_EQ(row_of(*fact).known, KnownAt::start)
            << beginning.name << ": " << name_of(attribute.key);
      }
    return true;
  }
};

TEST_F(StartTest, WhatASpanSaysAtItsStartIsKnownThen) {
  tracer_ = std::make_shared<Tracer>(Sampler{.decide = look},
                                     std::vector<std::shared_ptr<SpanExporter>>{memory_});
  hooks_ = Hooks(make_tracing_plugins(tracer_, false), nullptr);
  const auto s = session();
  const auto a = action(s.scope.child(Kind::action));
  end(generation(a.scope.child(Kind::generation), {.model = "m", .options = {.seed = 1}}));
  end(a);
  end(s);
  EXPECT_EQ(memory_->spans().size(), 3U);
}

}  // namespace
}  // namespace mellea::telemetry
