// With a server by the protocol's own Python library, which MELLEA_MCP_PYTHON and MELLEA_MCP_SERVER
// start on standard input and output, and which answers at MELLEA_MCP_URL.
#include <gtest/gtest.h>
#include <mellea/mcp.h>

#include <cstdlib>
#include <future>
#include <nlohmann/json.hpp>

#include "mellea/core/error.h"

namespace mellea {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

class McpServerTest : public testing::TestWithParam<const char*> {
 protected:
  void connect(McpOptions options = {}) {
    McpServer server = McpUrl{.url = variable("MELLEA_MCP_URL")};
    if (std::string_view(GetParam()) == "program")
      server = McpProgram{.command = variable("MELLEA_MCP_PYTHON"),
                          .arguments = {variable("MELLEA_MCP_SERVER")}};
    client_.emplace(McpClient::connect(std::move(server), std::move(options)));
    tools_ = client_->tools();
  }
  std::string call(const std::string& name, const std::string& arguments = "{}",
                   const Scope& scope = {}, std::stop_token stop = {}) const {
    for (const Tool& tool : tools_)
      if (tool.name() == name)
        return tool.run()(tool.arguments(arguments), {.scope = scope, .stop = std::move(stop)});
    throw std::runtime_error("no tool " + name);
  }

  std::optional<McpClient> client_;
  Tools tools_;
};

TEST_P(McpServerTest, SaysWhoItIs) {
  connect();
  EXPECT_EQ(client_->server().name, "interop");
  EXPECT_EQ(client_->server().instructions, "Add with add.");
  EXPECT_EQ(client_->server().revision, "2025-11-25");
  EXPECT_EQ(client_->server().session.empty(), std::string_view(GetParam()) == "program");
}

TEST_P(McpServerTest, ItsToolsAreCalled) {
  connect();
  EXPECT_EQ(call("add", R"({"a":"1","b":2})"), "3");
  EXPECT_EQ(call("add", R"({"a":1,"b":null})"), "11");
  EXPECT_EQ(call("picture"), "[image: image/png, 5 bytes]");
  EXPECT_THROW((void)call("add", R"({"a":"one"})"), Error);
  EXPECT_THROW((void)call("fail", R"({"why":"not today"})"), Error);
  EXPECT_EQ(call("add", R"({"a":1})"), "11");
}

TEST_P(McpServerTest, ItTellsOfItsProgress) {
  std::vector<double> heard;
  connect({.on_progress = [&](const McpProgress& told) { heard.push_back(told.progress); }});
  EXPECT_EQ(call("slow", R"({"steps":3})"), "done");
  EXPECT_EQ(heard, (std::vector<double>{1, 2, 3}));
}

TEST_P(McpServerTest, ItHearsWhereACallIsInItsTrace) {
  connect();
  const TraceRef trace =
      TraceRef::from_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  EXPECT_EQ(call("trace", "{}", Scope::root(Kind::tool).traced(trace)), trace.traceparent());
}

TEST_P(McpServerTest, ACallIsCalledOff) {
  connect();
  std::stop_source stop;
  auto waits = std::async(std::launch::async, [&] {
    try {
      return call("wait_for_ever", "{}", {}, stop.get_token());
    } catch (const Error& error) {
      return std::string(to_string(error.code()));
    }
  });
  EXPECT_EQ(call("add", R"({"a":1})"), "11");
  stop.request_stop();
  EXPECT_EQ(waits.get(), "cancelled");
  EXPECT_EQ(call("add", R"({"a":2})"), "12");
}

INSTANTIATE_TEST_SUITE_P(Mcp, McpServerTest, testing::Values("program", "url"),
                         [](const auto& one) { return std::string(one.param); });

}  // namespace
}  // namespace mellea
