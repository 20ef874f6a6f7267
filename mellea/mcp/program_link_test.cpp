// What is true of servers that are programs. See tests/mcp for the one that does all this.
#include "mellea/mcp/program_link.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <condition_variable>
#include <filesystem>
#include <future>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <stop_token>

#include "mellea/core/folder_for_test.h"
#include "mellea/core/error.h"
#include "mellea/mcp/mcp_client.h"

namespace mellea {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

class ProgramLinkTest : public testing::Test {
 protected:
  static McpProgram program(std::vector<std::string> words = {}) {
    return {.command = MELLEA_SCRIPTED_MCP_SERVER, .arguments = std::move(words)};
  }
  static McpOptions named(McpOptions options = {}) {
    options.name = "it";
    return options;
  }
  void connect(std::vector<std::string> words = {}, McpOptions options = {}) {
    client_.emplace(McpClient::connect(program(std::move(words)), named(std::move(options))));
    tools_ = client_->tools();
  }

  Tool tool(const std::string& name) const {
    for (const Tool& tool : tools_)
      if (tool.name() == name) return tool;
    throw std::runtime_error("no tool " + name);
  }
  // As a model's call is run.
  std::string call(const std::string& name, const std::string& arguments = "{}",
                   std::stop_token stop = {}, const Scope& scope = {}) const {
    const Tool tool = this->tool(name);
    return tool.run()(tool.arguments(arguments), {.scope = scope, .stop = std::move(stop)});
  }
  // What the server was sent.
  json seen() const { return json::parse(call("seen")); }

  template <class Do>
  static std::string error_of(const Do& act, Errc code) {
    try {
      act();
    } catch (const Error& error) {
      EXPECT_EQ(to_string(error.code()), to_string(code)) << error.what();
      return error.what();
    }
    return "";
  }
  std::string failure(const std::string& name, Errc code, const std::string& arguments = "{}") {
    return error_of([&] { (void)call(name, arguments); }, code);
  }
  static std::string refusal(McpServer server, Errc code, McpOptions options = {}) {
    return error_of([&] { (void)McpClient::connect(std::move(server), named(std::move(options))); },
                    code);
  }

