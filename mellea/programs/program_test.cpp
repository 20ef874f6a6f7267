#include "mellea/programs/program.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "mellea/core/folder_for_test.h"

namespace mellea {
namespace {

using namespace std::chrono_literals;

ReadProgram read(const std::string& text, Variables variables = {}) {
  return read_program({.text = text, .variables = std::move(variables)});
}

std::string faults_of(const std::string& text, Variables variables = {}) {
  std::string all;
  for (const Fault& fault : read(text, std::move(variables)).faults)
    all += to_string(fault, "poem.yaml") + '\n';
  return all;
}

// `text`, with its first line as line number `line`.
std::string at_line(int line, const std::string& text) {
  return std::string(static_cast<std::size_t>(line - 1), '\n') + text;
}

const std::string kTool =
    "tools:\n"
    "- {name: get_weather, returns: 22 C, parameters: {type: object}}\n";

// --- The messages of the design, to the letter ---------------------------------------------------

TEST(Program, TellsWhatIsWrongWithIt) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {at_line(7, "steps:\n  - instruct: a\n    requirement: [b]\n"),
       R"(poem.yaml:9:5: unknown key "requirement" in an instruct step: did you mean "requirements"?)"},
      {at_line(2, "backend:\n  provider: openai\n  api_key: sk-1\nsteps: [{chat: a}]\n"),
       "poem.yaml:4:3: api_key: a key does not belong in a file; write api_key_env: NAME and set "
       "NAME"},
      {at_line(9, "steps:\n- chat: a\n  requirements:\n    - {regex: \"\\d+\"}\n"),
       R"(poem.yaml:12:16: "\d" in double quotes is no YAML escape: write regexes in single )"
       R"(quotes: '\d+')"},
      {at_line(10, "steps:\n- chat: a\n  requirements: [{regex:   'a(?=b)'}]\n"),
       R"(poem.yaml:12:28: regex: look-ahead "(?=" is not supported (RE2): use not_regex or a )"
       "second requirement"},
      {at_line(10,
               "steps:\n  - chat: a\n    requirements:\n    - {text: a, regex: b, judge: true}\n"),
       "poem.yaml:13:7: a requirement has exactly one check; this one has regex and judge"},
      {at_line(14, "steps: [{instruct: a,\n  strategy: {budget:          0, kind: repair}}]\n"),
       "poem.yaml:15:31: strategy.budget: 0; at least 1"},
      {at_line(4,
               "variables: {topic: the sea}\nsteps:\n- {id: poem, chat: a}\n- instruct: A song "
               "about  {{topc}} and {{topic}}\n"),
       "poem.yaml:7:27: {{topc}}: no such variable; known: topic, poem.text. Did you mean "
       "\"topic\"?"},
      {at_line(16, kTool + "steps:\n  - chat: a\n    tools: [get_wether]\n"),
       R"(poem.yaml:20:13: tool "get_wether" is not under tools: did you mean "get_weather"?)"},
      {at_line(6, "options: {}\nsteps:\n- chat: a\n\n\noptions: {}\n"),
       R"(poem.yaml:11:1: key "options" is here twice (first at line 6))"},
      {at_line(5, "steps: [{chat: a}]\noptions: {temperature: 1,                 stream: true}\n"),
       "poem.yaml:6:43: options.stream: streaming belongs to a step: write stream: true there"},
      {at_line(14, "steps: [{chat: a}]\ntools:\n  - name: get_weather\n    command: [/bin/true]\n"),
       "poem.yaml:17:5: tool get_weather runs /bin/true: pass --allow-commands"},
      {at_line(21, "steps: [\n"), "poem.yaml:22:1: a list opened at 21:8 is not closed"},
  };
  for (const auto& [text, message] : cases) EXPECT_EQ(faults_of(text), message + '\n') << text;
}

// --- What else -----------------------------------------------------------------------------------

TEST(Program, TellsAllThatIsWrongAtOnceInTheOrderOfTheFile) {
  EXPECT_EQ(faults_of("steps:\n"
                      "- chat: '{{a}} {{b}}'\n"
                      "  strategy: repare\n"
                      "- instrct: x\n"
                      "- {chat: a, instruct: b}\n"
                      "contxt: chat\n"
                      "version: 2\n"),
            "poem.yaml:2:10: {{a}}: no such variable: name it under variables, or pass --var "
            "a=...\n"
            "poem.yaml:2:16: {{b}}: no such variable: name it under variables, or pass --var "
            "b=...\n"
            "poem.yaml:3:13: strategy: there is no \"repare\": did you mean \"repair\"?\n"
            "poem.yaml:4:3: there is no step \"instrct\": did you mean \"instruct\"?\n"
            "poem.yaml:5:3: a step is of one kind; this one has chat and instruct\n"
            "poem.yaml:6:1: unknown key \"contxt\" in a program: did you mean \"context\"?\n"
            "poem.yaml:7:10: version: 2; this mellea reads version 1: a later one may do\n");
}

TEST(Program, NeedsSteps) {
  EXPECT_EQ(faults_of(""), "poem.yaml:1:1: the program is empty: it needs steps\n");
  EXPECT_EQ(faults_of("version: 1\n"), "poem.yaml:1:1: the program has no steps\n");
  EXPECT_EQ(faults_of("steps: []\n"), "poem.yaml:1:8: steps: the list is empty\n");
  EXPECT_EQ(faults_of("- a\n"), "poem.yaml:1:1: the program: must be a map, and is a list\n");
}

TEST(Program, EachValueIsOfItsType) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"steps: {chat: a}", "1:8: steps: must be a list, and is a map"},
      {"steps: [{chat: 3}]", "1:16: chat: must be a text, and is the number 3: put it in quotes"},
      {"steps: [{chat: }]", "1:10: chat: must be a text, and is empty"},
      {"steps: [{chat: a, stream: yes}]", "1:27: stream: must be true or false, and is \"yes\""},
      {"steps: [{chat: a, stream: 'true'}]",
       "1:27: stream: must be true or false, and is \"true\""},
      {"steps: [{chat: a, options: {temperature: warm}}]",
       "1:42: options.temperature: must be a number, and is \"warm\""},
      {"steps: [{chat: a, options: {max_tokens: 1.5}}]",
       "1:41: options.max_tokens: must be a whole number, and is the number 1.5"},
      {"steps: [{chat: a, options: {seed: '7'}}]",
       "1:35: options.seed: must be a whole number, and is \"7\""},
      {"steps: [{chat: a, options: {think: hard}}]",
       "1:36: option think: \"hard\" is not none, minimal, low, medium, high, on or off"},
      {"steps: [{chat: a, options: {timeout: 60}}]",
       "1:38: options.timeout: 60: of what? Write 60s or 60ms"},
      {"steps: [{chat: a, options: {temprature: 1}}]",
       "1:29: unknown key \"temprature\" in options: did you mean \"temperature\"?"},
      {"steps: [{chat: a, options: {mirostat: 1}}]",
       "1:29: unknown key \"mirostat\" in options: what a provider takes besides goes under extra"},
      {"steps: [{chat: a, stream: {chunking: sentense}}]",
       "1:38: stream.chunking: unknown chunking \"sentense\": did you mean \"sentence\"?"},
      {"steps: [{react: a, max_steps: 0}]", "1:31: max_steps: 0; at least 1"},
      {"{steps: [{chat: a}], context: {window: 3}}", "1:31: context: it has no kind"},
      {"{steps: [{chat: a}], context: {kind: chat, window: 0}}",
       "1:52: context.window: 0; at least 1"},
      {"{steps: [{chat: a}], context: {kind: simple, tokens: 9}}",
       "1:31: context: a simple one has nothing to forget: write kind: chat"},
      {"{steps: [{chat: a}], context: {kind: chat, summarise: true}}",
       "1:44: context.summarise: of what? Write a window or tokens too"},
      {"{steps: [{chat: a}], context: chatty}",
       "1:31: context: there is no \"chatty\": did you mean \"chat\"?"},
      {"{steps: [{chat: a}], backend: {provider: opnai}}",
       "1:42: provider: there is no \"opnai\": did you mean \"openai\"?"},
      {"{steps: [{chat: a}], backend: {provider: openai, headers: {Authorization: x}}}",
       "1:60: headers.Authorization: a key does not belong in a file; write api_key_env: NAME and "
       "set NAME"},
      {"{steps: [{chat: a}], variables: {a.b: c}}",
       "1:34: variables.a.b: a name has letters, digits, _ and -"},
  };
  for (const auto& [text, message] : cases)
    EXPECT_EQ(faults_of(text), "poem.yaml:" + message + '\n') << text;
}

