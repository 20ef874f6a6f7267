// mellea run as people meet it: its two outputs and its exit codes.
#include "mellea/cli/run.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <tuple>

#include "mellea/cli/running_program.h"
#include "mellea/core/folder_for_test.h"
#include "mellea/net/testing/loopback_server.h"

namespace mellea::cli {
namespace {

using nlohmann::json;
using Words = std::vector<std::string>;

class RunTest : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    std::filesystem::permissions(folder_ / name, std::filesystem::perms::owner_all);
  }

  // Runs the program poem.yaml of that text, from its folder.
  Ended run(const std::string& text, const Words& more = {}) const {
    write("poem.yaml", text);
    Words words{"run", "poem.yaml"};
    words.insert(words.end(), more.begin(), more.end());
    return RunningProgram(words, {.folder = folder_.string()}).wait();
  }

  static std::string script(const std::string& lines) {
    return "backend: {provider: scripted, script: [" + lines + "]}\n";
  }

  static std::vector<json> lines_of(const std::string& text) {
    std::vector<json> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(json::parse(line));
    return lines;
  }

  const FolderForTest own_folder_;
  const std::filesystem::path& folder_ = own_folder_.path();
};

TEST_F(RunTest, PrintsALineAStepInAPipe) {
  const Ended ended = run(script("{say: Waves, usage: {input: 108, output: 41}}, {say: b}") +
                              "steps:\n- {instruct: a, id: poem, requirements: [{max_words: 2}]}\n"
                              "- chat: b\n",
                          {"--trace-file", "trace.jsonl"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.err, "");
  const std::vector<json> lines = lines_of(ended.out);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_TRUE(ended.out.starts_with(
      R"({"step":1,"id":"poem","kind":"instruct","ok":true,"text":"Waves","attempts":1,)"
      R"("usage":{"input":108,"output":41},"ms":)"))
      << ended.out;
  EXPECT_EQ(lines[0]["trace_id"].get<std::string>().size(), 32U);
  EXPECT_EQ(lines[1]["trace_id"], lines[0]["trace_id"]);
  EXPECT_FALSE(lines[1].contains("id"));
  EXPECT_FALSE(lines[1].contains("usage"));
  EXPECT_FALSE(lines[1].contains("attempts"));
}

TEST_F(RunTest, ARequirementThatIsNotMetGoesOnAndEndsWith3) {
  const Ended ended =
      run(script("{say: storm}, {say: b}") +
          "steps:\n- {chat: a, requirements: [{text: calm, not_regex: storm}]}\n- chat: b\n");
  EXPECT_EQ(ended.code, 3);
  const std::vector<json> lines = lines_of(ended.out);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0]["ok"], false);
  EXPECT_EQ(lines[0]["text"], "storm");
  EXPECT_EQ(lines[0]["failures"][0]["requirement"], "calm");
  EXPECT_EQ(lines[1]["ok"], true);
  EXPECT_TRUE(ended.err.starts_with("poem.yaml:3:3: step 1: not met: calm: must not match"))
      << ended.err;
}

TEST_F(RunTest, AnErrorEndsItWith1UnlessItKeepsGoing) {
  const std::string text =
      script("{error: 429}, {say: b}") + "steps:\n- {chat: a, id: one}\n- chat: b\n";
  const Ended ended = run(text);
  EXPECT_EQ(ended.code, 1);
  ASSERT_EQ(lines_of(ended.out).size(), 1U);
  EXPECT_EQ(lines_of(ended.out)[0]["error"]["code"], "rate_limit");
  EXPECT_EQ(lines_of(ended.out)[0]["error"]["status"], 429);
  EXPECT_EQ(ended.err,
            "poem.yaml:3:3: step 1 (one): scripted: 429 rate_limit: as the script says\n");
  const Ended kept = run(text, {"--keep-going"});
  EXPECT_EQ(kept.code, 1);
  EXPECT_EQ(lines_of(kept.out).size(), 2U);
}

TEST_F(RunTest, AllThatIsWrongIsToldAndNothingIsSent) {
  const Ended ended = run(script("{say: a}") +
                          "steps:\n- chat: '{{topc}}'\n  requirement: [b]\n"
                          "variables: {topic: a}\n");
  EXPECT_EQ(ended.code, 2);
  EXPECT_EQ(ended.out, "");
  EXPECT_EQ(ended.err,
            "poem.yaml:3:10: {{topc}}: no such variable; known: topic. Did you mean \"topic\"?\n"
            "poem.yaml:4:3: unknown key \"requirement\" in a chat step: did you mean "
            "\"requirements\"?\n");
}