  std::optional<McpClient> client_;
  Tools tools_;
};

TEST_F(ProgramLinkTest, GreetsAsTheProtocolSays) {
  connect();
  const json seen = this->seen();
  EXPECT_EQ(seen[0]["jsonrpc"], "2.0");
  EXPECT_EQ(seen[0]["method"], "initialize");
  EXPECT_EQ(seen[0]["params"]["protocolVersion"], "2025-11-25");
  EXPECT_EQ(seen[0]["params"]["capabilities"], json::object());
  EXPECT_EQ(seen[0]["params"]["clientInfo"]["name"], "mellea");
  EXPECT_EQ(seen[1], (json{{"jsonrpc", "2.0"}, {"method", "notifications/initialized"}}));
  EXPECT_EQ(seen[2]["method"], "tools/list");
  EXPECT_NE(seen[2]["id"], seen[0]["id"]);
  const McpServerInfo info = client_->server();
  EXPECT_EQ(info.name, "scripted");
  EXPECT_EQ(info.version, "1.0");
  EXPECT_EQ(info.revision, "2025-11-25");
  EXPECT_EQ(info.instructions, "Be brief.");
  EXPECT_EQ(info.session, "");
}

TEST_F(ProgramLinkTest, ManyCallsGoToOneServer) {
  const FolderForTest folder;
  const std::string runs = folder.path() / "runs";
  connect({"runs=" + runs});
  for (int i = 0; i < 20; ++i) EXPECT_EQ(call("echo", R"({"text":"hi"})"), "hi");
  EXPECT_EQ(std::filesystem::file_size(runs), 1U);
}

TEST_F(ProgramLinkTest, AnOlderRevisionIsSpokenAndAnUnknownOneIsNot) {
  connect({"revision=2024-11-05"});
  EXPECT_EQ(client_->server().revision, "2024-11-05");
  EXPECT_EQ(refusal(program({"revision=1999-01-01"}), Errc::parse_error),
            "mcp it: initialize: it speaks MCP of 1999-01-01, which this client does not");
}

TEST_F(ProgramLinkTest, ToolsComePageByPage) {
  connect();
  const std::size_t all = tools_.size();
  EXPECT_EQ(tool("echo").spec().description, "It is echo");
  connect({"page=2"});
  EXPECT_EQ(tools_.size(), all);
  connect({"no-tools"});
  EXPECT_TRUE(tools_.empty());
  client_.emplace(McpClient::connect(program({"endless"}), named()));
  EXPECT_EQ(error_of([&] { (void)client_->tools(); }, Errc::parse_error),
            "mcp it: tools/list: the list has no end");
}

TEST_F(ProgramLinkTest, ArgumentsAreCheckedByTheSchemaOfTheServer) {
  connect();
  EXPECT_EQ(error_of([&] { (void)tool("echo").arguments("{}"); }, Errc::invalid_request),
            "tool echo: text is missing");
  EXPECT_EQ(tool("echo").arguments(R"({"text":5})").text(), R"({"text":"5"})");
}

TEST_F(ProgramLinkTest, ASchemaThatIsMoreThanWeKnowIsTheServersToCheck) {
  connect();
  EXPECT_TRUE(tool("odd").spec().parameters->contains("dependentRequired"));
  EXPECT_EQ(call("odd", R"({"a":5,"c":null})"), R"({"a":5})");
}

TEST_F(ProgramLinkTest, NullForWhatMayBeMissingIsLeftOut) {
  connect();
  EXPECT_EQ(call("echo", R"({"text":"hi","mark":null})"), "hi");
  const json seen = this->seen();
  EXPECT_EQ(seen[3]["params"], (json{{"name", "echo"}, {"arguments", {{"text", "hi"}}}}));
}

TEST_F(ProgramLinkTest, ContentOfAllKindsIsText) {
  connect();
  EXPECT_EQ(call("rich"),
            "first\n[image: image/png, 5 bytes]\n[audio: audio/wav, 0 bytes]\ninside\n"
            "[resource: a/b, 2 bytes]\n[link: c, file:///c]\n[hologram]");
  EXPECT_EQ(call("shape"), R"({"degrees":21})");
}

TEST_F(ProgramLinkTest, AToolThatFailedIsAnError) {
  connect();
  EXPECT_EQ(failure("fail", Errc::unknown), "mcp it: fail: no such file");
  try {
    (void)call("fail");
  } catch (const Error& error) {
    EXPECT_EQ(error.details().provider_code, "tool_error");
    EXPECT_EQ(error.details().provider_message, "no\nsuch file");
  }
}

TEST_F(ProgramLinkTest, AFaultOfTheServerIsAnErrorWithItsNumber) {
  connect();
  EXPECT_EQ(failure("fault", Errc::invalid_request, R"({"code":-32602})"),
            "mcp it: tools/call fault: -32602: as you wish");
  EXPECT_EQ(failure("fault", Errc::not_found, R"({"code":-32601})"),
            "mcp it: tools/call fault: -32601: as you wish");
  EXPECT_EQ(failure("fault", Errc::server_error, R"({"code":-32603})"),
            "mcp it: tools/call fault: -32603: as you wish");
  EXPECT_EQ(failure("broken", Errc::parse_error), "mcp it: tools/call broken: there is no content");
}

TEST_F(ProgramLinkTest, WhatComesBeforeTheAnswerIsAnsweredOrPassedOver) {
  std::vector<McpProgress> heard;
  connect({}, {.on_progress = [&](const McpProgress& progress) { heard.push_back(progress); }});
  EXPECT_EQ(call("chatter"), "chatted");
  ASSERT_EQ(heard.size(), 2U);
  EXPECT_EQ(heard[1].tool, "chatter");
  EXPECT_EQ(heard[1].progress, 2);
  EXPECT_EQ(heard[1].total, 2);
  EXPECT_EQ(heard[1].message, "on it");
  const json seen = this->seen();
  EXPECT_EQ(seen[4], (json{{"jsonrpc", "2.0"}, {"id", "p1"}, {"result", json::object()}}));
  EXPECT_EQ(seen[5]["id"], 77);
  EXPECT_EQ(seen[5]["error"]["code"], -32601);
}

TEST_F(ProgramLinkTest, ProgressIsAskedForOnlyWhereSomebodyHears) {
  connect();
  EXPECT_EQ(call("chatter"), "chatted");
  EXPECT_FALSE(seen()[3]["params"].contains("_meta"));
}

TEST_F(ProgramLinkTest, ALineForPeopleAmongTheMessagesIsPassedOver) {
  connect();
  EXPECT_EQ(call("stray"), "strayed");
}

TEST_F(ProgramLinkTest, ToolsThatHaveChangedAreToldOfAndListedAnew) {
  connect();
  EXPECT_FALSE(client_->tools_changed());
  EXPECT_EQ(call("grow"), "done");
  EXPECT_TRUE(client_->tools_changed());
  const std::size_t before = tools_.size();
  EXPECT_EQ(client_->tools().size(), before + 1);
  EXPECT_FALSE(client_->tools_changed());
}

TEST_F(ProgramLinkTest, CallsAreAnsweredInAnyOrder) {
  connect();
  std::vector<std::future<std::string>> held;
  for (int i = 0; i < 8; ++i)
    held.push_back(std::async(std::launch::async, [this] { return call("hold"); }));
  for (bool all = false; !all;) {  // each look is an answer of the server
    const json seen = this->seen();
    all = std::count_if(seen.begin(), seen.end(), [](const json& message) {
            return message.value("/params/name"_json_pointer, "") == "hold";
          }) == 8;
  }
  EXPECT_EQ(call("release"), "released");
  std::set<std::string> answers;
  for (auto& one : held) answers.insert(one.get());
  EXPECT_EQ(answers.size(), 8U);
}

TEST_F(ProgramLinkTest, AToolThatIsStoppedIsCalledOffAtTheServer) {
  connect();
  std::stop_source stop;
  auto held = std::async(std::launch::async, [&] {
    return error_of([&] { (void)call("hold", "{}", stop.get_token()); }, Errc::cancelled);
  });
  json id;
  while (id.is_null())
    for (const json& message : seen())
      if (message.value("/params/name"_json_pointer, "") == "hold") id = message["id"];
  stop.request_stop();
  EXPECT_EQ(held.get(), "mcp it: tools/call hold: cancelled");
  const json last_but_one = *(seen().end() - 2);
  EXPECT_EQ(last_but_one["method"], "notifications/cancelled");
  EXPECT_EQ(last_but_one["params"]["requestId"], id);
  EXPECT_EQ(call("release"), "released");  // the late answer to the call is let go
}

TEST_F(ProgramLinkTest, AToolThatTakesTooLongIsCalledOffAtTheServer) {
  connect({}, {.call = 1s});
  EXPECT_EQ(failure("hold", Errc::timeout), "mcp it: tools/call hold: no answer in time");
  const json last_but_one = *(seen().end() - 2);
  EXPECT_EQ(last_but_one["method"], "notifications/cancelled");
}

TEST_F(ProgramLinkTest, AServerThatDiesFailsTheCallAndIsStartedAgainByTheNext) {
  const FolderForTest folder;
  const std::string runs = folder.path() / "runs";
  connect({"runs=" + runs});
  const std::string said = failure("die", Errc::transport_error, R"({"code":7})");
  EXPECT_EQ(said, "mcp it: tools/call die: the server ended with code 7: first line / out of luck");
  EXPECT_EQ(std::filesystem::file_size(runs), 1U);
  EXPECT_EQ(call("echo", R"({"text":"again"})"), "again");
  EXPECT_EQ(std::filesystem::file_size(runs), 2U);
  EXPECT_NE(failure("die", Errc::transport_error), "");
  EXPECT_EQ(call("echo", R"({"text":"and again"})"), "and again");
}

TEST_F(ProgramLinkTest, AllCallsUnderWayFailWithAServerThatDies) {
  connect();
  std::vector<std::future<std::string>> held;
  for (int i = 0; i < 4; ++i)
    held.push_back(
        std::async(std::launch::async, [this] { return failure("hold", Errc::transport_error); }));
  for (bool all = false; !all;) {
    const json seen = this->seen();
    all = std::count_if(seen.begin(), seen.end(), [](const json& message) {
            return message.value("/params/name"_json_pointer, "") == "hold";
          }) == 4;
  }
  EXPECT_NE(failure("die", Errc::transport_error), "");
  for (auto& one : held) EXPECT_NE(one.get().find("ended with code 1"), std::string::npos);
}

TEST_F(ProgramLinkTest, ManyCallsThatFindItDeadStartItOnce) {
  const FolderForTest folder;
  const std::string runs = folder.path() / "runs";
  connect({"runs=" + runs});
  EXPECT_NE(failure("die", Errc::transport_error), "");
  std::vector<std::future<std::string>> calls;
  for (int i = 0; i < 8; ++i)
    calls.push_back(
        std::async(std::launch::async, [this] { return call("echo", R"({"text":"up"})"); }));
  for (auto& one : calls) EXPECT_EQ(one.get(), "up");
  EXPECT_EQ(std::filesystem::file_size(runs), 2U);
}

TEST_F(ProgramLinkTest, WhatIsNoMessageEndsTheConnection) {
  connect();
  EXPECT_EQ(failure("garbage", Errc::parse_error),
            "mcp it: tools/call garbage: no JSON-RPC: not JSON at byte 23: "
            R"({"jsonrpc":"2.0","id":)");
  EXPECT_EQ(call("echo", R"({"text":"again"})"), "again");
}

TEST_F(ProgramLinkTest, AMessageThatIsTooLongEndsTheConnection) {
  connect({}, {.max_message = 100'000});
  EXPECT_EQ(call("huge", R"({"bytes":90000})").size(), 90000U);
  EXPECT_EQ(failure("huge", Errc::parse_error, R"({"bytes":100000})"),
            "mcp it: tools/call huge: a line of the stream is over 100000 bytes");
  EXPECT_EQ(call("echo", R"({"text":"again"})"), "again");
}

TEST_F(ProgramLinkTest, AServerThatClosesOneOfItsEndsIsLost) {
  connect({}, {.close = 50ms});
  EXPECT_EQ(failure("close_output", Errc::transport_error),
            "mcp it: tools/call close_output: the server has closed its standard output");
  EXPECT_EQ(failure("close_input", Errc::transport_error),
            "mcp it: tools/call close_input: the server has closed its standard input");
}

TEST_F(ProgramLinkTest, AServerThatDoesNotReadIsLost) {
  const auto link = start_program_link(
      {.start = {.program = "/bin/sleep", .arguments = {"600"}, .conversation = true},
       .close = 20ms,
       .max_unread = 100'000},
      [](const RpcMessage&) { return std::string(); });
  EXPECT_EQ(error_of([&] { (void)link->ask({.id = 1, .text = std::string(1'000'000, 'x')}); },
                     Errc::transport_error),
            "the server does not read what it is sent");
  EXPECT_TRUE(link->lost());
}

TEST_F(ProgramLinkTest, AServerThatTalksWithoutEndCanBeLeft) {
  const auto link = start_program_link(
      {.start = {.program = "/bin/sh",
                 .arguments = {"-c", "while :; do echo '{\"method\":\"x\"}'; done"},
                 .conversation = true},
       .close = 20ms},
      [](const RpcMessage&) { return std::string(); });
  EXPECT_FALSE(link->lost());
}

TEST_F(ProgramLinkTest, ProgressWithoutEndKeepsNobodyFromLeaving) {
  std::mutex mutex;
  std::condition_variable changed;
  int beats = 0;  // guarded by mutex
  const auto link = start_program_link(
      {.start = {.program = "/bin/sh",
                 .arguments = {"-c",
                               "exec yes '{\"jsonrpc\":\"2.0\",\"method\":"
                               "\"notifications/progress\",\"params\":{\"progressToken\":1}}\n"
                               "{\"jsonrpc\":\"2.0\",\"method\":\"beat\"}'"},
                 .environment = {"PATH=/usr/bin:/bin"},
                 .conversation = true},
       .close = 20ms},
      [&](const RpcMessage&) {
        const std::lock_guard lock(mutex);
        ++beats;
        changed.notify_all();
        return std::string();
      });
  std::stop_source stop;
  int told = 0;
  const McpQuestion question{.id = 1,
                             .text = "{}",
                             .patience = {.stop = stop.get_token()},
                             .progressed = [&](const Json&) {
                               stop.request_stop();
                               if (++told > 2'000) throw std::runtime_error("nobody leaves");
                               std::unique_lock lock(mutex);  // more has come when we return
                               changed.wait(lock, [&, seen = beats] { return beats > seen + 1; });
                             }};
  EXPECT_EQ(error_of([&] { (void)link->ask(question); }, Errc::cancelled), "cancelled");
}

TEST_F(ProgramLinkTest, AProgressHandlerThatThrowsCallsTheToolOff) {
  connect({}, {.on_progress = [](const McpProgress&) { throw std::runtime_error("enough"); }});
  EXPECT_THROW((void)call("chatter"), std::runtime_error);
  const json last_but_one = *(seen().end() - 2);
  EXPECT_EQ(last_but_one["method"], "notifications/cancelled");
}

TEST_F(ProgramLinkTest, AServerThatClosesItsOutputAndStaysIsGoneInTime) {
  const Instant begun = Instant::clock::now();
  {
    const auto link = start_program_link(
        {.start = {.program = "/bin/sh",
                   .arguments = {"-c", "trap '' TERM; exec >&-; while :; do sleep 600; done"},
                   .environment = {"PATH=/usr/bin:/bin"},
                   .conversation = true},
         .close = 2s},
        [](const RpcMessage&) { return std::string(); });
    EXPECT_EQ(error_of([&] { (void)link->ask({.id = 1, .text = "{}"}); }, Errc::transport_error),
              "the server has closed its standard output");
  }
  EXPECT_LT(Instant::clock::now() - begun, 3'500ms);
}

TEST_F(ProgramLinkTest, AServerThatSaysNothingIsGivenUp) {
  EXPECT_EQ(refusal(program({"mute"}), Errc::timeout, {.connect = 50ms}),
            "mcp it: initialize: no answer in time");
}

TEST_F(ProgramLinkTest, AServerThatDoesNotStartIsToldWithWhatItPrinted) {
  EXPECT_EQ(refusal(program({"no-start"}), Errc::transport_error),
            "mcp it: initialize: the server ended with code 3: cannot find module 'files'");
  EXPECT_EQ(refusal(McpProgram{.command = "/nowhere/server"}, Errc::not_found),
            "mcp it: /nowhere/server: can't be started: No such file or directory");
  EXPECT_EQ(refusal(McpProgram{.command = "mellea-no-such-server"}, Errc::not_found),
            "mcp it: mellea-no-such-server: can't be started: No such file or directory");
  EXPECT_EQ(refusal(McpProgram{.command = MELLEA_SCRIPTED_MCP_SERVER, .folder = "/nowhere"},
                    Errc::not_found),
            std::string("mcp it: ") + MELLEA_SCRIPTED_MCP_SERVER +
                ": can't be started in /nowhere: No such file or directory");
  EXPECT_EQ(refusal(McpProgram{}, Errc::invalid_request),
            "mcp: no command given: name the server's program");
}

TEST_F(ProgramLinkTest, AServerSeesLittleOfOurEnvironment) {
  ::setenv("OPENAI_API_KEY", "secret", 1);
  client_.emplace(McpClient::connect(McpProgram{.command = MELLEA_SCRIPTED_MCP_SERVER,
                                                .environment = {{"TOKEN", "x"}, {"PATH", "/bin"}},
                                                .folder = "/"}));
  ::unsetenv("OPENAI_API_KEY");
  tools_ = client_->tools();
  const json told = json::parse(call("environment"));
  EXPECT_EQ(told["folder"], "/");
  const std::set<std::string> names = told["names"];
  EXPECT_TRUE(names.contains("TOKEN"));
  EXPECT_TRUE(names.contains("PATH"));
  EXPECT_FALSE(names.contains("OPENAI_API_KEY"));
}

// Whether that process is there no more, or ends soon.
bool is_gone(pid_t process) {
  const int handle = static_cast<int>(::syscall(SYS_pidfd_open, process, 0));
  if (handle < 0) return true;
  pollfd look{.fd = handle, .events = POLLIN, .revents = 0};
  const bool gone = ::poll(&look, 1, 10'000) == 1;
  ::close(handle);
  return gone;
}

TEST_F(ProgramLinkTest, TheServerEndsWithTheLastWhoKnowsIt) {
  connect();
  const pid_t left = std::stoi(call("leave_behind"));
  const Tool echo = tool("echo");
  tools_.clear();
  client_.reset();
  EXPECT_EQ(echo.run()(Json(json{{"text", "still"}}), {.scope = {}, .stop = {}}), "still");
  EXPECT_NE(::kill(left, 0), -1);
}

TEST_F(ProgramLinkTest, WhatTheServerHasStartedEndsWithIt) {
  connect();
  const pid_t left = std::stoi(call("leave_behind"));
  tools_.clear();
  client_.reset();
  EXPECT_TRUE(is_gone(left));
}

TEST_F(ProgramLinkTest, TheServerEndsWithAProcessThatIsKilled) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    connect({"deaf"});
    const std::string server = json::parse(call("environment"))["process"].dump() + '\n';
    (void)!::write(pipe[1], server.data(), server.size());
    ::pause();
  }
  std::array<char, 16> server{};
  EXPECT_GT(::read(pipe[0], server.data(), server.size() - 1), 0);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(is_gone(std::stoi(server.data())));
  for (const int end : pipe) ::close(end);
}

TEST_F(ProgramLinkTest, AServerThatDoesNotEndIsKilled) {
  connect({"deaf"}, {.close = 40ms});
  const Instant before = Instant::clock::now();
  client_->close();
  EXPECT_GE(Instant::clock::now() - before, 40ms);
  EXPECT_EQ(failure("echo", Errc::shutdown, R"({"text":"x"})"), "mcp it: this client was closed");
}

TEST_F(ProgramLinkTest, CallsUnderWayEndWithTheClient) {
  connect();
  auto held = std::async(std::launch::async, [this] { return failure("hold", Errc::shutdown); });
  for (bool waits = false; !waits;)
    for (const json& message : seen())
      waits = waits || message.value("/params/name"_json_pointer, "") == "hold";
  client_->close();
  EXPECT_EQ(held.get(), "mcp it: this client was closed");
  EXPECT_EQ(error_of([&] { (void)client_->tools(); }, Errc::shutdown),
            "mcp it: this client was closed");
}

TEST_F(ProgramLinkTest, AChildOfForkTouchesNothing) {
  connect();
  const pid_t child = ::fork();
  if (child == 0) {
    bool refused = false;
    try {
      (void)call("echo", R"({"text":"x"})");
    } catch (const Error& error) {
      refused = error.code() == Errc::after_fork;
    }
    tools_.clear();
    client_.reset();
    ::_exit(refused ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(call("echo", R"({"text":"still"})"), "still");
}

TEST_F(ProgramLinkTest, ACallIsPartOfTheTraceThatItIsCalledIn) {
  connect();
  const TraceRef trace =
      TraceRef::from_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  const auto origin = std::make_shared<const Origin>(
      Origin{.traceparent = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
             .tracestate = "vendor=1",
             .baggage = "user=7,plan=pro"});
  const Scope tool = Scope::root(Kind::agent, {.origin = origin}).child(Kind::tool).traced(trace);
  const auto meta = [&](const Scope& scope) {
    (void)call("echo", R"({"text":"x"})", {}, scope);
    return (*(seen().end() - 2))["params"].value("_meta", json());
  };
  EXPECT_EQ(meta(tool), (json{{"traceparent", trace.traceparent()}}));
  EXPECT_EQ(meta(Scope()), json());
  EXPECT_EQ(meta(Scope::root(Kind::tool, {.origin = origin})),
            (json{{"traceparent", origin->traceparent}}));

  connect({}, {.trusted = true});
  EXPECT_EQ(meta(tool), (json{{"traceparent", trace.traceparent()}, {"tracestate", "vendor=1"}}));
  connect({}, {.trusted = true, .baggage = {"user"}});
  EXPECT_EQ(meta(tool), (json{{"traceparent", trace.traceparent()},
                              {"tracestate", "vendor=1"},
                              {"baggage", "user=7"}}));
  const TraceRef other =
      TraceRef::from_traceparent("00-11111111111111111111111111111111-b7ad6b7169203331-01");
  EXPECT_EQ(meta(tool.traced(other)),
            (json{{"traceparent", other.traceparent()}, {"baggage", "user=7"}}));
}

}  // namespace
}  // namespace mellea