TEST(Program, ARequirementIsANameOrATextOrOneCheck) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"[haikoo]", "requirement \"haikoo\" is not under requirements: did you mean \"haiku\"?"},
      {"[{text: calm}]",
       "a requirement has exactly one check; this one has none: write judge: true to have a model "
       "judge it"},
      {"[{max_words: -1}]", "max_words: -1; at least 0"},
      {"[{contains: ''}]", "contains: an empty text is in every answer"},
      {"[{text: a, judge: b}]", "judge: must be true or false, and is \"b\""},
      {"[{text: a, judge: false}]", "judge: false is no check: leave it out"},
      {"[{schema: wether}]", "format \"wether\" is not under formats: did you mean \"weather\"?"},
      {"[{schema: {type: objekt}}]",
       "schema: schema: type: \"objekt\" is no type: did you mean \"object\"?"},
      {"[]", "requirements: the list is empty"},
      {"haiku", "requirements: must be a list, and is \"haiku\""},
  };
  for (const auto& [requirements, message] : cases) {
    const std::string faults = faults_of(
        "requirements: {haiku: {regex: a}}\nformats: {weather: {type: object}}\n"
        "steps: [{chat: a, requirements: " +
        requirements + "}]");
    EXPECT_NE(faults.find(": " + message + '\n'), std::string::npos) << faults;
  }
}