TEST_F(RunTest, WordsThatMakeNoSenseAreUsage) {
  const std::string text = script("{say: a}") + "steps: [{chat: '{{x}}'}]\nvariables: {x: y}\n";
  const std::vector<std::pair<Words, std::string>> cases = {
      {{"--var", "x"}, "mellea: --var x: write NAME=VALUE\n"},
      {{"--var", "z=1"}, "poem.yaml: --var z: the program has no {{z}}: did you mean \"x\"?\n"},
      {{"--dry-rum"}, "mellea: unknown flag \"--dry-rum\": did you mean \"--dry-run\"?\n"},
      {{"--option", "seed=x"}, "mellea: option seed: \"x\" is not a whole number\n"},
      {{"--timeout", "5"}, "mellea: --timeout 5: of what? Write 5s or 5ms\n"},
      {{"more.yaml"}, "mellea: unexpected \"more.yaml\": run takes no such argument\n"},
      {{"--backend", "openai"}, "openai: no API key: set OPENAI_API_KEY\n"},
  };
  for (const auto& [words, message] : cases) {
    const Ended ended = run(text, words);
    EXPECT_EQ(ended.code, 2);
    EXPECT_EQ(ended.out, "");
    EXPECT_EQ(ended.err, message);
  }
  EXPECT_EQ(RunningProgram({"run", "/nowhere.yaml"}).wait().err,
            "mellea: run /nowhere.yaml: No such file or directory\n");
  EXPECT_EQ(RunningProgram({"run"}).wait().err,
            "mellea: run: which program? Pass a file, or - for standard input\n");
}

TEST_F(RunTest, AVariableIsGivenOnTheCommandLine) {
  const Ended ended =
      run("backend: {provider: scripted}\nvariables: {topic: sea}\n"
          "steps: [{chat: 'On {{topic}} {{n}}'}]\n",
          {"--var", "topic=the hills = high", "--var", "n=5"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(lines_of(ended.out)[0]["text"], "On the hills = high 5");
}

TEST_F(RunTest, AProgramMayComeFromStandardInput) {
  const std::string text = R"({"backend":{"provider":"scripted"},"steps":[{"chat":"Hi"}]})";
  const Ended ended = RunningProgram({"run", "-"}, {.input = text}).wait();
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(lines_of(ended.out)[0]["text"], "Hi");
  EXPECT_EQ(RunningProgram({"run", "-"}, {.input = "steps: 1\n"}).wait().err,
            "<stdin>:1:8: steps: must be a list, and is the number 1\n");
}

TEST_F(RunTest, ACommandRunsOnlyWhereItIsAllowed) {
  write("weather", "#!/bin/sh\ncat > got\necho 22 C\n");
  const std::string text = script("{call: get_weather, arguments: {city: Boston}}") +
                           "tools:\n- name: get_weather\n  command: [./weather]\n"
                           "  parameters: {type: object}\n"
                           "steps:\n- {chat: a, tools: [get_weather]}\n- call_tools\n";
  const Ended refused = run(text);
  EXPECT_EQ(refused.code, 2);
  EXPECT_EQ(refused.err, "poem.yaml:4:3: tool get_weather runs ./weather: pass --allow-commands\n");

  const Ended planned = run(text, {"--dry-run"});
  EXPECT_EQ(planned.code, 0);
  EXPECT_EQ(planned.out,
            "{\"step\":1,\"kind\":\"chat\",\"line\":7,\"tools\":[\"get_weather\"]}\n"
            "{\"step\":2,\"kind\":\"call_tools\",\"line\":8}\n"
            "{\"tool\":\"get_weather\",\"command\":[\"./weather\"]}\n");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "got")) << "nothing ran";

  const Ended allowed = run(text, {"--allow-commands"});
  EXPECT_EQ(allowed.code, 0) << allowed.err;
  const json results = lines_of(allowed.out).at(1)["tool_results"];
  EXPECT_EQ(results[0]["text"], "22 C");
  EXPECT_EQ(results[0]["ok"], true);
  std::ifstream got(folder_ / "got");
  EXPECT_EQ(json::parse(got), (json{{"city", "Boston"}}));
}

