#include "mellea/telemetry/openinference.h"

#include <gtest/gtest.h>

#include <map>

#include "mellea/telemetry/vocabularies_for_test.h"

namespace mellea::telemetry {
namespace {

using enum Vocabulary;

class OpenInferenceTest : public testing::Test {
 protected:
  explicit OpenInferenceTest(Kind kind = Kind::generation) { span_.traces = kind; }

  std::map<std::string, std::string> all(bool content = true) const {
    std::map<std::string, std::string> all;
    SpanView(Vocabularies(openinference), content)
        .each_attribute(span_, [&](std::string_view name, const Value& value) {
          all.emplace(name, text_of(value));
        });
    return all;
  }
  std::string at(const std::string& name) const {
    const auto shown = all();
    const auto found = shown.find(name);
    return found == shown.end() ? "-" : found->second;
  }

  SpanRecord span_;
};

TEST_F(OpenInferenceTest, EachSpanHasAKind) {
  const std::pair<Kind, std::string> kinds[] = {
      {Kind::session, "CHAIN"},  {Kind::agent, "AGENT"},          {Kind::action, "CHAIN"},
      {Kind::sampling, "CHAIN"}, {Kind::generation, "LLM"},       {Kind::batch, "LLM"},
      {Kind::tool, "TOOL"},      {Kind::validation, "EVALUATOR"}, {Kind::stream, "CHAIN"},
  };
  for (const auto& [kind, word] : kinds) {
    span_.traces = kind;
    EXPECT_EQ(at("openinference.span.kind"), word);
  }
  span_.traces = Kind::batch;
  span_.set(Fact::operation, "embeddings");
  EXPECT_EQ(at("openinference.span.kind"), "EMBEDDING");
}

TEST_F(OpenInferenceTest, TheModelIsTheOneThatAnswered) {
  span_.set(Fact::provider, "openai");
  span_.set(Fact::request_model, "gpt-4o");
  EXPECT_EQ(at("llm.model_name"), "gpt-4o");
  EXPECT_EQ(at("llm.request.model_name"), "-");
  span_.set(Fact::response_model, "gpt-4o-2024-11-20");
  EXPECT_EQ(at("llm.model_name"), "gpt-4o-2024-11-20");
  EXPECT_EQ(at("llm.request.model_name"), "gpt-4o");
  EXPECT_EQ(at("llm.response.model_name"), "gpt-4o-2024-11-20");
  EXPECT_EQ(at("llm.provider"), "openai");
  EXPECT_EQ(at("llm.system"), "openai");
}

TEST_F(OpenInferenceTest, AnEmbeddingHasAModelOfItsOwnKind) {
  span_.traces = Kind::batch;
  span_.set(Fact::operation, "embeddings");
  span_.set(Fact::provider, "openai");
  span_.set(Fact::request_model, "e-small");
  EXPECT_EQ(at("embedding.model_name"), "e-small");
  EXPECT_EQ(at("embedding.invocation_parameters"), R"({"model":"e-small"})");
  EXPECT_EQ(at("llm.model_name"), "-");
  EXPECT_EQ(at("llm.system"), "-");
}

TEST_F(OpenInferenceTest, ParametersAreOneText) {
  span_.set(Fact::temperature, 0.5);
  span_.set(Fact::max_tokens, std::int64_t{64});
  span_.set(Fact::stop_sequences, std::vector<std::string>{"END", "\""});
  span_.set(Fact::request_stream, true);
  EXPECT_EQ(at("llm.invocation_parameters"),
            R"({"max_tokens":64,"stop":["END","\""],"stream":true,"temperature":0.5})");
}

TEST_F(OpenInferenceTest, LabelsAreMetadataToo) {
  span_.set_label("tenant.id", "blue");
  span_.set_label("bad \xFF", "t\xC3");
  span_.set_label("try", std::int64_t{2});
  EXPECT_EQ(at("metadata"),
            "{\"bad \xEF\xBF\xBD\":\"t\xEF\xBF\xBD\",\"tenant.id\":\"blue\",\"try\":2}");
  EXPECT_EQ(at("tenant.id"), "blue");
}

