// The program as people meet it: its words, its two outputs and its exit codes.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "mellea/backends/fake_llama_for_test.h"
#include "mellea/cli/running_program.h"
#include "mellea/core/folder_for_test.h"
#include "mellea/hooks/events.h"
#include "mellea/net/testing/loopback_server.h"

namespace mellea::cli {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;
using Words = std::vector<std::string>;
using Variables = std::map<std::string, std::string>;

std::string delta(const std::string& text) {
  return "data: "
         "{\"id\":\"r1\",\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":" +
         json(text).dump() + "}}]}\n\n";
}

const std::string kEnd =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,"
    "\"total_tokens\":7}}\n\ndata: [DONE]\n\n";

Script answer(const std::string& text, const std::string& finish = "stop") {
  const json body = {
      {"id", "r1"},
      {"model", "m-1"},
      {"choices", json::array({{{"index", 0},
                                {"message", {{"role", "assistant"}, {"content", text}}},
                                {"finish_reason", finish}}})},
      {"usage", {{"prompt_tokens", 5}, {"completion_tokens", 2}, {"total_tokens", 7}}}};
  return Script::answer(200, body.dump(), {{"content-type", "application/json"}});
}

// A port on which nothing listens.
int closed_port() {
  const Descriptor socket(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

Ended run(const Words& words, const Variables& environment = {}, const std::string& input = {}) {
  return RunningProgram(words, {.environment = environment, .input = input}).wait();
}

// chat, with a model of that server.
Words chat_with(const LoopbackServer& server, const Words& more) {
  Words words{"chat", "--backend", "openai", "--base-url", server.url("/v1"), "--model", "m"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

std::string content_of(const std::filesystem::path& file) {
  std::ifstream stream(file);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

long lines_in(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

// --- Refusals --------------------------------------------------------------------------------

TEST(Program, ARefusalIsNoAnswerInJsonEither) {
  LoopbackServer server({Script::answer(
      200, R"({"model":"m","choices":[{"index":0,"finish_reason":"stop",)"
           R"("message":{"role":"assistant","content":null,"refusal":"I can't."}}]})")});
  const Ended ended = run(chat_with(server, {"--json", "hello"}), {{"OPENAI_API_KEY", "k"}});
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(ended.err, "mellea: the model refused: \"I can't.\"\n");
  const json line = json::parse(ended.out);
  EXPECT_FALSE(line.contains("text")) << ended.out;
  EXPECT_EQ(line["error"]["code"], "content_policy");
}

// --- Words -----------------------------------------------------------------------------------

TEST(Program, TellsItsVersion) {
  const Ended ended = run({"--version"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_TRUE(ended.out.starts_with("mellea 0.")) << ended.out;
  EXPECT_EQ(ended.err, "");
}

TEST(Program, HelpsWithExamples) {
  for (const Words& words : {Words{"--help"}, Words{"chat", "--help"}}) {
    const Ended ended = run(words);
    EXPECT_EQ(ended.code, 0);
    EXPECT_NE(ended.out.find("Examples:"), std::string::npos);
    EXPECT_EQ(ended.err, "");
  }
}

TEST(Program, ARepeatableFlagTakesOneWordEachAndLeavesThePrompt) {
  const Ended ended = run({"chat", "--backend", "scripted", "--model", "m", "--option",
                           "temperature=0", "--option", "seed=1", "hi"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out, "hi\n");
}

TEST(Program, NamesTheNearestKnownWordAndSendsNothing) {
  const std::vector<std::pair<Words, std::string>> cases = {
      {{"chatt", "hi"}, "mellea: unknown command \"chatt\": did you mean \"chat\"?\n"},
      {{"translate"},
       "mellea: unknown command \"translate\": known are chat, demo, doctor, hooks and run\n"},
      {{}, "mellea: no command given: mellea --help lists them\n"},
      {{"chat", "--modle", "m", "hi"},
       "mellea: unknown flag \"--modle\": did you mean \"--model\"?\n"},
      {{"chat", "--backend", "opnai", "--model", "m", "hi"},
       "mellea: unknown backend \"opnai\": did you mean \"openai\"?\n"},
      {{"chat", "--backend", "scripted", "--model", "m", "--option", "temprature=1", "hi"},
       "mellea: unknown option \"temprature\": did you mean \"temperature\"?\n"},
      {{"chat", "--backend", "scripted", "--model", "m", "--option", "temperature=warm", "hi"},
       "mellea: option temperature: \"warm\" is not a number\n"},
      {{"chat", "--backend", "scripted", "--model", "m", "--option", "temperature", "hi"},
       "mellea: --option temperature: write NAME=VALUE\n"},
      {{"chat", "--backend", "scripted", "--model", "m", "--timeout", "5", "hi"},
       "mellea: --timeout 5: of what? Write 5s or 5ms\n"},
      {{"chat", "--backend", "scripted", "--model", "m", "--trace=jsn", "hi"},
       "mellea: --trace=jsn: did you mean \"json\"?\n"},
      {{"chat", "--backend", "scripted", "why", "not"},
       "mellea: unexpected \"not\": put the prompt in quotes\n"},
      {{"chat", "--backend", "scripted", "--model", "m"},
       "mellea: no prompt: pass one, or write it to standard input\n"},
      {{"chat", "--backend", "scripted", "--model", "m", "caf\xE9"},
       "mellea: the prompt is not UTF-8: convert it first, with iconv\n"},
      {{"chat", "--backend", "scripted", "hi"},
       "mellea: no model given: pass --model or set MELLEA_MODEL; scripted has scripted\n"},
      {{"chat", "--backend", "openai", "--model", "m", "hi"},
       "openai: no API key: set OPENAI_API_KEY\n"},
      {{"chat", "--backend", "openai", "--base-url", "htp:/x", "--model", "m", "hi"}, ""},
  };
  for (const auto& [words, message] : cases) {
    const Ended ended = run(words);
    EXPECT_EQ(ended.code, 2) << ended.err;
    EXPECT_EQ(ended.out, "");
    EXPECT_EQ(lines_in(ended.err), 1) << ended.err;
    if (!message.empty()) {
      EXPECT_EQ(ended.err, message);
    }
  }
}

TEST(Program, SaysWhichModelsThereAreIfNoneIsNamed) {
  LoopbackServer server({Script::answer(200, R"({"data":[{"id":"one"},{"id":"two"}]})")});
  const Ended ended = run({"chat", "--backend", "openai", "--base-url", server.url("/v1"), "Hi"});
  EXPECT_EQ(ended.code, 2);
  EXPECT_EQ(ended.err,
            "mellea: no model given: pass --model or set MELLEA_MODEL; openai at 127.0.0.1:" +
                std::to_string(server.port()) + " has one, two\n");
}

// An Ollama: it tells its version and models, and answers all else with a chat.
LoopbackServer::Handler ollama() {
  return [](const ReceivedRequest& request) {
    if (request.path == "/api/version") return Script::answer(200, R"({"version":"0.12.0"})");
    if (request.path == "/api/tags")
      return Script::answer(200, R"({"models":[{"name":"granite4:micro"},{"name":"b"}]})");
    return Script::answer(
        200, R"({"model":"m","message":{"role":"assistant","content":"Hi"},"done":true,)"
             R"("done_reason":"stop","prompt_eval_count":5,"eval_count":2})");
  };
}

std::string host_of(const LoopbackServer& server) {
  return "127.0.0.1:" + std::to_string(server.port());
}

TEST(Program, TakesTheOllamaOfThisMachineIfNoBackendIsNamed) {
  LoopbackServer server(ollama());
  const Ended ended = run({"chat", "--model", "m", "Hi"}, {{"OLLAMA_HOST", host_of(server)}});
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.out, "Hi\n");
  EXPECT_EQ(ended.err, "mellea: no backend given: taking ollama at " + host_of(server) + "\n");
  const Ended quiet = run({"-q", "chat", "--model", "m", "Hi"}, {{"OLLAMA_HOST", host_of(server)}});
  EXPECT_EQ(quiet.out, "Hi\n");
  EXPECT_EQ(quiet.err, "");
}

TEST(Program, SaysWhichModelsOllamaHas) {
  LoopbackServer server(ollama());
  const Ended ended =
      run({"chat", "--backend", "ollama", "Hi"}, {{"OLLAMA_HOST", host_of(server)}});
  EXPECT_EQ(ended.code, 2);
  EXPECT_EQ(ended.err, "mellea: no model given: pass --model or set MELLEA_MODEL; ollama at " +
                           host_of(server) + " has granite4:micro, b\n");
}

TEST(Program, WithoutABackendAndAnOllamaNothingIsSent) {
  const Ended ended = run({"chat", "--model", "m", "Hi"},
                          {{"OLLAMA_HOST", "127.0.0.1:" + std::to_string(closed_port())}});
  EXPECT_EQ(ended.code, 2);
  EXPECT_EQ(lines_in(ended.err), 1) << ended.err;
  EXPECT_NE(ended.err.find("(ollama serve)"), std::string::npos) << ended.err;
}

TEST(Program, PullsAModelThatOllamaLacks) {
  LoopbackServer server([](const ReceivedRequest& request) {
    if (request.path == "/api/tags")
      return Script::answer(200, R"({"models":[{"name":"b:latest"}]})");
    if (request.path == "/api/chat")
      return Script::answer(200, R"({"message":{"content":"Hi"},"done":true})");
    std::string lines = "{\"status\":\"pulling manifest\"}\n";
    for (std::int64_t done = 0; done <= 2'000'000'000; done += 50'000'000)
      lines += R"({"status":"pulling aa","digest":"sha256:aa","total":2000000000,"completed":)" +
               std::to_string(done) + "}\n";
    const bool is_there = request.body.find("nobody") == std::string::npos;
    return Script::stream()
        .chunk(is_there ? lines + "{\"status\":\"success\"}\n"
                        : R"({"error":"pull model manifest: file does not exist"})")
        .end();
  });
  const auto chat = [&](const std::string& model) {
    return run({"chat", "--backend", "ollama", "--model", model, "--pull", "Hi"},
               {{"OLLAMA_HOST", host_of(server)}});
  };
  const Ended pulled = chat("m");
  EXPECT_EQ(pulled.code, 0);
  EXPECT_EQ(pulled.out, "Hi\n");
  EXPECT_EQ(lines_in(pulled.err), 13) << pulled.err;
  EXPECT_NE(pulled.err.find("mellea: ollama: pulling aa: 10% of 2000 MB\n"), std::string::npos);
  EXPECT_EQ(chat("b").err, "");
  const Ended missing = chat("nobody");
  EXPECT_EQ(missing.code, 1);
  EXPECT_NE(missing.err.find("file does not exist"), std::string::npos) << missing.err;
  EXPECT_EQ(run({"chat", "--backend", "scripted", "--pull", "Hi"}).code, 2);
}

// --- Answers -----------------------------------------------------------------------------------

TEST(Chat, PrintsTheAnswerAndNothingElse) {
  LoopbackServer server({answer("Blue light scatters.")});
  const Ended ended = run(chat_with(server, {"Why is the sky blue?"}));
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.out, "Blue light scatters.\n");
  EXPECT_EQ(ended.err, "");
  const json sent = json::parse(server.requests().at(0).body);
  EXPECT_FALSE(sent.value("stream", false));
  EXPECT_EQ(sent["messages"].back()["content"], "Why is the sky blue?");
}

TEST(Chat, TakesTheModelFromTheEnvironmentAndTheKeyWithIt) {
  LoopbackServer server({answer("Hi")});
  const Ended ended = run({"chat", "Hi"}, {{"MELLEA_BACKEND", "openai"},
                                           {"MELLEA_MODEL", "m"},
                                           {"OPENAI_BASE_URL", server.url("/v1")},
                                           {"OPENAI_API_KEY", "secret"}});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(server.requests().at(0).header("authorization"), "Bearer secret");
}

TEST(Chat, StreamsAsItComes) {
  LoopbackServer server(
      {Script::stream().chunk(delta("One")).hold().chunk(delta(" two")).chunk(kEnd).end()});
  RunningProgram program(chat_with(server, {"--stream", "Count"}));
  ASSERT_TRUE(program.prints("One"));
  server.release();
  const Ended ended = program.wait();
  EXPECT_EQ(ended.out, "One two\n");
  EXPECT_EQ(ended.code, 0);
}

TEST(Chat, JoinsPromptAndInput) {
  LoopbackServer server({answer("ok")});
  run(chat_with(server, {"Summarise"}), {}, "line 1\nline 2\n");
  run(chat_with(server, {}), {}, "only input\n");
  const auto said = [&](std::size_t request) {
    return json::parse(server.requests().at(request).body)["messages"].back()["content"];
  };
  EXPECT_EQ(said(0), "Summarise\n\nline 1\nline 2");
  EXPECT_EQ(said(1), "only input");
}

TEST(Chat, SendsOptionsSystemSchemaAndImage) {
  LoopbackServer server({answer("{\"a\":1}")});
  const FolderForTest own_folder;
  const std::filesystem::path& folder = own_folder.path();
  std::ofstream(folder / "animal.json")
      << R"({"type":"object","properties":{"a":{"type":"integer"}}})";
  std::ofstream(folder / "dot.gif") << "GIF89a";
  const Ended ended =
      run(chat_with(server, {"--option", "temperature=0.5", "--option", "x.top_x=3", "--system",
                             "Be brief", "--schema", (folder / "animal.json").string(), "--image",
                             (folder / "dot.gif").string(), "--", "-1 + 2?"}));
  EXPECT_EQ(ended.code, 0) << ended.err;
  const json sent = json::parse(server.requests().at(0).body);
  EXPECT_EQ(sent["temperature"], 0.5);
  EXPECT_EQ(sent["top_x"], 3);
  EXPECT_EQ(sent["messages"][0]["content"], "Be brief");
  EXPECT_EQ(sent["response_format"]["json_schema"]["name"], "animal");
  EXPECT_NE(sent["messages"][1].dump().find("data:image/gif;base64,R0lGODlh"), std::string::npos);
  EXPECT_NE(sent["messages"][1].dump().find("-1 + 2?"), std::string::npos);
}

TEST(Chat, AnAnswerThatIsNotAsDemandedEndsWith3) {
  LoopbackServer server({answer("no JSON")});
  const FolderForTest folder;
  const auto file = folder.path() / "s.json";
  std::ofstream(file) << R"({"type":"object"})";
  const Ended ended = run(chat_with(server, {"--schema", file.string(), "Hi"}));
  EXPECT_EQ(ended.code, 3);
  EXPECT_EQ(ended.out, "no JSON\n");
  EXPECT_EQ(lines_in(ended.err), 1) << ended.err;
}

TEST(Chat, TellsAsJson) {
  LoopbackServer server({answer("Hi")});
  const Ended ended = run(chat_with(server, {"--json", "--trace-file", "/dev/null", "Hi"}));
  const json line = json::parse(ended.out);
  EXPECT_EQ(line["text"], "Hi");
  EXPECT_EQ(line["model"], "m-1");
  EXPECT_EQ(line["finish_reason"], "stop");
  EXPECT_EQ(line["usage"], (json{{"input", 5}, {"output", 2}}));
  EXPECT_TRUE(line["ms"].is_number_integer());
  EXPECT_EQ(line["trace_id"].get<std::string>().size(), 32U);
  EXPECT_EQ(ended.code, 0);
}

TEST(Chat, StreamsAsJsonLines) {
  LoopbackServer server(
      {Script::stream().chunk(delta("One")).chunk(delta(" two")).chunk(kEnd).end()});
  const Ended ended = run(chat_with(server, {"--json", "--stream", "Count"}));
  std::istringstream lines(ended.out);
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, R"({"chunk":"One"})");
  std::getline(lines, line);
  EXPECT_EQ(line, R"({"chunk":" two"})");
  std::getline(lines, line);
  EXPECT_EQ(json::parse(line)["text"], "One two");
  EXPECT_FALSE(json::parse(line).contains("trace_id"));
}

// --- Failures ----------------------------------------------------------------------------------

TEST(Chat, TellsWhatTheProviderSays) {
  LoopbackServer server({Script::answer(
      401, R"({"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}})",
      {{"x-request-id", "req_8f2"}})});
  const Ended ended = run(chat_with(server, {"Hi"}), {{"OPENAI_API_KEY", "wrong"}});
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(ended.out, "");
  EXPECT_EQ(ended.err, "openai: POST " + server.url("/v1/chat/completions") +
                           ": 401 auth: \"Incorrect API key provided\" (request req_8f2): check "
                           "the API key\n");
  const json error = json::parse(run(chat_with(server, {"--json", "Hi"})).out)["error"];
  EXPECT_EQ(error["code"], "auth");
  EXPECT_EQ(error["status"], 401);
  EXPECT_EQ(error["provider_code"], "invalid_api_key");
  EXPECT_EQ(error["request_id"], "req_8f2");
  EXPECT_EQ(error["retryable"], false);
}

TEST(Chat, KeepsTheTextOfAStreamThatIsCut) {
  LoopbackServer server({Script::stream().chunk(delta("Half an")).cut()});
  const Ended ended = run(chat_with(server, {"--stream", "Hi"}));
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(ended.out, "Half an\n");
  EXPECT_TRUE(ended.err.starts_with("openai: ")) << ended.err;
  EXPECT_EQ(lines_in(ended.err), 1) << ended.err;
}

TEST(Chat, SaysThatNobodyListens) {
  const std::string port = std::to_string(closed_port());
  const Ended ended = run({"chat", "--backend", "openai", "--base-url",
                           "http://127.0.0.1:" + port + "/v1", "--model", "m", "Hi"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_NE(ended.err.find("connect to 127.0.0.1:" + port + ": refused"), std::string::npos)
      << ended.err;
  EXPECT_EQ(lines_in(ended.err), 1) << ended.err;
}

TEST(Chat, EndsAfterItsTime) {
  LoopbackServer server({Script::stream().chunk(delta("One")).hang()});
  for (const char* flag : {"--timeout", "--idle-timeout"}) {
    const Ended ended = run(chat_with(server, {"--stream", flag, "200ms", "Hi"}));
    EXPECT_EQ(ended.code, 1);
    EXPECT_EQ(ended.out, "One\n");
    EXPECT_EQ(lines_in(ended.err), 1) << ended.err;
  }
}

TEST(Chat, StopsAtSignalsAndKeepsWhatCame) {
  for (const int number : {SIGINT, SIGTERM}) {
    LoopbackServer server({Script::stream().chunk(delta("One")).hang()});
    RunningProgram program(chat_with(server, {"--stream", "--trace", "Hi"}));
    ASSERT_TRUE(program.prints("One"));
    program.signal(number);
    const Ended ended = program.wait();
    EXPECT_EQ(ended.code, 128 + number);
    EXPECT_EQ(ended.out, "One\n");
    EXPECT_NE(ended.err.find("CANCELLED by caller"), std::string::npos) << ended.err;
  }
}

// --- A model on this machine -------------------------------------------------------------------

Variables with_llama(const FakeLlama& fake, const std::string& words) {
  return {{"MELLEA_LLAMA_SERVER", FakeLlama::program()},
          {"FAKE_LLAMA", "tell=" + fake.told() + (words.empty() ? "" : ',' + words)}};
}

TEST(LocalChat, RunsAModelOfThisMachineAndEndsIt) {
  FakeLlama fake;
  const Ended ended = run({"chat", "--model", fake.model(), "Hello"}, with_llama(fake, ""));
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out, "Hello\n");
  EXPECT_TRUE(fake.next_run().ends());
}

TEST(LocalChat, TheModelIsGoneHoweverTheProgramEnds) {
  for (const int number : {SIGTERM, SIGKILL}) {
    FakeLlama fake;
    RunningProgram program({"chat", "--model", fake.model(), "--stream", "Hello"},
                           {.environment = with_llama(fake, "half=1,deaf")});
    ASSERT_TRUE(program.prints("He"));
    const WatchedProcess model = fake.next_run();
    EXPECT_TRUE(model.runs());
    program.signal(number);
    EXPECT_EQ(program.wait().code, 128 + number);
    EXPECT_TRUE(model.ends());
  }
}

TEST(LocalChat, TheModelIsGoneIfTheProgramIsKilledWhileItLoads) {
  FakeLlama fake;
  RunningProgram program({"chat", "--model", fake.model(), "Hello"},
                         {.environment = with_llama(fake, "unhealthy")});
  const WatchedProcess model = fake.next_run();
  program.signal(SIGKILL);
  program.wait();
  EXPECT_TRUE(model.ends());
}

TEST(LocalChat, SaysWhyAModelCannotBeRun) {
  const FakeLlama fake;
  const Ended failed = run({"chat", "--model", fake.model(), "Hi"}, with_llama(fake, "no-model=1"));
  EXPECT_EQ(failed.code, 1);
  EXPECT_TRUE(failed.err.starts_with("local: llama-server ended with code 1 before it was ready: "))
      << failed.err;
  const Ended missing = run({"chat", "--backend", "local", "--model", "org/repo", "Hi"},
                            {{"MELLEA_LLAMA_SERVER", FakeLlama::program()}, {"HOME", "/nowhere"}});
  EXPECT_EQ(missing.err,
            "local: org/repo: is not in /nowhere/.cache/huggingface/hub: hf download org/repo "
            "--include \"*Q4_K_M*.gguf\"\n");
}

TEST(Chat, EndsQuietlyWhenItsReaderLeaves) {
  LoopbackServer server(
      {Script::stream().chunk(delta("One")).hold().chunk(delta(" two")).chunk(kEnd).end()});
  RunningProgram program(chat_with(server, {"--stream", "Hi"}));
  ASSERT_TRUE(program.prints("One"));
  program.close_output();
  server.release();
  const Ended ended = program.wait();
  EXPECT_EQ(ended.code, 128 + SIGPIPE);
  EXPECT_EQ(ended.err, "");
}

TEST(Chat, AFullDiskIsAFailure) {
  const Descriptor full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  if (!full) GTEST_SKIP() << "there is no /dev/full";
  const Ended ended = RunningProgram({"hooks"}, {.device = full.get()}).wait();
  EXPECT_EQ(ended.code, 1);
}

// --- Conversations -----------------------------------------------------------------------------

Script streamed(const std::string& text) {
  return Script::stream().chunk(delta(text)).chunk(kEnd).end();
}

// A conversation with a model of a server, on a terminal.
class Conversation : public ::testing::Test {
 protected:
  void begin(std::vector<Script> scripts, const Words& more = {}) {
    server_.emplace(std::move(scripts));
    program_.emplace(chat_with(*server_, more), RunningProgram::Options{.device = at_.device()});
    EXPECT_TRUE(at_.shows("/help says what else can be typed\r\n> "));
  }
  int leave() {
    at_.type("\x04");
    return program_->wait().code;
  }
  Words sent(std::size_t request) const {
    Words texts;
    const json body = json::parse(server_->requests().at(request).body);
    for (const json& message : body["messages"]) texts.push_back(message["content"]);
    return texts;
  }

  Terminal at_;
  std::optional<LoopbackServer> server_;
  std::optional<RunningProgram> program_;
};

TEST_F(Conversation, TheModelSeesWhatWasSaidUntilItIsReset) {
  begin({streamed("First."), streamed("Second."), streamed("Third.")});
  at_.type("one\n");
  EXPECT_TRUE(at_.shows("First.\r\n> "));
  at_.type("two\n");
  EXPECT_TRUE(at_.shows("Second.\r\n> "));
  at_.type("/reset\nthree\n");
  EXPECT_TRUE(at_.shows("Third.\r\n> "));
  EXPECT_EQ(leave(), 0);
  EXPECT_EQ(sent(0), (Words{"one"}));
  EXPECT_EQ(sent(1), (Words{"one", "First.", "two"}));
  EXPECT_EQ(sent(2), (Words{"three"}));
}

TEST_F(Conversation, CtrlCStopsTheAnswerAndForgetsIt) {
  begin({Script::stream().chunk(delta("The first of very")).hang(), streamed("Short.")});
  at_.type("one\n");
  EXPECT_TRUE(at_.shows("The first of very"));
  at_.type("\x03");
  EXPECT_TRUE(at_.shows("\r\n> "));
  at_.type("two\n");
  EXPECT_TRUE(at_.shows("Short.\r\n> "));
  EXPECT_EQ(leave(), 0);
  EXPECT_EQ(sent(1), (Words{"two"}));
}

TEST_F(Conversation, CtrlCForgetsWhatIsHalfTyped) {
  begin({streamed("Yes.")});
  at_.type("wron\x03");
  EXPECT_TRUE(at_.shows("\r\n> "));
  at_.type("right\n");
  EXPECT_TRUE(at_.shows("Yes.\r\n> "));
  EXPECT_EQ(leave(), 0);
  EXPECT_EQ(sent(0), (Words{"right"}));
}

TEST_F(Conversation, AFailureDoesNotEndIt) {
  begin({Script::answer(404, R"({"error":{"message":"no such model"}})",
                        {{"content-type", "application/json"}}),
         streamed("Here.")});
  at_.type("one\n");
  EXPECT_TRUE(at_.shows("no such model"));
  EXPECT_TRUE(at_.shows("\r\n> "));
  at_.type("two\n");
  EXPECT_TRUE(at_.shows("Here.\r\n> "));
  EXPECT_EQ(leave(), 0);
  EXPECT_EQ(sent(1), (Words{"two"}));
}

TEST_F(Conversation, AQuestionThatCannotBeSentDoesNotEndIt) {
  begin({}, {"--option", "temperature=nan"});
  for (const char* text : {"one\n", "two\n"}) {
    at_.type(text);
    EXPECT_TRUE(at_.shows("openai: option temperature: not a finite number\r\n> "));
  }
  EXPECT_EQ(leave(), 0);
}

TEST_F(Conversation, HelpsAndNamesTheNearestCommand) {
  begin({streamed("A file.")});
  at_.type("/help\n");
  EXPECT_TRUE(at_.shows("Ctrl-D leaves.\r\n> "));
  at_.type("/rest\n");
  EXPECT_TRUE(at_.shows("mellea: unknown command \"/rest\": did you mean \"/reset\"?\r\n> "));
  at_.type("/etc/hosts\n");
  EXPECT_TRUE(at_.shows("A file.\r\n> "));
  EXPECT_EQ(leave(), 0);
  EXPECT_EQ(sent(0), (Words{"/etc/hosts"}));
}

TEST_F(Conversation, SystemWordsGoWithEachCall) {
  begin({streamed("First."), streamed("Second.")}, {"--system", "Be brief"});
  at_.type("one\n");
  EXPECT_TRUE(at_.shows("First.\r\n> "));
  at_.type("two\n");
  EXPECT_TRUE(at_.shows("Second.\r\n> "));
  EXPECT_EQ(leave(), 0);
  EXPECT_EQ(sent(1), (Words{"Be brief", "one", "First.", "two"}));
}

TEST_F(Conversation, ATraceIsShownAfterEachAnswer) {
  for (const char* form : {"--trace=tree", "--trace=json"}) {
    const std::string begins =
        std::string(form) == "--trace=tree" ? "trace " : "{\"resourceSpans\"";
    begin({streamed("First."), streamed("Second.")}, {form});
    for (const char* text : {"one\n", "two\n"}) {
      at_.type(text);
      EXPECT_TRUE(at_.shows(".\r\n" + begins)) << at_.screen();
      EXPECT_TRUE(at_.shows("\r\n> "));
    }
    EXPECT_EQ(leave(), 0);
  }
}

TEST_F(Conversation, EndsByASignalThatIsNotOfTheKeyboard) {
  begin({});
  program_->signal(SIGTERM);
  EXPECT_EQ(program_->wait().code, 128 + SIGTERM);
}

// --- Traces ------------------------------------------------------------------------------------

TEST(Chat, ShowsItsTraceAfterTheAnswer) {
  LoopbackServer server({answer("Hi")});
  const Ended ended = run(chat_with(server, {"--trace", "Hi"}));
  EXPECT_EQ(ended.out, "Hi\n");
  EXPECT_TRUE(ended.err.starts_with("trace ")) << ended.err;
  EXPECT_NE(ended.err.find("chat m"), std::string::npos) << ended.err;
  EXPECT_NE(ended.err.find("5/2"), std::string::npos) << ended.err;
}

TEST(Chat, WritesItsTraceAsJsonToStandardErrorAndAFile) {
  LoopbackServer server({answer("Hi")});
  const FolderForTest folder;
  const auto file = folder.path() / "t.jsonl";
  const Ended ended =
      run(chat_with(server, {"--trace=json", "--trace-file", file.string(), "A secret"}));
  EXPECT_EQ(ended.code, 0);
  for (const std::string& text : {ended.err, content_of(file)}) {
    const json trace = json::parse(text.substr(0, text.find('\n')));
    EXPECT_TRUE(trace.contains("resourceSpans")) << text;
    EXPECT_EQ(text.find("secret"), std::string::npos) << text;
  }
}

TEST(Chat, WithContentThePromptAndTheAnswerAreInTheTrace) {
  LoopbackServer server({answer("Hello there")});
  const FolderForTest folder;
  const auto file = folder.path() / "t.jsonl";
  const Ended ended = run(
      chat_with(server, {"--trace", "--trace-file", file.string(), "--content", "Good morning"}));
  EXPECT_EQ(ended.code, 0);
  EXPECT_NE(ended.err.find("asked: Good morning"), std::string::npos) << ended.err;
  EXPECT_NE(ended.err.find("said: Hello there"), std::string::npos) << ended.err;
  EXPECT_NE(content_of(file).find("gen_ai.input.messages"), std::string::npos);
}

TEST(Chat, ContentWithoutATraceIsRefused) {
  LoopbackServer server({answer("Hi")});
  const Ended ended = run(chat_with(server, {"--content", "Hi"}));
  EXPECT_EQ(ended.code, 2);
  EXPECT_NE(ended.err.find("--content: there is no trace"), std::string::npos) << ended.err;
  EXPECT_TRUE(server.requests().empty());
}

TEST(Chat, TracesAlsoAsTheEnvironmentSays) {
  LoopbackServer server({answer("Hi")});
  const FolderForTest folder;
  const auto file = folder.path() / "t.jsonl";
  const Ended ended = run(chat_with(server, {"--trace", "Hi"}),
                          {{"MELLEA_TRACES_FILE", file.string()}, {"MELLEA_TRACES_OTLP", "true"}});
  EXPECT_EQ(ended.code, 0);
  EXPECT_NE(
      ended.err.find("MELLEA_TRACES_OTLP=true has no effect: MELLEA_TRACES_ENABLED is not set"),
      std::string::npos)
      << ended.err;
  EXPECT_NE(ended.err.find("trace "), std::string::npos);
  EXPECT_NE(content_of(file).find("resourceSpans"), std::string::npos);
}

// --- The other commands ------------------------------------------------------------------------

TEST(Demo, ShowsWhatItSays) {
  const FolderForTest own_folder;
  const std::filesystem::path& folder = own_folder.path();
  const auto began = std::chrono::steady_clock::now();
  const Ended ended = RunningProgram({"demo"}, {.folder = folder.string()}).wait();
  EXPECT_LT(std::chrono::steady_clock::now() - began, 2s);
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.err, "");
  for (const char* text :
       {"5 calls over HTTP to a scripted provider on 127.0.0.1:", "The sea keeps no diary",
        "Paris.", "gulls have the last word", "sampling  repair, 2 of 3",
        "plugin no_secrets: the prompt holds an API key", "3 of 40 chunks read",
        "BLOCKED by no_secrets", "retry 1: 429 rate_limit, waited 50 ms",
        "Saved: demo.trace.jsonl (OTLP JSON)."})
    EXPECT_NE(ended.out.find(text), std::string::npos) << text << '\n' << ended.out;
  EXPECT_TRUE(std::filesystem::exists(folder / "demo.trace.jsonl"));
}

TEST(Demo, WithNothingToRunAModelItSaysHowToGetThat) {
  const Ended ended = run({"demo", "--local"});
  if (ended.code == 0) GTEST_SKIP() << "a model runs in this process";
  EXPECT_EQ(ended.code, 2);
  EXPECT_NE(
      ended.err.find("there is no llama-server: install llama.cpp, or set MELLEA_LLAMA_SERVER"),
      std::string::npos)
      << ended.err;
}

TEST(Demo, SaysIfTheModelIsNotTheOneThatWasMade) {
  const FolderForTest own_folder;
  const std::filesystem::path& folder = own_folder.path();
  const Ended ended =
      RunningProgram({"demo", "--local"},
                     {.environment = {{"MELLEA_LLAMA_SERVER", FakeLlama::program()}},
                      .folder = folder.string()})
          .wait();
  EXPECT_EQ(ended.code, 1) << ended.err;
  EXPECT_NE(ended.out.find("NOT AS EXPECTED: One sentence about the sea."), std::string::npos)
      << ended.out;
}

TEST(Demo, TellsTheSameAsJson) {
  const FolderForTest own_folder;
  const std::filesystem::path& folder = own_folder.path();
  std::ofstream(folder / "kept.jsonl") << "precious\n";
  const Ended beside =
      RunningProgram({"demo", "--json", "--trace-file", "kept.jsonl"}, {.folder = folder.string()})
          .wait();
  EXPECT_EQ(beside.code, 0) << beside.err;
  EXPECT_TRUE(content_of(folder / "kept.jsonl").starts_with("precious\n{"));
  const Ended ended = RunningProgram({"demo", "--json"}, {.folder = folder.string()}).wait();
  const json told = json::parse(ended.out);
  EXPECT_EQ(told["ok"], true);
  EXPECT_EQ(told["calls"].size(), 5U);
  EXPECT_EQ(told["calls"][1]["attempts"], 2);
  EXPECT_EQ(told["calls"][2]["attempts"], 2);
  EXPECT_EQ(told["calls"][3]["plugin"], "no_secrets");
  EXPECT_EQ(told["calls"][4]["chunks_read"], 3);
}

TEST(Doctor, AsksWhatIsConfiguredOnThisMachine) {
  LoopbackServer server([](const ReceivedRequest& request) {
    return Script::answer(200, request.path == "/v1/models" ? R"({"data":[{"id":"one"}]})" : "{}");
  });
  const Ended ended = run({"doctor"}, {{"OPENAI_BASE_URL", server.url("/v1")},
                                       {"OTEL_TRACES_EXPORTER", "otlp"},
                                       {"OTEL_EXPORTER_OTLP_ENDPOINT", server.url()}});
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  for (const char* text : {"openai", "OPENAI_BASE_URL", "yes  127.0.0.1:", "one", "traces",
                           "OTEL_EXPORTER_OTLP_ENDPOINT", "OpenTelemetry: not in this build"})
    EXPECT_NE(ended.out.find(text), std::string::npos) << text << '\n' << ended.out;
}

TEST(Doctor, FailsIfWhatIsConfiguredDoesNotWork) {
  const Ended ended =
      run({"doctor"}, {{"OPENAI_BASE_URL", "http://127.0.0.1:" + std::to_string(closed_port())}});
  EXPECT_EQ(ended.code, 1);
  EXPECT_NE(ended.out.find("refused"), std::string::npos) << ended.out;
}

TEST(Doctor, LeavesRemoteHostsAloneUnlessTheyAreNamed) {
  const Ended ended = run({"doctor"}, {{"OPENAI_API_KEY", "k"}});
  EXPECT_EQ(ended.code, 0);
  EXPECT_NE(ended.out.find("not asked (--backend openai asks)"), std::string::npos) << ended.out;
  EXPECT_EQ(run({"doctor", "--backend", "opnai"}).code, 2);
  const Ended ollama = run({"doctor"}, {{"OLLAMA_HOST", "gpu-box.invalid"}});
  EXPECT_EQ(ollama.code, 0);
  EXPECT_NE(ollama.out.find("not asked (--backend ollama asks)"), std::string::npos) << ollama.out;
}

TEST(Doctor, TellsWhatOllamaHas) {
  LoopbackServer server(ollama());
  const Ended ended = run({"doctor"}, {{"OLLAMA_HOST", host_of(server)}});
  EXPECT_EQ(ended.code, 0) << ended.err;
  for (const char* text : {"OLLAMA_HOST", "yes  127.0.0.1:", "granite4:micro, b"})
    EXPECT_NE(ended.out.find(text), std::string::npos) << text << '\n' << ended.out;
  const Ended base = run({"doctor", "--backend", "ollama"}, {{"MELLEA_BASE_URL", server.url()}});
  EXPECT_EQ(base.code, 0) << base.out;
}

TEST(Doctor, TellsWhichModelATgiServerHas) {
  LoopbackServer server([](const ReceivedRequest& request) {
    return Script::answer(200, request.path == "/info" ? R"({"model_id":"a/b"})" : "");
  });
  const Ended ended = run({"doctor"}, {{"HF_INFERENCE_ENDPOINT", server.url()}});
  EXPECT_EQ(ended.code, 0) << ended.err;
  for (const char* text : {"huggingface", "HF_INFERENCE_ENDPOINT", "yes  127.0.0.1:", "a/b"})
    EXPECT_NE(ended.out.find(text), std::string::npos) << text << '\n' << ended.out;
  const Ended far = run({"doctor"}, {{"HF_TOKEN", "hf_x"}});
  EXPECT_NE(far.out.find("not asked (--backend huggingface asks)"), std::string::npos) << far.out;
  EXPECT_EQ(run({"doctor"}, {}).out.find("huggingface"), std::string::npos);
}

TEST(Chat, AsksATgiServer) {
  LoopbackServer server({Script::answer(
      200, R"({"choices":[{"message":{"content":"Paris"},"finish_reason":"stop"}]})")});
  const Ended ended =
      run({"chat", "--backend", "huggingface", "--base-url", server.url(), "--model", "a/b", "Hi"},
          {{"HF_TOKEN", "hf_secret"}});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out, "Paris\n");
  EXPECT_EQ(server.requests().at(0).path, "/v1/chat/completions");
  EXPECT_EQ(server.requests().at(0).header("authorization"), "") << "nobody sent it there";
}

// An IAM and a watsonx in one.
LoopbackServer::Handler watsonx() {
  return [](const ReceivedRequest& request) {
    if (request.path == "/identity/token")
      return request.body.ends_with("apikey=wrong")
                 ? Script::answer(400,
                                  R"({"errorCode":"BXNIM0415E","errorMessage":"No such key."})")
                 : Script::answer(200, R"({"access_token":"t","expires_in":3600})");
    if (request.path.starts_with("/ml/v1/foundation_model_specs?"))
      return Script::answer(200, R"({"resources":[{"model_id":"ibm/granite"}]})");
    return request.header("authorization") == "Bearer t" ? answer("Hi") : Script::answer(401, "{}");
  };
}

Variables watsonx_at(const LoopbackServer& server) {
  return {{"WATSONX_URL", server.url()},
          {"WATSONX_IAM_URL", server.url()},
          {"WATSONX_API_KEY", "k"},
          {"WATSONX_PROJECT_ID", "p"}};
}

TEST(Program, ChatsWithWatsonx) {
  LoopbackServer server(watsonx());
  const Ended ended =
      run({"chat", "--backend", "watsonx", "--model", "ibm/granite", "Hi"}, watsonx_at(server));
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.out, "Hi\n");
  EXPECT_EQ(ended.err, "");
  const Ended undecided = run({"chat", "--backend", "watsonx", "Hi"}, watsonx_at(server));
  EXPECT_EQ(undecided.code, 2);
  EXPECT_TRUE(undecided.err.ends_with(" has ibm/granite\n")) << undecided.err;
}

TEST(Program, SaysWhatWatsonxIsMissing) {
  LoopbackServer server(watsonx());
  const auto failure = [&](const char* variable, const char* value) {
    Variables environment = watsonx_at(server);
    environment[variable] = value;
    const Ended ended =
        run({"chat", "--backend", "watsonx", "--model", "ibm/granite", "Hi"}, environment);
    EXPECT_EQ(ended.out, "");
    return std::to_string(ended.code) + ' ' + ended.err;
  };
  EXPECT_EQ(failure("WATSONX_API_KEY", ""), "2 watsonx: no API key: set WATSONX_API_KEY\n");
  EXPECT_TRUE(failure("WATSONX_URL", "").starts_with("2 watsonx: no URL: set WATSONX_URL"));
  EXPECT_EQ(failure("WATSONX_URL", "eu-dee"),
            "2 watsonx: unknown region \"eu-dee\": did you mean \"eu-de\"?\n");
  EXPECT_EQ(failure("WATSONX_API_KEY", "wrong"),
            "1 watsonx: POST " + server.url("/identity/token") +
                ": 400 auth: \"No such key.\": check WATSONX_API_KEY\n");
  EXPECT_EQ(failure("WATSONX_PROJECT_ID", ""),
            "2 watsonx: no project: set WATSONX_PROJECT_ID, or WATSONX_SPACE_ID\n");
}

TEST(Doctor, SaysWhatWatsonxIsMissing) {
  Ended ended = run({"doctor"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_NE(ended.out.find("\nwatsonx      -                           set WATSONX_API_KEY, "
                           "WATSONX_URL, WATSONX_PROJECT_ID\n"),
            std::string::npos)
      << ended.out;
  ended = run({"doctor"}, {{"WATSONX_API_KEY", "k"}, {"WATSONX_SPACE_ID", "s"}});
  EXPECT_EQ(ended.code, 0);
  EXPECT_NE(ended.out.find("WATSONX_API_KEY             set WATSONX_URL  "), std::string::npos)
      << ended.out;
  ended = run({"doctor", "--backend", "watsonx"}, {{"WATSONX_API_KEY", "k"}});
  EXPECT_EQ(ended.code, 1);
  EXPECT_NE(ended.out.find("no   set WATSONX_URL, WATSONX_PROJECT_ID"), std::string::npos)
      << ended.out;
  ended = run({"doctor"},
              {{"WATSONX_API_KEY", "k"}, {"WATSONX_URL", "eu-dee"}, {"WATSONX_PROJECT_ID", "p"}});
  EXPECT_EQ(ended.code, 1);
  EXPECT_NE(ended.out.find("unknown region \"eu-dee\""), std::string::npos) << ended.out;
}

TEST(Doctor, AsksWatsonxWithItsToken) {
  LoopbackServer server(watsonx());
  Ended ended = run({"doctor", "--backend", "watsonx"}, watsonx_at(server));
  EXPECT_EQ(ended.code, 0) << ended.out;
  for (const char* text : {"WATSONX_URL, WATSONX_API_KEY", "yes  127.0.0.1:", "ibm/granite"})
    EXPECT_NE(ended.out.find(text), std::string::npos) << text << '\n' << ended.out;
  Variables wrong = watsonx_at(server);
  wrong["WATSONX_API_KEY"] = "wrong";
  ended = run({"doctor"}, wrong);
  EXPECT_EQ(ended.code, 1);
  EXPECT_NE(ended.out.find("check WATSONX_API_KEY"), std::string::npos) << ended.out;
  const Ended remote =
      run({"doctor"},
          {{"WATSONX_API_KEY", "k"}, {"WATSONX_URL", "eu-de"}, {"WATSONX_PROJECT_ID", "p"}});
  EXPECT_EQ(remote.code, 0);
  EXPECT_NE(remote.out.find("not asked (--backend watsonx asks)"), std::string::npos) << remote.out;
}

TEST(Doctor, TellsWhatRunsModelsOnThisMachine) {
  const FakeLlama fake;
  GgufForTest().write(fake.in_folder("hub/models--org--repo/snapshots/abc/m.gguf"));
  const Variables variables{{"MELLEA_LLAMA_SERVER", FakeLlama::program()},
                            {"HF_HUB_CACHE", fake.in_folder("hub")}};
  const Ended ended = run({"doctor", "--json"}, variables);
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  const json rows = json::parse(ended.out)["rows"];
  const auto row = std::find_if(rows.begin(), rows.end(),
                                [](const json& each) { return each["name"] == "local"; });
  ASSERT_NE(row, rows.end());
  EXPECT_EQ((*row)["works"], true);
  EXPECT_EQ((*row)["configured_by"], "MELLEA_LLAMA_SERVER");
  EXPECT_EQ((*row)["models"], json::array({"org/repo"}));
  EXPECT_EQ(run({"doctor"}, {{"MELLEA_LLAMA_SERVER", "/nowhere/llama-server"}}).code, 1);
  EXPECT_EQ(run({"doctor"}).out.find("local "), std::string::npos);
}

TEST(Doctor, AnOllamaThatIsNotThereIsAFailureOnlyIfItIsWanted) {
  const std::string host = "127.0.0.1:" + std::to_string(closed_port());
  const Ended wanted = run({"doctor"}, {{"OLLAMA_HOST", host}});
  EXPECT_EQ(wanted.code, 1);
  EXPECT_NE(wanted.out.find("connect to " + host + ": refused"), std::string::npos) << wanted.out;
  EXPECT_EQ(run({"doctor", "--backend", "ollama"}, {{"MELLEA_BASE_URL", host}}).code, 1);
  EXPECT_EQ(
      run({"doctor"}, {{"MELLEA_BASE_URL", "http://" + host}, {"MELLEA_BACKEND", "ollama"}}).code,
      1);
}

TEST(HooksCommand, ListsEveryEvent) {
  const Ended text = run({"hooks"});
  EXPECT_EQ(text.code, 0);
  EXPECT_NE(text.out.find("generation_pre_call"), std::string::npos);
  const json list = json::parse(run({"hooks", "--json"}).out);
  EXPECT_EQ(list.size(), kEventCount);
  EXPECT_EQ(list[0]["event"], "call_begin");
}

}  // namespace
}  // namespace mellea::cli