TEST_F(RunTest, ACommandSucceedsUnderAParentThatIgnoresItsChildren) {
  write("weather", "#!/bin/sh\necho 22 C\n");
  write("poem.yaml", script("{call: get_weather}") +
                         "tools: [{name: get_weather, command: [./weather]}]\n"
                         "steps:\n- {chat: a, tools: [get_weather]}\n- call_tools\n");
  ::signal(SIGCHLD, SIG_IGN);  // what is started now inherits it
  RunningProgram program({"run", "poem.yaml", "--allow-commands"}, {.folder = folder_.string()});
  ::signal(SIGCHLD, SIG_DFL);
  const Ended ended = program.wait();
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(lines_of(ended.out).at(1)["tool_results"][0]["text"], "22 C");
}

TEST_F(RunTest, ADryRunChecksAndAsksForNoKey) {
  EXPECT_EQ(run("backend: {provider: openai, model: m}\nsteps: [{chat: a}]\n", {"--dry-run"}).code,
            0);
  EXPECT_EQ(run("steps: [{chat: '{{a}}'}]\n", {"--dry-run"}).code, 2);
}

TEST_F(RunTest, FlagsWinOverTheProgramAndItOverTheEnvironment) {
  const std::string body =
      R"({"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},)"
      R"("finish_reason":"stop"}]})";
  LoopbackServer server([&](const ReceivedRequest&) { return Script::answer(200, body); });
  write("poem.yaml", "backend: {provider: openai, model: theirs, base_url: '" + server.url("/v1") +
                         "',\n  headers: {X-Team: search}}\noptions: {seed: 1, max_tokens: 5}\n"
                         "steps: [{chat: a, options: {seed: 2}}]\n");
  const Ended ended =
      RunningProgram({"run", "poem.yaml", "--option", "max_tokens=6"},
                     {.environment = {{"MELLEA_MODEL", "nobodys"}}, .folder = folder_.string()})
          .wait();
  EXPECT_EQ(ended.code, 0) << ended.err;
  const ReceivedRequest request = server.requests().at(0);
  const json sent = json::parse(request.body);
  EXPECT_EQ(sent["model"], "theirs");
  EXPECT_EQ(sent["seed"], 2);
  EXPECT_EQ(sent["max_tokens"], 6);
  EXPECT_EQ(request.header("x-team"), "search");
  EXPECT_EQ(
      run("backend: {provider: openai, model: m, api_key_env: MISSING}\nsteps: [{chat: a}]").err,
      "poem.yaml: api_key_env: MISSING is not set\n");
}

TEST_F(RunTest, AFileDoesNotSayAloneWhereAKeyGoes) {
  const std::string body =
      R"({"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},)"
      R"("finish_reason":"stop"}]})";
  LoopbackServer proxy([&](const ReceivedRequest&) { return Script::answer(200, body); });
  const auto ended = [&](const std::string& backend, const Words& flags) {
    write("poem.yaml", "backend: {model: m, " + backend + "}\nsteps: [{chat: a}]\n");
    Words words{"run", "poem.yaml"};
    words.insert(words.end(), flags.begin(), flags.end());
    return RunningProgram(words, {.environment = {{"OPENAI_API_KEY", "sk-mine"},
                                                  {"WATSONX_TOKEN", "token"},
                                                  {"WATSONX_PROJECT_ID", "p"},
                                                  {"TEAM_KEY", "sk-team"},
                                                  {"http_proxy", proxy.url()}},
                                  .folder = folder_.string()})
        .wait();
  };
  const std::string theirs = "base_url: http://evil.example/v1";
  const std::string told =
      " to http://evil.example/v1: if that is meant, pass --base-url or --api-key-env, too\n";
  const std::vector<std::tuple<std::string, Words, std::string>> refused = {
      {"provider: openai, " + theirs, {}, "your key of openai"},
      {theirs, {"--backend", "openai"}, "your key of openai"},
      {"provider: openai, api_key_env: TEAM_KEY, " + theirs, {}, "the key in TEAM_KEY"},
      {"provider: litellm, api_key_env: TEAM_KEY, " + theirs, {}, "the key in TEAM_KEY"},
      {"provider: watsonx, " + theirs, {}, "your key of watsonx"},
  };
  for (const auto& [backend, flags, key] : refused) {
    const Ended end = ended(backend, flags);
    EXPECT_EQ(end.code, 2) << backend;
    EXPECT_EQ(end.err, "poem.yaml: base_url: this sends " + key + told) << backend;
  }
  EXPECT_EQ(proxy.requests().size(), 0U);

  const std::string openai = "provider: openai, " + theirs;
  EXPECT_EQ(ended(openai, {"--api-key-env", "TEAM_KEY"}).code, 0);
  EXPECT_EQ(ended(openai, {"--base-url", "http://evil.example/v1"}).code, 0);
  EXPECT_EQ(ended("provider: litellm, " + theirs, {}).code, 0) << "nobody has a key for it";
  const std::vector<ReceivedRequest> sent = proxy.requests();
  ASSERT_EQ(sent.size(), 3U);
  EXPECT_EQ(sent[0].header("authorization"), "Bearer sk-team");
  EXPECT_EQ(sent[1].header("authorization"), "Bearer sk-mine");
  EXPECT_EQ(sent[2].header("authorization"), "");
}