TEST_F(OpenInferenceTest, MessagesAreFlattened) {
  span_.set(Fact::system_instructions, R"([{"type":"text","content":"Be brief."}])");
  span_.set(Fact::input_messages, R"([
      {"role":"user","parts":[{"type":"text","content":"What is this?"},
        {"type":"blob","modality":"image","mime_type":"image/png","content":"AAAA"},
        {"type":"uri","modality":"image","uri":"https://a.test/b.png"},
        {"type":"blob","modality":"audio","mime_type":"audio/wav","content":"BBBB"}]},
      {"role":"assistant","parts":[
        {"type":"tool_call","id":"1","name":"look","arguments":{"at":"it"}},
        {"type":"tool_call","id":"2","name":"hear","arguments":"raw"}]},
      {"role":"tool","parts":[{"type":"tool_call_response","id":"1","response":"a cat"}]},
      {"role":"tool","parts":[{"type":"tool_call_response","id":"2","response":{"sound":"miaow"}}]}
    ])");
  span_.set(Fact::output_messages,
            R"([{"role":"assistant","finish_reason":"stop","parts":[
                {"type":"reasoning","content":"Hm."},{"type":"text","content":"A cat."}]}])");
  const std::map<std::string, std::string> expected = {
      {"llm.input_messages.0.message.content", "Be brief."},
      {"llm.input_messages.0.message.role", "system"},
      {"llm.input_messages.1.message.contents.0.message_content.text", "What is this?"},
      {"llm.input_messages.1.message.contents.0.message_content.type", "text"},
      {"llm.input_messages.1.message.contents.1.message_content.image.image.url",
       "data:image/png;base64,AAAA"},
      {"llm.input_messages.1.message.contents.1.message_content.type", "image"},
      {"llm.input_messages.1.message.contents.2.message_content.image.image.url",
       "https://a.test/b.png"},
      {"llm.input_messages.1.message.contents.2.message_content.type", "image"},
      {"llm.input_messages.1.message.role", "user"},
      {"llm.input_messages.2.message.role", "assistant"},
      {"llm.input_messages.2.message.tool_calls.0.tool_call.function.arguments", R"({"at":"it"})"},
      {"llm.input_messages.2.message.tool_calls.0.tool_call.function.name", "look"},
      {"llm.input_messages.2.message.tool_calls.0.tool_call.id", "1"},
      {"llm.input_messages.2.message.tool_calls.1.tool_call.function.arguments", "raw"},
      {"llm.input_messages.2.message.tool_calls.1.tool_call.function.name", "hear"},
      {"llm.input_messages.2.message.tool_calls.1.tool_call.id", "2"},
      {"llm.input_messages.3.message.content", "a cat"},
      {"llm.input_messages.3.message.role", "tool"},
      {"llm.input_messages.3.message.tool_call_id", "1"},
      {"llm.input_messages.4.message.content", R"({"sound":"miaow"})"},
      {"llm.input_messages.4.message.role", "tool"},
      {"llm.input_messages.4.message.tool_call_id", "2"},
      {"llm.output_messages.0.message.contents.0.message_content.text", "Hm."},
      {"llm.output_messages.0.message.contents.0.message_content.type", "reasoning"},
      {"llm.output_messages.0.message.contents.1.message_content.text", "A cat."},
      {"llm.output_messages.0.message.contents.1.message_content.type", "text"},
      {"llm.output_messages.0.message.role", "assistant"},
  };
  auto shown = all();
  EXPECT_EQ(shown["input.mime_type"], "application/json");
  EXPECT_EQ(shown["input.value"], span_.text(Fact::input_messages));
  EXPECT_EQ(shown["output.value"], span_.text(Fact::output_messages));
  std::erase_if(shown,
                [](const auto& one) { return one.first.find("_messages.") == std::string::npos; });
  EXPECT_EQ(shown, expected);
}

TEST_F(OpenInferenceTest, ToolsAreSchemas) {
  span_.set(
      Fact::tool_definitions,
      R"([{"type":"function","name":"look","parameters":{"type":"object"}},{"name":"hear"}])");
  EXPECT_EQ(at("llm.tools.0.tool.json_schema"),
            R"({"function":{"name":"look","parameters":{"type":"object"}},"type":"function"})");
  EXPECT_EQ(at("llm.tools.1.tool.json_schema"),
            R"({"function":{"name":"hear"},"type":"function"})");
}

TEST_F(OpenInferenceTest, ACallOfAToolHasItsArgumentsAndItsResult) {
  span_.traces = Kind::tool;
  span_.set(Fact::tool_name, "look");
  span_.set(Fact::tool_call_id, "1");
  span_.set(Fact::tool_call_arguments, R"({"at":"it"})");
  span_.set(Fact::tool_call_result, R"("a cat")");
  EXPECT_EQ(at("tool.name"), "look");
  EXPECT_EQ(at("tool.id"), "1");
  EXPECT_EQ(at("tool.parameters"), R"({"at":"it"})");
  EXPECT_EQ(at("input.value"), R"({"at":"it"})");
  EXPECT_EQ(at("output.value"), "a cat");
  EXPECT_EQ(at("output.mime_type"), "text/plain");
}

TEST_F(OpenInferenceTest, WhatIsNotOfItsShapeStandsThereWholeAndNoMore) {
  for (const std::string text : {"no JSON", "{}", "[1,null,{\"role\":1,\"parts\":{}},[]]",
                                 "[{\"parts\":[7,{\"type\":{}},{\"type\":\"text\"}]}]"}) {
    SpanRecord span;
    span.traces = Kind::generation;
    for (const Fact fact : {Fact::input_messages, Fact::tool_definitions}) span.set(fact, text);
    std::map<std::string, std::string> all;
    SpanView(Vocabularies(openinference), true)
        .each_attribute(span, [&](std::string_view name, const Value& value) {
          if (!name.starts_with("llm.tools.")) all.emplace(name, text_of(value));
        });
    EXPECT_EQ(all, (std::map<std::string, std::string>{{"input.mime_type", "application/json"},
                                                       {"input.value", text},
                                                       {"openinference.span.kind", "LLM"}}))
        << text;
  }
}

TEST_F(OpenInferenceTest, NothingOfWhatWasSaidIsShownWhereItMayNotBe) {
  for (const Kind kind : kKinds) {
    const auto span = full_span(kind);
    const std::string without = text_of(*span, SpanView(Vocabularies(openinference), false));
    for (const auto* name :
         {"input.value", "output.value", "llm.input_messages", "llm.tools",
          "llm.prompt_template.template", "llm.prompt_template.variables", "tool.parameters"})
      EXPECT_EQ(without.find(name), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace mellea::telemetry
