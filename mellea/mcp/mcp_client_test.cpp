// Tools of a server in a session, as a model calls them.
#include "mellea/mcp/mcp_client.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "mellea/runtime/session_for_test.h"

namespace mellea {
namespace {

using nlohmann::json;
using scripted::Line;

constexpr const char* kTraceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

// Traces each call of a tool, and keeps how the last one ended.
class Tracing : public Plugin {
 public:
  std::string_view name() const override { return "tracing"; }
  void subscribe(Subscriber& hooks) override {
    hooks.transform<ToolPreInvoke>(
        [](ToolPreInvoke& event) { event.trace = TraceRef::from_traceparent(kTraceparent); });
    hooks.observe<ToolPostInvoke>([this](const ToolPostInvoke& event) {
      ending = event.ending;
      remote = event.remote ? *event.remote : RemoteCall{};
    });
  }
  Ending ending{};
  RemoteCall remote{};
};

class McpClientTest : public SessionTest {
 protected:
  void SetUp() override { make_runtime({tracing_}); }

  ToolResult call(ToolCall wanted) {
    Line line;
    script(line.tool_call(std::move(wanted)).finish("tool_calls"));
    Session session = start();
    const auto results = session.call_tools(session.chat("hi", {.tools = tools_}));
    EXPECT_EQ(results.size(), 1U);
    return results.at(0);
  }

  const std::shared_ptr<Tracing> tracing_ = std::make_shared<Tracing>();
  const McpClient client_ =
      McpClient::connect(McpProgram{.command = MELLEA_SCRIPTED_MCP_SERVER}, {.name = "it"});
  const Tools tools_ = client_.tools();
};

TEST_F(McpClientTest, AModelsCallIsAnswered) {
  const ToolResult result = call({.name = "echo", .arguments = R"({"text":"hi"})"});
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(result.text, "hi");
  EXPECT_EQ(tracing_->ending.outcome, Outcome::ok);
  const RemoteCall& remote = tracing_->remote;
  EXPECT_EQ(remote.method, "tools/call");
  EXPECT_EQ(remote.revision, client_.server().revision);
  EXPECT_EQ(remote.session, "");
  EXPECT_EQ(remote.request_id, "3");  // after initialize and tools/list
  EXPECT_EQ(remote.transport, "pipe");
  EXPECT_EQ(remote.server.address, "");
  EXPECT_EQ(remote.status_code, "");
  EXPECT_FALSE(remote.tool_failed);
}

TEST_F(McpClientTest, AToolThatSaysItFailedHasFailed) {
  const ToolResult result = call({.name = "fail"});
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.text, R"({"error":"mcp it: fail: no such file"})");
  EXPECT_EQ(tracing_->ending.outcome, Outcome::error);
  EXPECT_EQ(tracing_->ending.error->code(), Errc::unknown);
  EXPECT_TRUE(tracing_->remote.tool_failed);
}

TEST_F(McpClientTest, OnlyAServerThatIsTrustedIsGivenBaggage) {
  try {
    McpClient::connect(McpProgram{.command = "true"}, {.baggage = {"user"}});
    FAIL() << "it was connected";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::invalid_request);
    EXPECT_STREQ(error.what(),
                 "mcp: baggage \"user\" is for a server that is trusted, and this one is not");
  }
}

TEST_F(McpClientTest, AServerThatDiesIsTheModelsToRead) {
  const ToolResult result = call({.name = "die", .arguments = R"({"code":7})"});
  EXPECT_EQ(result.text, R"({"error":"mcp it: tools/call die: the server ended with code 7: )"
                         R"(first line / out of luck"})");
  EXPECT_EQ(tracing_->ending.error->code(), Errc::transport_error);
  EXPECT_EQ(tracing_->remote.method, "tools/call");
  EXPECT_TRUE(call({.name = "echo", .arguments = R"({"text":"hi"})"}).ok());
}

TEST_F(McpClientTest, TheServerHearsOfTheSpanOfTheCall) {
  const json seen = json::parse(call({.name = "seen"}).text);
  EXPECT_EQ(seen.back()["params"]["_meta"], (json{{"traceparent", kTraceparent}}));
}

}  // namespace
}  // namespace mellea