TEST_F(RunTest, WhatAFileLeavesOpenAFlagSaysAndTheRestStands) {
  const std::string body =
      R"({"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},)"
      R"("finish_reason":"stop"}]})";
  LoopbackServer server([&](const ReceivedRequest&) { return Script::answer(200, body); });
  write("poem.yaml", "backend: {model: theirs, base_url: '" + server.url("/v1") +
                         "', api_key_env: TEAM_KEY,\n  headers: {X-Team: search}}\n"
                         "steps: [{chat: a}]\n");
  const Ended ended =
      RunningProgram({"run", "poem.yaml", "--backend", "openai"},
                     {.environment = {{"TEAM_KEY", "sk-team"}}, .folder = folder_.string()})
          .wait();
  EXPECT_EQ(ended.code, 0) << ended.err;
  ASSERT_EQ(server.requests().size(), 1U);
  const ReceivedRequest request = server.requests()[0];
  EXPECT_EQ(json::parse(request.body)["model"], "theirs");
  EXPECT_EQ(request.header("x-team"), "search");
  EXPECT_EQ(request.header("authorization"), "Bearer sk-team");
}

TEST_F(RunTest, EndsAtASignalWithWhatItHas) {
  write("poem.yaml",
        script("{say: one}, {say: two, delay: 1h}") + "steps:\n- chat: a\n- chat: b\n- chat: c\n");
  for (const int number : {SIGINT, SIGTERM}) {
    RunningProgram program({"run", "poem.yaml", "--keep-going"}, {.folder = folder_.string()});
    ASSERT_TRUE(program.prints("\"one\""));
    program.signal(number);
    const Ended ended = program.wait();
    EXPECT_EQ(ended.code, 128 + number);
    const std::vector<json> lines = lines_of(ended.out);
    ASSERT_EQ(lines.size(), 2U) << ended.out;
    EXPECT_EQ(lines[1]["error"]["code"], "cancelled");
  }
}

TEST_F(RunTest, IsReadableOnATerminal) {
  write("poem.yaml",
        script("{say: Waves, usage: {input: 5, output: 1}}, {say: ['One. ', Two.]}, "
               "{vectors: [[1, 2], [3, 4]]}") +
            "steps:\n- {instruct: a, id: poem}\n- {chat: b, stream: {chunking: sentence}}\n"
            "- embed: [a, b]\n");
  int master = -1;
  int slave = -1;
  ASSERT_EQ(::openpty(&master, &slave, nullptr, nullptr, nullptr), 0);
  const Descriptor screen(master);
  Descriptor terminal(slave);
  RunningProgram program({"run", "poem.yaml"}, {.device = slave, .folder = folder_.string()});
  terminal = Descriptor();
  EXPECT_EQ(program.wait().code, 0);
  std::string shown;
  std::array<char, 4096> buffer;
  for (ssize_t got = 0; (got = ::read(master, buffer.data(), buffer.size())) > 0;)
    shown.append(buffer.data(), static_cast<std::size_t>(got));
  shown.erase(std::remove(shown.begin(), shown.end(), '\r'), shown.end());
  EXPECT_TRUE(shown.starts_with("[1] instruct poem\nWaves\n    ok, 1 attempt, 5/1 tokens, "))
      << shown;
  EXPECT_NE(shown.find("[2] chat\nOne. Two.\n    ok"), std::string::npos) << shown;
  EXPECT_NE(shown.find("[3] embed\n    2 vectors of 2\n"), std::string::npos) << shown;
}

}  // namespace
}  // namespace mellea::cli