TEST(Program, AToolHasANameAndOneWayToAnswer) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"[{returns: a}]", "a tool has a name"},
      {"[{name: a}]", "a tool has exactly one of returns and command; this one has none"},
      {"[{name: a, returns: b, command: [c]}]",
       "a tool has exactly one of returns and command; this one has both"},
      {"[{name: a b, returns: c}]",
       "name: \"a b\": the name of a tool has letters, digits, _ and -, and at most 64 of them"},
      {"[{name: a, returns: b}, {name: a, returns: c}]", "tool \"a\" is here twice"},
      {"[{name: a, returns: b, timeout: 1s}]", "timeout: only a command has one"},
      {"[{name: a, command: ./a b}]",
       "command: must be a list of the program and its arguments: there is no shell"},
      {"[{name: a, command: [./nowhere]}]", "command: ./nowhere: there is no such program"},
      {"[{name: a, returns: b, parameters: {type: string}}]", "parameters"},
  };
  for (const auto& [tools, message] : cases) {
    const std::string faults = faults_of("tools: " + tools + "\nsteps: [{chat: a}]");
    EXPECT_NE(faults.find(message), std::string::npos) << faults;
  }
}

TEST(Program, AStepRefersToStepsBefore) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"- chat: '{{b.text}}'\n- {chat: a, id: b}",
       "1:10: {{b.text}}: step b has not run before this one"},
      {"- {raw: [a], id: b}\n- chat: '{{b.text}}'",
       "2:10: {{b.text}}: step b is raw, which has no text"},
      {"- {chat: a, id: b}\n- {chat: a, id: b}", "2:17: id \"b\" is here twice (first at line 2)"},
      {"- {chat: a, id: b.c}", "1:17: id: \"b.c\": an id has letters, digits, _ and -"},
      {"- call_tools", "1:3: call_tools: the step before is none that may ask for tools"},
      {"- chat: a\n- call_tools",
       "2:3: call_tools: the step before is none that may ask for tools"},
      {"- validate: [a b]", "1:3: validate: no step has answered before this one"},
      {"- {chat: a, id: poem}\n- validate: {of: pom, requirements: [a b]}",
       "2:18: of: no step \"pom\" has answered before this one: did you mean \"poem\"?"},
      {"- {chat: a, id: poem}\n- validate: {of: poem}", "2:13: validate: it has no requirements"},
      {"- calltools",
       "1:3: a step is a map: instruct, chat, call_tools, validate, raw, embed and "
       "react say what it does, and \"calltools\" is none of them: did you mean "
       "\"call_tools\"?"},
      {"- {id: a}",
       "1:3: a step is one of instruct, chat, call_tools, validate, raw, embed and "
       "react; this one is none"},
      {"- {chat: a, stream: true, strategy: repair}",
       "1:13: stream: a format and a strategy need the whole answer: leave out stream, or those"},
      {"- {react: a, requirements: [b]}",
       "1:14: unknown key \"requirements\" in a react step: known are react, id, tools, max_steps, "
       "format, parallel and options"},
  };
  for (const auto& [steps, message] : cases) {  // the lines of which begin behind "steps:"
    const int line = std::stoi(message) + 1;
    EXPECT_EQ(faults_of("steps:\n" + steps + '\n'),
              "poem.yaml:" + std::to_string(line) + message.substr(message.find(':')) + '\n');
  }
}

