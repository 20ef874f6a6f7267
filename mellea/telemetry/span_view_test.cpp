#include "mellea/telemetry/span_view.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <stdexcept>

#include "mellea/telemetry/choosing_exporter.h"
#include "mellea/telemetry/memory_exporter.h"
#include "mellea/telemetry/vocabularies_for_test.h"

namespace mellea::telemetry {
namespace {

using enum Vocabulary;

std::shared_ptr<SpanRecord> span_of(Kind kind, std::string_view name) {
  auto span = std::make_shared<SpanRecord>();
  span->traces = kind;
  span->name = name;
  span->began = 1'700'000'000'000'000'000;
  return span;
}

std::shared_ptr<SpanRecord> chat() {
  auto span = span_of(Kind::generation, "chat granite-4");
  span->parent[7] = 1;
  span->set(Fact::operation, "chat");
  span->set(Fact::provider, "ibm.watsonx.ai");
  span->set(Fact::request_model, "granite-4");
  span->set(Fact::server_address, "us-south.ml.cloud.ibm.com");
  span->set(Fact::conversation_id, "c-1");
  span->set(Fact::prompt_name, "greeting");
  span->set(Fact::prompt_version, "3");
  span->set(Fact::output_type, "json");
  span->set(Fact::temperature, 0.5);
  span->set(Fact::top_k, std::int64_t{40});
  span->set(Fact::stop_sequences, std::vector<std::string>{"END"});
  span->set(Fact::reasoning_level, "high");
  span->set(Fact::component_type, "Instruction");
  span->set(Fact::request_stream, true);
  span->set(Fact::generation_id, "g-1");
  span->set_label("tenant.id", "blue");
  span->set(Fact::input_messages, R"([{"role":"user","parts":[{"type":"text","content":"Hi"}]}])");
  span->set(Fact::prompt_variables, R"({"city":"Rome","days":3})");
  span->set(Fact::response_model, "granite-4-h");
  span->set(Fact::response_id, "r-1");
  span->set(Fact::finish_reasons, std::vector<std::string>{"stop"});
  span->set(Fact::input_tokens, std::int64_t{50});
  span->set(Fact::output_tokens, std::int64_t{20});
  span->set(Fact::total_tokens, std::int64_t{70});
  span->set(Fact::cache_read_tokens, std::int64_t{30});
  span->set(Fact::cache_write_tokens, std::int64_t{10});
  span->set(Fact::reasoning_tokens, std::int64_t{5});
  span->set(Fact::cost, 0.25);
  span->set(Fact::input_cost, 0.125);
  span->set(Fact::output_cost, 0.125);
  span->set(Fact::time_to_first_chunk, 0.25);
  span->set(Fact::time_to_first_token, 0.5);
  return span;
}

std::shared_ptr<SpanRecord> tool() {
  auto span = span_of(Kind::tool, "execute_tool look");
  span->parent[7] = 1;
  span->set(Fact::operation, "execute_tool");
  span->set(Fact::tool_name, "look");
  span->set(Fact::tool_type, "function");
  span->set(Fact::tool_description, "Looks at it.");
  span->set(Fact::tool_call_id, "t-1");
  span->set(Fact::conversation_id, "c-1");
  span->set(Fact::tool_call_arguments, R"({"at":"it"})");
  span->set(Fact::tool_call_result, R"("a cat")");
  span->set(Fact::tool_status, "success");
  return span;
}

std::shared_ptr<SpanRecord> agent() {
  auto span = span_of(Kind::agent, "invoke_agent react");
  span->set(Fact::operation, "invoke_agent");
  span->set(Fact::agent_name, "react");
  span->set(Fact::agent_provider, "openai");
  span->set(Fact::conversation_id, "c-1");
  span->set(Fact::agent_steps, std::int64_t{2});
  span->set(Fact::error_type, "timeout");
  return span;
}

std::shared_ptr<SpanRecord> session() {
  auto span = span_of(Kind::session, "session");
  span->set(Fact::session_id, "s-1");
  span->set(Fact::provider, "openai");
  span->set(Fact::backend_name, "openai");
  span->set(Fact::default_model, "gpt-4o");
  span->set(Fact::span_class, "CHAIN");
  return span;
}

std::string file(const std::string& name) {
  std::ifstream in(MELLEA_SOURCE_DIR "/mellea/telemetry/" + name);
  EXPECT_TRUE(in) << name;
  return {std::istreambuf_iterator<char>(in), {}};
}

// One of each, as each vocabulary has it, is written down in a file.
TEST(SpanViewTest, ShowsSpansAsTheFileSays) {
  std::string all;
  for (const std::vector<Vocabulary>& names :
       std::vector<std::vector<Vocabulary>>{{mellea},
                                            {otel_1_41},
                                            {otel_2026_10},
                                            {openinference},
                                            {mellea, openinference},
                                            {otel_2026_10, langfuse}}) {
    const SpanView view(Vocabularies::together(names, {}), true);
    all += (all.empty() ? "# " : "\n# ") + words_of(view.vocabularies()) + "\n";
    for (const auto& span : {chat(), tool(), agent(), session()})
      all += std::string(span->name) + "\n" + text_of(*span, view);
  }
  EXPECT_EQ(all, file("span_view_golden.txt"));
}

TEST(SpanViewTest, InMelleaAnAttributeIsTheRecordsOwn) {
  const auto span = chat();
  std::size_t at = 0;
  SpanView().each_attribute(*span, [&](std::string_view name, const Value& value) {
    while (name_of(span->attributes()[at].key).empty()) ++at;
    EXPECT_EQ(name.data(), name_of(span->attributes()[at].key).data());
    EXPECT_EQ(&value, &span->attributes()[at].value);
    ++at;
  });
  EXPECT_EQ(at, span->attributes().size());
}

TEST(SpanViewTest, EventsGoByTheSameNames) {
  SpanRecord span;
  const Attribute attributes[] = {{Fact::exception_type, "timeout"},
                                  {Fact::evaluation_explanation, "SECRET"},
                                  {"own", std::int64_t{1}}};
  span.add_event("exception", span.started, attributes);
  EXPECT_EQ(text_of(span.events()[0], SpanView(Vocabularies(otel_1_41), true)),
            "  exception.type = timeout\n  gen_ai.evaluation.explanation = SECRET\n  own = 1\n");
  EXPECT_EQ(text_of(span.events()[0], SpanView(Vocabularies(otel_1_41), false)),
            "  exception.type = timeout\n  own = 1\n");
}

TEST(SpanViewTest, WhatWasSaidIsLeftOutWhereItMayNotBeShown) {
  for (const Vocabularies& vocabularies : all_vocabularies())
    for (const Kind kind : kKinds) {
      SpanRecord span;
      span.traces = kind;
      for (const FactRow& row : fact_table()) {
        if (row.gate == Gate::content && row.type == FactType::text)
          span.set(row.fact, R"([{"SECRET":"SECRET"}])");
        if (row.gate == Gate::content && row.type == FactType::texts)
          span.set(row.fact, std::vector<std::string>{"SECRET"});
      }
      EXPECT_EQ(text_of(span, SpanView(vocabularies, false)).find("SECRET"), std::string::npos)
          << words_of(vocabularies);
      EXPECT_NE(text_of(span, SpanView(vocabularies, true)).find("SECRET"), std::string::npos)
          << words_of(vocabularies);
    }
}

// It would stand there twice.
TEST(SpanViewTest, ALabelThatIsCalledLikeOneOfOursIsLeftOut) {
  SpanRecord span;
  span.traces = Kind::generation;
  for (const std::string_view label :
       {"session.id", "llm.model_name", "llm.tools.0.tool.json_schema", "user.id"})
    span.set_label(label, "own");
  const std::string shown = text_of(span, SpanView(Vocabularies(openinference), true));
  EXPECT_EQ(shown.find("  session.id"), std::string::npos);
  EXPECT_EQ(shown.find("  llm.model_name"), std::string::npos);
  EXPECT_EQ(shown.find("  llm.tools.0"), std::string::npos);
  EXPECT_NE(shown.find("  user.id = own\n"), std::string::npos);
  EXPECT_NE(text_of(span, SpanView()).find("  session.id = own\n"), std::string::npos);
}

TEST(SpanViewTest, WhatAProgramTellsLangfuseItselfCounts) {
  auto span = session();
  span->set_label("langfuse.trace.name", "checkout");
  const std::string shown = text_of(*span, SpanView(Vocabularies(langfuse), true));
  EXPECT_NE(shown.find("  langfuse.trace.name = checkout\n"), std::string::npos);
  EXPECT_EQ(shown.find("langfuse.trace.name"), shown.rfind("langfuse.trace.name"));
}

TEST(SpanViewTest, LangfuseIsToldOfPromptsThatItCanKnow) {
  auto span = span_of(Kind::generation, "chat m");
  span->set(Fact::prompt_name, "greeting");
  const SpanView view(Vocabularies(langfuse), true);
  EXPECT_EQ(text_of(*span, view).find("langfuse.observation.prompt"), std::string::npos);
  span->set(Fact::prompt_version, "3b");
  EXPECT_EQ(text_of(*span, view).find("langfuse.observation.prompt"), std::string::npos);
}

TEST(SpanViewTest, VariablesThatAreNoObjectHaveNoNames) {
  for (const auto* text : {"no JSON", "[1]", "{}"}) {
    SpanRecord span;
    span.set(Fact::prompt_variables, text);
    EXPECT_EQ(text_of(span, SpanView(Vocabularies(otel_2026_10), true)), "") << text;
  }
}

class ChoosingExporterTest : public testing::Test {
 protected:
  static SpanPtr span_with(std::string_view tenant) {
    auto span = std::make_shared<SpanRecord>();
    if (!tenant.empty()) span->set_label("tenant.id", tenant);
    return span;
  }

  std::shared_ptr<MemoryExporter> memory_ = std::make_shared<MemoryExporter>();
};

TEST_F(ChoosingExporterTest, SomeSpansGoThereByTheirLabels) {
  ChoosingExporter blue(memory_,
                        [](const SpanRecord& span) { return span.label("tenant.id") == "blue"; });
  const SpanPtr spans[] = {span_with("blue"), span_with("red"), span_with("")};
  blue.export_spans(spans);
  EXPECT_EQ(memory_->spans(), std::vector<SpanPtr>{spans[0]});
  EXPECT_EQ(blue.lost(), 0);
}

TEST_F(ChoosingExporterTest, WhatIsThrownLosesTheSpanAlone) {
  ChoosingExporter exporter(memory_, [](const SpanRecord& span) {
    if (!span.find_label("tenant.id")) throw std::runtime_error("no tenant");
    return true;
  });
  const SpanPtr spans[] = {span_with(""), span_with("red")};
  exporter.export_spans(spans);
  EXPECT_EQ(memory_->spans(), std::vector<SpanPtr>{spans[1]});
  EXPECT_EQ(exporter.lost(), 1);
}

}  // namespace
}  // namespace mellea::telemetry
