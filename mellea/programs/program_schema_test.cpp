// docs/program.schema.json, which editors read, against what reads programs.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "mellea/core/options.h"
#include "mellea/core/schema.h"
#include "mellea/programs/program.h"
#include "mellea/programs/steps.h"
#include "mellea/programs/yaml.h"

namespace mellea {
namespace {

using nlohmann::json;

std::string content_of(const std::filesystem::path& file) {
  std::ifstream stream(file);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

const json& schema_file() {
  static const json schema =
      json::parse(content_of(std::filesystem::path(MELLEA_SOURCES) / "docs/program.schema.json"));
  return schema;
}

// What the schema says of a program; empty: nothing.
std::string problems_of(const std::string& text) {
  static const Schema schema{Json(schema_file())};
  std::vector<Fault> faults;
  const auto tree = parse_yaml(text, faults);
  if (!tree || !faults.empty()) return "no YAML";
  std::string all;
  for (const SchemaProblem& problem : schema.check(to_json(tree->root)))
    all += to_string(problem) + '\n';
  return all;
}

std::string faults_of(const std::string& text, const std::filesystem::path& folder = {}) {
  std::string all;
  for (const Fault& fault :
       read_program({.text = text, .folder = folder, .allow_commands = true}).faults)
    all += to_string(fault, "program") + '\n';
  return all;
}

std::vector<std::string> keys_of(const json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

template <class Names>
std::vector<std::string> sorted(const Names& names) {
  std::vector<std::string> all(names.begin(), names.end());
  std::sort(all.begin(), all.end());
  return all;
}

TEST(ProgramSchema, KnowsTheKeysOfEachStep) {
  for (const std::string_view kind : step_kinds()) {
    const json& step = schema_file()["$defs"].at(std::string(kind) + "_step");
    EXPECT_EQ(keys_of(step["properties"]), sorted(step_keys(kind))) << kind;
  }
}

TEST(ProgramSchema, KnowsAllOptions) {
  std::vector<std::string> names = {"timeout", "extra"};
  for (const OptionName& option : option_names()) names.emplace_back(option.name);
  EXPECT_EQ(keys_of(schema_file()["$defs"]["options"]["properties"]), sorted(names));
}

TEST(ProgramSchema, AllowsTheExamplesAndSoDoesTheReader) {
  int examples = 0;
  const std::filesystem::path folder = std::filesystem::path(MELLEA_SOURCES) / "examples";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".yaml") continue;
    ++examples;
    const std::string text = content_of(entry.path());
    EXPECT_EQ(problems_of(text), "") << entry.path();
    EXPECT_EQ(faults_of(text, folder), "") << entry.path();
  }
  EXPECT_GE(examples, 4);
}

// All keys that there are.
constexpr const char* kWhole = R"(
version: 1
backend:
  provider: scripted
  model: m
  base_url: http://127.0.0.1:8080/v1
  api_key_env: KEY
  headers: {X-Team: search}
  script:
    - {say: "Hello."}
    - {say: [a, b], delay: 20ms, cut: 1, usage: {input: 1, output: 2}}
    - {error: 429, retry_after: 1, delay: 1s}
    - {call: t, arguments: {a: 1}}
    - {texts: [a, b]}
    - {vectors: [[0.5, 1], [1, 0]]}
context: {kind: chat, window: 20, tokens: 8000, summarise: true}
system: "{{topic}}"
options: {temperature: 0.2, top_p: 1, top_k: 4, min_p: 0.1, frequency_penalty: 0, presence_penalty: 0,
          max_tokens: 64, context_window: 4096, seed: 7, stop: [END], choices: 1, logprobs: true,
          top_logprobs: 2, think: low, parallel_tool_calls: false, user: u, service_tier: auto,
          timeout: 60s, extra: {a: [1]}}
variables: {topic: the sea, n: 3, flag: true}
formats: {weather: {type: object, properties: {city: {type: string}}}}
tools:
  - {name: t, description: d, parameters: {type: object}, returns: {a: 1}}
  - {name: c, command: [cat, -n], timeout: 10s}
requirements:
  haiku: {text: three lines, regex: '^a$'}
  judged: is calm
steps:
  - instruct: Write about {{topic}}.
    id: poem
    requirements:
      - haiku
      - mentions water
      - {text: a, not_regex: b, check_only: true}
      - {contains: a}
      - {not_contains: a}
      - {min_words: 1}
      - {max_words: 1}
      - {min_chars: 1}
      - {max_chars: 1}
      - {min_lines: 1}
      - {max_lines: 1}
      - {schema: weather}
      - {schema: {type: object}}
      - {judge: is calm}
      - {text: is calm, judge: true}
    strategy: {kind: repair, budget: 3}
    tools: [t]
    format: weather
    options: {stop: END}
    system: s
    examples: [a, b]
    grounding: {key: text}
    prefix: p
    output_prefix: o
    images: [https://example.org/cat.png]
  - {chat: a, stream: {chunking: sentence, checks: [haiku], retries: 1}, tools: [t]}
  - {call_tools: , id: calls, parallel: true}
  - {chat: a, stream: true, tools: [t], strategy: none}
  - call_tools
  - {validate: [haiku], id: v, options: {seed: 1}}
  - validate: {of: poem, requirements: [haiku]}
  - {raw: [one, two], id: r, options: {}}
  - {embed: one, id: e, options: {}}
  - {react: Find it., id: f, tools: [t], max_steps: 5, format: weather, parallel: true, options: {}}
)";

TEST(ProgramSchema, AllowsAllThatTheReaderTakes) {
  EXPECT_EQ(faults_of(kWhole), "");
  EXPECT_EQ(problems_of(kWhole), "");
}

// What is wrong in its shape, editors underline too; what needs a look at other parts of the file,
// or at other files, is the reader's alone.
TEST(ProgramSchema, RefusesWhatTheReaderRefuses) {
  for (const std::string text : {
           "{}",
           "steps: []",
           "steps: {chat: a}",
           "steps: [caltools]",
           "steps: [{}]",
           "steps: [{chat: a, instruct: b}]",
           "steps: [{chat: 3}]",
           "steps: [{chat: a, requirement: [b]}]",
           "steps: [{chat: a, requirements: []}]",
           "steps: [{chat: a, requirements: [{text: a, regex: b, judge: true}]}]",
           "steps: [{chat: a, requirements: [{text: a}]}]",
           "steps: [{chat: a, requirements: [{max_words: -1}]}]",
           "steps: [{chat: a, requirements: [{contains: ''}]}]",
           "steps: [{chat: a, requirements: [{regex: a, check_only: yes}]}]",
           "steps: [{chat: a, strategy: repare}]",
           "steps: [{chat: a, strategy: {kind: repair, budget: 0}}]",
           "steps: [{chat: a, strategy: {budget: 2}}]",
           "steps: [{chat: a, stream: 1}]",
           "steps: [{chat: a, stream: {chunking: sentense}}]",
           "steps: [{chat: a, options: {temprature: 1}}]",
           "steps: [{chat: a, options: {temperature: warm}}]",
           "steps: [{chat: a, options: {timeout: 60}}]",
           "steps: [{chat: a, options: {timeout: 60 s}}]",
           "steps: [{chat: a, options: {stream: true}}]",
           "steps: [{chat: a, id: a.b}]",
           "steps: [{call_tools: now}]",
           "steps: [{chat: a}, {validate: {of: b}}]",
           "steps: [{raw: []}]",
           "steps: [{react: a, max_steps: 0}]",
           "{steps: [{chat: a}], version: 2}",
           "{steps: [{chat: a}], contxt: chat}",
           "{steps: [{chat: a}], context: {window: 1}}",
           "{steps: [{chat: a}], context: chatty}",
           "{steps: [{chat: a}], backend: {api_key: a}}",
           "{steps: [{chat: a}], backend: {provider: opnai}}",
           "{steps: [{chat: a}], backend: {provider: scripted, script: [{say: a, error: 429}]}}",
           "{steps: [{chat: a}], backend: {provider: scripted, script: [{error: 200}]}}",
           "{steps: [{chat: a}], variables: {a: [b]}}",
           "{steps: [{chat: a}], formats: {a: b}}",
           "{steps: [{chat: a}], tools: [{name: a}]}",
           "{steps: [{chat: a}], tools: [{name: a, returns: b, command: [c]}]}",
           "{steps: [{chat: a}], tools: [{name: a b, returns: c}]}",
           "{steps: [{chat: a}], tools: [{name: a, command: b c}]}",
       }) {
    EXPECT_NE(faults_of(text), "") << text;
    EXPECT_NE(problems_of(text), "") << text;
  }
}

}  // namespace
}  // namespace mellea