TEST(Program, BracesThatNameNothingAreTold) {
  EXPECT_EQ(faults_of("steps: [{chat: 'a {{b'}]"),
            "poem.yaml:1:19: \"{{\" is not closed by \"}}\"; {{\"{{\"}} stands for two braces\n");
  EXPECT_EQ(faults_of("steps:\n- chat: |\n    one\n    and {{a b}}\n"),
            "poem.yaml:4:9: {{a b}} holds no name of a variable; {{\"{{\"}} stands for two "
            "braces\n");
  EXPECT_EQ(faults_of("steps: [{chat: '{{\"{{\"}}'}]"), "");
}

TEST(Program, AVariableThatWasGivenWinsAndOneThatIsNotThereIsAskedFor) {
  const ReadProgram given = read(
      "variables: {topic: sea, n: 3, flag: true}\nsteps: [{chat: "
      "'{{topic}} {{n}} {{flag}} {{other}}'}]",
      {{"topic", "hills"}, {"other", "x"}});
  ASSERT_TRUE(given.program);
  EXPECT_EQ(given.program->variables,
            (Variables{{"flag", "true"}, {"n", "3"}, {"other", "x"}, {"topic", "hills"}}));
  EXPECT_EQ(faults_of("variables: {topic: sea}\nsteps: [{chat: '{{topic}}'}]", {{"topc", "x"}}),
            "poem.yaml: --var topc: the program has no {{topc}}: did you mean \"topic\"?\n");
}

TEST(Program, AScriptIsOfTheProviderScripted) {
  const std::string steps = "steps: [{chat: a}]\n";
  EXPECT_EQ(faults_of(steps + "backend: {provider: openai, script: [{say: a}]}"),
            "poem.yaml:2:29: script: only the provider scripted has one\n");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{}", "an answer of a script has exactly one of say, call, texts, vectors and error"},
      {"{say: a, cut: 2}", "cut: 2 of 1 pieces"},
      {"{say: a, retry_after: 1}", "retry_after: belongs to error"},
      {"{error: 200}", "error: 200; at least 400"},
      {"{error: 600}", "error: 600; a status of HTTP, from 400 to 599"},
      {"{error: 429, usage: {}}", "usage: an error has none"},
      {"{say: a, delay: 5}", "delay: 5: of what? Write 5s or 5ms"},
      {"{call: a, arguments: []}", "arguments: must be a map, and is a list"},
  };
  for (const auto& [line, message] : cases) {
    const std::string faults =
        faults_of(steps + "backend: {provider: scripted, script: [" + line + "]}");
    EXPECT_NE(faults.find(": " + message + '\n'), std::string::npos) << faults;
  }
}

class ProgramFiles : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
  }
  ReadProgram read(const std::string& text) const {
    return read_program({.text = text, .folder = folder_});
  }

  const FolderForTest own_folder_;
  const std::filesystem::path& folder_ = own_folder_.path();
};

