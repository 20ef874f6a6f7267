#include "mellea/telemetry/tool_tracing_plugin.h"

#include "mellea/telemetry/tracing_for_test.h"

namespace mellea::telemetry {
namespace {

// A plugin that stops what it is told to stop.
template <class E>
class Stops : public Plugin {
 public:
  std::string_view name() const override { return "no_secrets"; }
  void subscribe(Subscriber& hooks) override {
    hooks.intercept<E>([](E&) { return Verdict::stop({.reason = "SECRET", .code = "has_key"}); });
  }
};

class ToolTracingTest : public TracingTest {
 protected:
  Opened<ToolPreInvoke> tool(ToolCall call, const Scope& asked_by = {}) {
    const auto spec = std::make_shared<const ToolSpec>(
        ToolSpec{.name = "weather", .description = "Of a city,\nnow."});
    return begin(ToolPreInvoke{.scope = Scope::root(Kind::tool),
                               .at = kStart,
                               .tool = call.name == spec->name ? spec : nullptr,
                               .asked_by = asked_by,
                               .conversation = std::make_shared<const std::string>("c-1"),
                               .call = std::move(call)});
  }
  // As the runtime does: what ended well may still be stopped.
  void end(const Opened<ToolPreInvoke>& tool, Ending ending = {},
           std::chrono::nanoseconds took = 12'900us,
           std::shared_ptr<const RemoteCall> remote = nullptr) {
    ending.at = kStart + 20ms;
    ToolPostInvoke event{.opening = tool.opening,
                         .ending = ending,
                         .took = took,
                         .remote = std::move(remote),
                         .output = "SECRET result"};
    if (ending.outcome == Outcome::ok) static_cast<void>(hooks_.decide(event));
    hooks_.tell(event);
  }
};

TEST_F(ToolTracingTest, ACallSaysWhatWasCalledAndWhoAskedForIt) {
  const auto chat = generation(Scope::root(Kind::generation));
  const auto call =
      tool({.id = "call_1", .name = "weather", .arguments = R"({"q": "hi"})"}, chat.scope);
  end(call);
  TracingTest::end(chat);
  const SpanPtr traced = span("execute_tool weather");
  EXPECT_EQ(traced->kind, SpanKind::internal);
  EXPECT_EQ(traced->library, "mellea.application");
  EXPECT_EQ(traced->status, SpanStatus::unset);
  const std::vector<std::pair<std::string_view, std::string_view>> expected = {
      {"gen_ai.operation.name", "execute_tool"},
      {"gen_ai.tool.name", "weather"},
      {"gen_ai.tool.type", "function"},
      {"gen_ai.tool.description", "Of a city, now."},
      {"gen_ai.tool.call.id", "call_1"},
      {"gen_ai.conversation.id", "c-1"},
      {"mellea.tool.arguments_hash", "2b34ea7743872c41"},
      {"mellea.tool.is_control_flow", "false"},
      {"mellea.tool.status", "success"},
      {"mellea.tool.execution_time_ms", "12"},
  };
  for (const auto& [key, value] : expected) EXPECT_EQ(at(traced, key), value) << key;
  EXPECT_EQ(at(traced, Fact::generation_id), chat.scope.id().text());
  ASSERT_EQ(traced->links().size(), 1U);
  EXPECT_EQ(traced->links()[0], span("chat granite")->ids);
}

TEST_F(ToolTracingTest, NeitherArgumentsNorResultAreRecorded) {
  end(tool({.name = "weather", .arguments = R"({"city": "SECRET"})"}));
  EXPECT_EQ(all_of(span("execute_tool weather")).find("SECRET"), std::string::npos);
}

TEST_F(ToolTracingTest, WhatIsNotKnownIsLeftOut) {
  end(tool({.name = "weather", .arguments = "{}"}));
  const SpanPtr traced = span("execute_tool weather");
  EXPECT_EQ(at(traced, Fact::tool_call_id), "");
  EXPECT_EQ(at(traced, Fact::arguments_hash), "");
  EXPECT_EQ(at(traced, Fact::generation_id), "");
  EXPECT_TRUE(traced->links().empty());
}

TEST_F(ToolTracingTest, ANameThatTheModelMadeUpIsNotShown) {
  end(tool({.name = "SECRET name"}), failed(Errc::not_found), 0ns);
  const SpanPtr traced = span("execute_tool unknown");
  EXPECT_EQ(at(traced, Fact::tool_name), "unknown");
  EXPECT_EQ(at(traced, Fact::tool_type), "");
  EXPECT_EQ(at(traced, Fact::error_type), "not_found");
  EXPECT_EQ(at(traced, Fact::tool_time), "");
  EXPECT_EQ(all_of(traced).find("SECRET"), std::string::npos);
}

TEST_F(ToolTracingTest, AToolThatThrowsIsAnErrorAndSaysHowLongItTook) {
  end(tool({.name = "weather"}), failed(Errc::unknown));
  const SpanPtr traced = span("execute_tool weather");
  EXPECT_EQ(traced->status, SpanStatus::error);
  EXPECT_EQ(at(traced, Fact::tool_status), "failure");
  EXPECT_EQ(at(traced, Fact::error_type), "unknown");
  EXPECT_EQ(at(traced, Fact::tool_time), "12");
  ASSERT_EQ(traced->events().size(), 1U);
  EXPECT_EQ(traced->events()[0].name, "exception");
  EXPECT_EQ(all_of(traced).find("SECRET"), std::string::npos);
}

TEST_F(ToolTracingTest, AToolOfAServerSaysHowItWasAskedFor) {
  const auto remote = std::make_shared<const RemoteCall>(
      RemoteCall{.method = "tools/call",
                 .revision = "2025-11-25",
                 .session = "s-1",
                 .request_id = "7",
                 .transport = "tcp",
                 .server = {.address = "mcp.example.com", .port = 443},
                 .status_code = "-32602"});
  end(tool({.name = "weather"}), failed(Errc::invalid_request), 1ms, remote);
  const SpanPtr traced = span("execute_tool weather");
  const std::vector<std::pair<std::string_view, std::string_view>> expected = {
      {"mcp.method.name", "tools/call"},
      {"mcp.protocol.version", "2025-11-25"},
      {"mcp.session.id", "s-1"},
      {"jsonrpc.request.id", "7"},
      {"network.transport", "tcp"},
      {"server.address", "mcp.example.com"},
      {"server.port", "443"},
      {"rpc.response.status_code", "-32602"},
      {"error.type", "invalid_request"},
  };
  for (const auto& [key, value] : expected) EXPECT_EQ(at(traced, key), value) << key;
}

TEST_F(ToolTracingTest, AToolThatItsServerSaysHasFailedIsAToolError) {
  const auto remote = std::make_shared<const RemoteCall>(RemoteCall{
      .method = "tools/call", .session = "SECRET\n", .transport = "pipe", .tool_failed = true});
  end(tool({.name = "weather"}), failed(Errc::unknown), 1ms, remote);
  const SpanPtr traced = span("execute_tool weather");
  EXPECT_EQ(traced->status, SpanStatus::error);
  EXPECT_EQ(at(traced, Fact::error_type), "tool_error");
  EXPECT_EQ(at(traced, Fact::network_transport), "pipe");
  EXPECT_EQ(at(traced, Fact::server_address), "");
  const auto errors = std::count_if(
      traced->attributes().begin(), traced->attributes().end(),
      [](const Attribute& attribute) { return attribute.key == Key(Fact::error_type); });
  EXPECT_EQ(errors, 1);
  EXPECT_EQ(all_of(traced).find("SECRET"), std::string::npos);  // what is no id
}

TEST_F(ToolTracingTest, ACallThatWasLeftHasNoStatus) {
  end(tool({.name = "weather"}), cancelled(CancelReason::caller));
  const SpanPtr traced = span("execute_tool weather");
  EXPECT_EQ(traced->status, SpanStatus::unset);
  EXPECT_EQ(at(traced, Fact::tool_status), "");
  EXPECT_EQ(at(traced, Fact::cancel_reason), "caller");
}

TEST_F(ToolTracingTest, ABlockedCallHasASpanToo) {
  hooks_ = hooks_.with({std::make_shared<Stops<ToolPreInvoke>>()});
  end(tool({.name = "weather"}), failed(Errc::blocked, {.plugin = "no_secrets"}), 0ns);
  const SpanPtr traced = span("execute_tool weather");
  EXPECT_EQ(at(traced, Fact::tool_status), "failure");
  EXPECT_EQ(at(traced, Fact::block_plugin), "no_secrets");
}

TEST_F(ToolTracingTest, AResultThatIsStoppedIsABlock) {
  hooks_ = hooks_.with({std::make_shared<Stops<ToolPostInvoke>>()});
  end(tool({.name = "weather"}));
  const SpanPtr traced = span("execute_tool weather");
  EXPECT_EQ(traced->status, SpanStatus::error);
  EXPECT_EQ(traced->description, "blocked by plugin no_secrets");
  EXPECT_EQ(at(traced, Fact::tool_status), "failure");
  EXPECT_EQ(at(traced, Fact::block_code), "has_key");
  EXPECT_EQ(at(traced, Fact::tool_time), "12");
  EXPECT_EQ(all_of(traced).find("SECRET"), std::string::npos);
}

}  // namespace
}  // namespace mellea::telemetry