TEST_F(ProgramFiles, PathsAreRelativeToTheFile) {
  write("recipe.json", R"({"type":"object"})");
  write("cat.gif", "GIF89a");
  const ReadProgram found = read(
      "formats: {recipe: {file: recipe.json}}\n"
      "steps: [{instruct: a, format: recipe, images: [cat.gif, 'https://example.org/a.png']}]");
  ASSERT_TRUE(found.program);
  const auto& step = std::get<InstructStep>(found.program->steps.front().what);
  EXPECT_EQ(step.how.format->schema.text(), R"({"type":"object"})");
  ASSERT_EQ(step.how.images.size(), 2U);
  EXPECT_EQ(step.how.images[0].url, "data:image/gif;base64,R0lGODlh");
}

TEST_F(ProgramFiles, AFileThatIsNotThereOrNotWhatItShouldBeIsTold) {
  write("broken.json", "{");
  write("text.png", "no image");
  const ReadProgram bad = read(
      "formats: {a: {file: nowhere.json}, b: {file: broken.json}, c: {file: .}}\n"
      "steps: [{instruct: a, images: [text.png]}]");
  ASSERT_EQ(bad.faults.size(), 4U);
  EXPECT_EQ(bad.faults[0].what, "formats.a: nowhere.json: No such file or directory");
  EXPECT_EQ(bad.faults[1].what.find("formats.b: broken.json: "), 0U) << bad.faults[1].what;
  EXPECT_EQ(bad.faults[2].what.find("formats.c: .: "), 0U) << bad.faults[2].what;
  EXPECT_EQ(bad.faults[3].what, "images: text.png: is no PNG, JPEG, WebP or GIF");
}

TEST_F(ProgramFiles, ACommandMustBeThereAndExecutable) {
  write("weather", "#!/bin/sh\n");
  const std::string text = "tools: [{name: a, command: [./weather]}]\nsteps: [{chat: a}]";
  EXPECT_EQ(read(text).faults.front().what, "command: ./weather: is not executable: chmod +x");
  std::filesystem::permissions(folder_ / "weather", std::filesystem::perms::owner_all);
  EXPECT_EQ(read(text).faults.front().what, "tool a runs ./weather: pass --allow-commands");
  const ReadProgram allowed =
      read_program({.text = text, .folder = folder_, .allow_commands = true});
  ASSERT_TRUE(allowed.program);
  EXPECT_EQ(allowed.program->commands.front().words, std::vector<std::string>{"./weather"});
}

TEST(Program, SaysWhatItsModelIs) {
  const ReadProgram found = read(
      "backend: {provider: openai, model: m, base_url: 'http://x/v1', api_key_env: KEY,\n"
      "  headers: {X-Team: search}}\n"
      "context: {kind: chat, window: 20, tokens: 8000, summarise: true}\nsystem: Be brief.\n"
      "options: {temperature: 0.2, stop: [END, STOP], timeout: 60s, extra: {a: [1]}}\n"
      "steps: [{chat: a, system: '', options: {seed: 7}}]\n");
  ASSERT_TRUE(found.program);
  const Program& program = *found.program;
  EXPECT_EQ(program.backend.provider, "openai");
  EXPECT_EQ(program.backend.headers, (Headers{{"X-Team", "search"}}));
  EXPECT_EQ(program.context.kind(), Context::Kind::chat);
  EXPECT_EQ(program.compaction.window, 20U);
  EXPECT_EQ(program.compaction.tokens, 8000);
  EXPECT_TRUE(program.compaction.summarise);
  EXPECT_EQ(program.system, "Be brief.");
  EXPECT_EQ(*program.call.options.temperature, 0.2);
  EXPECT_EQ(program.call.options.stop->size(), 2U);
  EXPECT_EQ(program.call.options.extra.text(), R"({"a":[1]})");
  EXPECT_EQ(program.call.timeout, 60s);
  const auto& step = std::get<ChatStep>(program.steps.front().what);
  EXPECT_EQ(step.how.system, "");
  EXPECT_EQ(*step.how.call.options.seed, 7);
}

TEST(Program, ABareStrategyHasABudgetOfTwo) {
  for (const auto& [written, name, budget, candidates] :
       std::vector<std::tuple<std::string, std::string, int, int>>{
           {"rejection", "RejectionSamplingStrategy", 2, 1},
           {"{kind: repair, budget: 3}", "RepairTemplateStrategy", 3, 1},
           {"multi_turn", "MultiTurnStrategy", 2, 1},
           {"{kind: best_of_n, budget: 4}", "BestOfNStrategy", 1, 4},
           {"majority", "MajorityVotingStrategy", 1, 2}}) {
    const ReadProgram found = read("steps: [{instruct: a, strategy: " + written + "}]");
    ASSERT_TRUE(found.program) << written;
    const auto& strategy = std::get<InstructStep>(found.program->steps.front().what).how.strategy;
    EXPECT_EQ(strategy->name(), name);
    EXPECT_EQ(strategy->parts().budget, budget);
    EXPECT_EQ(strategy->parts().candidates, candidates);
  }
  const ReadProgram none = read("steps: [{instruct: a, strategy: none}]");
  EXPECT_TRUE(std::get<InstructStep>(none.program->steps.front().what).how.strategy.is_off());
}

TEST(Program, KeepsNoMoreFaultsThanPeopleRead) {
  std::string text = "steps:\n";
  for (int i = 0; i < 500; ++i) text += "- chat: '{{a}}'\n";
  EXPECT_EQ(read(text).faults.size(), 100U);
  EXPECT_EQ(faults_of(std::string(2U << 20U, ' ')),
            "poem.yaml: the program is larger than 1 MiB\n");
}

// --- Bounds --------------------------------------------------------------------------------------

TEST(Program, ANumberBeyondItsBoundIsAFaultAndNotAnother) {
  EXPECT_EQ(faults_of("steps: [{react: a, max_steps: 1001}]"),
            "poem.yaml:1:31: max_steps: 1001; at most 1000\n");
  EXPECT_EQ(faults_of("steps: [{chat: a, stream: {checks: [b], retries: 1001}}]"),
            "poem.yaml:1:50: stream.retries: 1001; at most 1000\n");
}

TEST(Program, WhatACallWouldRefuseIsAFault) {
  EXPECT_EQ(faults_of("steps: [{chat: a, stream: {retries: 2}}]"),
            "poem.yaml:1:28: stream.retries: of what? Write checks too\n");
  EXPECT_EQ(faults_of("steps: [{raw: a, options: {choices: 2}}]"),
            "poem.yaml:1:9: options.choices: 2; this step gives one answer a text\n");
  EXPECT_EQ(faults_of("options: {choices: 2}\nsteps: [{chat: a}, {embed: a}]"),
            "poem.yaml:2:20: options.choices: 2; this step gives one answer a text\n");
  EXPECT_EQ(faults_of("options: {choices: 2}\nsteps: [{raw: a, options: {choices: 1}}]"), "");
}

TEST(Program, AHundredFaultsAreTold) {
  std::string text = "steps: [";
  for (int i = 0; i < 300; ++i) text += "&a {chta: a},\n";
  EXPECT_EQ(read(text + "]").faults.size(), kMostFaults);
}

TEST(Program, AllItsFilesHaveABound) {
  const FolderForTest own_folder;
  const std::filesystem::path& folder = own_folder.path();
  std::ofstream(folder / "cat.gif") << "GIF89a";
  std::filesystem::resize_file(folder / "cat.gif", 20U << 20U);
  const ReadProgram read = read_program(
      {.text = "steps: [{chat: a, images: [cat.gif, cat.gif, cat.gif, cat.gif, cat.gif, cat.gif]}]",
       .folder = folder});
  ASSERT_EQ(read.faults.size(), 1U);
  EXPECT_EQ(to_string(read.faults[0], "poem.yaml"),
            "poem.yaml:1:73: images: cat.gif: with the files before it more than 100 MiB");
}

}  // namespace
}  // namespace mellea
