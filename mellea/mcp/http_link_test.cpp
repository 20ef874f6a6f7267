// What is true of servers at a URL.
#include "mellea/mcp/http_link.h"

#include <gtest/gtest.h>

#include <future>
#include <mutex>
#include <nlohmann/json.hpp>

#include "mellea/core/error.h"
#include "mellea/mcp/mcp_client.h"
#include "mellea/mcp/scripted_mcp_for_test.h"
#include "mellea/net/testing/loopback_server.h"

namespace mellea {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr const char* kJson = "application/json";

std::string event(const json& message, const std::string& id = "") {
  return (id.empty() ? "" : "id: " + id + '\n') + "event: message\ndata: " + message.dump() +
         "\n\n";
}

class HttpLinkTest : public testing::Test {
 protected:
  // What the server does with a request, in place of what it would have done.
  using Instead = std::function<std::optional<Script>(const ReceivedRequest&, const json& message)>;

  void serve(Instead instead = {}, std::string session = "") {
    session_ = std::move(session);
    instead_ = std::move(instead);
    server_.emplace([this](const ReceivedRequest& request) { return answer(request); });
  }
  void connect(McpOptions options = {}) {
    options.name = "it";
    client_.emplace(McpClient::connect(
        McpUrl{.url = server_->url("/mcp"), .headers = {{"authorization", "Bearer key"}}},
        std::move(options)));
    tools_ = client_->tools();
  }
  std::string call(const std::string& name, const std::string& arguments = "{}",
                   std::stop_token stop = {}) const {
    for (const Tool& tool : tools_)
      if (tool.name() == name)
        return tool.run()(tool.arguments(arguments), {.scope = {}, .stop = std::move(stop)});
    throw std::runtime_error("no tool " + name);
  }
  // What a call of that tool, which fails, says of how it was asked for.
  RemoteCall remote_of(const std::string& name, const std::string& arguments) const {
    RemoteCall remote;
    for (const Tool& tool : tools_) {
      if (tool.name() != name) continue;
      EXPECT_THROW(
          tool.run()(tool.arguments(arguments), {.scope = {}, .stop = {}, .remote = &remote}),
          Error);
    }
    return remote;
  }
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
  // Without the URL, whose port is any.
  std::string failure(const std::string& name, Errc code, std::stop_token stop = {}) {
    return shown(error_of([&] { (void)call(name, "{}", stop); }, code));
  }
  std::string refusal(Errc code, McpOptions options = {}) {
    return shown(error_of([&] { connect(options); }, code));
  }
  std::string shown(std::string what) const {
    for (const std::string& part : {server_->url("/mcp"), server_->authority()})
      if (const auto at = what.find(part); at != what.npos) what.replace(at, part.size(), "URL");
    return what;
  }

  // The requests whose message is of that method, or that have none and are of that verb.
  std::vector<ReceivedRequest> requests(const std::string& method) const {
    std::vector<ReceivedRequest> found;
    for (const ReceivedRequest& request : server_->requests()) {
      const json message = json::parse(request.body, nullptr, false);
      if (message.is_object() ? message.value("method", "") == method : request.method == method)
        found.push_back(request);
    }
    return found;
  }

  static bool is_call(const json& message, const char* tool) {
    return message.is_object() && message.value("/params/name"_json_pointer, "") == tool;
  }
  static Script answered(const json& message) {
    return Script::answer(200, message.dump(), {{"content-type", kJson}});
  }

  ScriptedMcp scripted_{{}};
  Instead instead_;
  std::string session_;
  std::optional<LoopbackServer> server_;  // its thread uses what is above
  std::optional<McpClient> client_;
  Tools tools_;
  bool streams_ = false;  // answers come as events

 private:
  Script answer(const ReceivedRequest& request) {
    const json message = json::parse(request.body, nullptr, false);
    if (instead_)
      if (auto script = instead_(request, message)) return std::move(*script);
    if (request.method != "POST") return Script::answer(405, "");
    const std::vector<json> said = scripted_.hear(message);
    if (said.empty()) return Script::answer(202, "");
    Headers headers;
    if (message.value("method", "") == "initialize" && !session_.empty())
      headers.emplace_back("Mcp-Session-Id", session_);
    if (!streams_) {
      headers.emplace_back("content-type", "application/json; charset=utf-8");
      return Script::answer(200, said.back().dump(), headers);
    }
    Script script = Script::stream(headers);
    for (const json& one : said) script.chunk(event(one));
    return script.end();
  }
};

TEST_F(HttpLinkTest, EachMessageIsAPostToTheEndpoint) {
  serve({}, "s-1");
  connect();
  EXPECT_EQ(call("echo", R"({"text":"hi"})"), "hi");
  EXPECT_EQ(client_->server().session, "s-1");
  const auto all = server_->requests();
  ASSERT_EQ(all.size(), 4U);
  for (const ReceivedRequest& request : all) {
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.path, "/mcp");
    EXPECT_EQ(request.header("authorization"), "Bearer key");
    EXPECT_EQ(request.header("content-type"), kJson);
    EXPECT_EQ(request.header("accept"), "application/json, text/event-stream");
  }
  EXPECT_EQ(all[0].header("mcp-session-id"), "");
  EXPECT_EQ(all[0].header("mcp-protocol-version"), "");
  EXPECT_EQ(json::parse(all[1].body)["method"], "notifications/initialized");
  for (std::size_t i = 1; i < all.size(); ++i) {
    EXPECT_EQ(all[i].header("mcp-session-id"), "s-1");
    EXPECT_EQ(all[i].header("mcp-protocol-version"), "2025-11-25");
  }
}

TEST_F(HttpLinkTest, ACallSaysHowTheServerWasAsked) {
  serve({}, "s-1");
  connect();
  const RemoteCall remote = remote_of("fault", R"({"code":-32602})");
  EXPECT_EQ(remote.method, "tools/call");
  EXPECT_EQ(remote.revision, "2025-11-25");
  EXPECT_EQ(remote.session, "s-1");
  EXPECT_EQ(remote.request_id, "3");
  EXPECT_EQ(remote.transport, "tcp");
  EXPECT_EQ(remote.server.address + ':' + std::to_string(remote.server.port), server_->authority());
  EXPECT_EQ(remote.status_code, "-32602");
  EXPECT_FALSE(remote.tool_failed);
}

TEST_F(HttpLinkTest, CallsShareConnections) {
  serve();
  connect();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(call("echo", R"({"text":"hi"})"), "hi");
  EXPECT_EQ(server_->connections(), 1);
}

TEST_F(HttpLinkTest, AnswersMayComeAsEventsAfterOthers) {
  streams_ = true;
  serve();
  std::vector<McpProgress> heard;
  connect({.on_progress = [&](const McpProgress& progress) { heard.push_back(progress); }});
  EXPECT_EQ(call("chatter"), "chatted");
  ASSERT_EQ(heard.size(), 2U);
  EXPECT_EQ(heard[1].progress, 2);
  client_.reset();
  tools_.clear();  // what was told has arrived by then
  std::vector<json> replies;
  for (const ReceivedRequest& request : server_->requests())
    if (const json message = json::parse(request.body); !message.contains("method"))
      replies.push_back(message);
  ASSERT_EQ(replies.size(), 2U);
  std::sort(replies.begin(), replies.end(),
            [](const json& a, const json& b) { return a["id"].is_string() > b["id"].is_string(); });
  EXPECT_EQ(replies[0]["result"], json::object());
  EXPECT_EQ(replies[1]["error"]["code"], -32601);
}

TEST_F(HttpLinkTest, ASessionWithAnIdEndsWithAGoodbye) {
  serve({}, "s-1");
  connect();
  client_.reset();
  tools_.clear();
  ASSERT_EQ(requests("DELETE").size(), 1U);
  EXPECT_EQ(requests("DELETE")[0].header("mcp-session-id"), "s-1");
}

TEST_F(HttpLinkTest, AServerThatDoesNotTakeTheGoodbyeIsLeft) {
  serve(
      [](const ReceivedRequest& request, const json&) -> std::optional<Script> {
        if (request.method == "DELETE") return Script::raw().hang();
        return {};
      },
      "s-1");
  connect({.close = 30ms});
  client_->close();
  EXPECT_EQ(requests("DELETE").size(), 1U);
}

TEST_F(HttpLinkTest, ASessionThatTheServerForgotIsBegunAnewAndTheCallRepeated) {
  bool forgot = false;
  serve(
      [&](const ReceivedRequest&, const json& message) -> std::optional<Script> {
        if (is_call(message, "echo") && !std::exchange(forgot, true))
          return Script::answer(404, "");
        return {};
      },
      "s-1");
  connect();
  EXPECT_EQ(call("echo", R"({"text":"hi"})"), "hi");
  const auto greetings = requests("initialize");
  ASSERT_EQ(greetings.size(), 2U);
  EXPECT_EQ(greetings[1].header("mcp-session-id"), "");
  EXPECT_TRUE(requests("DELETE").empty());
}

TEST_F(HttpLinkTest, AServerThatForgetsAtOnceIsNotAskedForEver) {
  serve(
      [&](const ReceivedRequest&, const json& message) -> std::optional<Script> {
        if (is_call(message, "seen")) return Script::answer(404, "");
        return {};
      },
      "s-1");
  connect();
  EXPECT_EQ(failure("seen", Errc::transport_error),
            "mcp it: tools/call seen: the server has forgotten the session at once");
  EXPECT_EQ(requests("initialize").size(), 2U);
}

TEST_F(HttpLinkTest, AStreamThatBreaksOffIsGoneOnWithFromItsLastEvent) {
  json id;
  serve(
      [&](const ReceivedRequest& request, const json& message) -> std::optional<Script> {
        if (is_call(message, "seen")) {
          id = message["id"];
          return Script::stream().chunk("id: 41\nretry: 1\ndata:\n\n").end();
        }
        if (request.header("last-event-id") == "41")
          return Script::stream()
              .chunk(event({{"jsonrpc", "2.0"}, {"method", "notifications/x"}}, "42"))
              .chunk("data: {\"half")
              .cut();
        if (request.method == "GET")
          return Script::stream().chunk(event(ScriptedMcp::text(id, "whole"), "43")).end();
        return {};
      },
      "s-1");
  connect();
  EXPECT_EQ(call("seen"), "whole");
  const auto gets = requests("GET");
  ASSERT_EQ(gets.size(), 2U);
  EXPECT_EQ(gets[1].header("last-event-id"), "42");
  EXPECT_EQ(gets[1].header("accept"), "text/event-stream");
  EXPECT_EQ(gets[1].header("mcp-session-id"), "s-1");
}

TEST_F(HttpLinkTest, AStreamThatBreaksOffWithoutNewsIsGivenUp) {
  serve([&](const ReceivedRequest& request, const json& message) -> std::optional<Script> {
    if (is_call(message, "seen") || request.method == "GET")
      return Script::stream().chunk("id: 41\nretry: 1\ndata:\n\n").end();
    return {};
  });
  connect();
  EXPECT_EQ(failure("seen", Errc::transport_error),
            "mcp it: tools/call seen: URL: the stream ended before the answer");
  EXPECT_EQ(requests("GET").size(), 4U);
}

TEST_F(HttpLinkTest, AStreamThatCantBeGoneOnWithIsAnError) {
  serve([&](const ReceivedRequest& request, const json& message) -> std::optional<Script> {
    if (is_call(message, "seen"))
      return Script::stream().chunk("id: 41\nretry: 1\ndata:\n\n").end();
    if (is_call(message, "rich")) return Script::stream().chunk("data: {\"jsonrpc\"").cut();
    if (is_call(message, "shape")) return Script::stream().chunk(": nothing yet\n\n").end();
    if (request.method == "GET") return Script::answer(405, "");
    return {};
  });
  connect();
  EXPECT_EQ(failure("seen", Errc::not_found), "mcp it: tools/call seen: URL: 405");
  EXPECT_NE(failure("rich", Errc::transport_error), "");
  EXPECT_EQ(failure("shape", Errc::transport_error),
            "mcp it: tools/call shape: URL: the stream ended before the answer");
}

TEST_F(HttpLinkTest, WhatHttpSaysIsAnErrorOfItsKind) {
  int status = 0;
  std::string body;
  Headers headers;
  serve([&](const ReceivedRequest&, const json& message) -> std::optional<Script> {
    if (is_call(message, "seen")) return Script::answer(status, body, headers);
    return {};
  });
  connect();
  const auto said = [&](int number, std::string text, Errc code) {
    status = number;
    body = std::move(text);
    return failure("seen", code);
  };
  const std::string about = "mcp it: tools/call seen: URL: ";
  EXPECT_EQ(said(401, "who are you?", Errc::auth), about + "401: who are you?");
  EXPECT_EQ(said(403, "", Errc::auth), about + "403");
  EXPECT_EQ(said(404, "", Errc::not_found), about + "404");  // no session to forget
  EXPECT_EQ(said(429, "slow down", Errc::rate_limit), about + "429: slow down");
  EXPECT_EQ(said(500, "oops", Errc::server_error), about + "500: oops");
  EXPECT_EQ(
      said(400, R"({"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"No session"}})",
           Errc::invalid_request),
      about + "400: No session");
  headers = {{"location", "/mcp/"}};
  EXPECT_EQ(said(307, "", Errc::invalid_request), about + "307: it is at /mcp/");
}

TEST_F(HttpLinkTest, WhatIsNoAnswerIsAnError) {
  serve([&](const ReceivedRequest&, const json& message) -> std::optional<Script> {
    if (is_call(message, "seen"))
      return Script::answer(200, "<p>", {{"content-type", "text/html"}});
    if (is_call(message, "hold")) return Script::answer(202, "");
    if (is_call(message, "rich"))
      return Script::answer(200, "{\"jsonrpc\"", {{"content-type", kJson}});
    if (is_call(message, "shape")) return answered(ScriptedMcp::text(4711, "to nobody"));
    if (is_call(message, "grow")) return Script::stream().chunk("data: nonsense\n\n").end();
    return {};
  });
  connect();
  EXPECT_EQ(failure("seen", Errc::parse_error),
            "mcp it: tools/call seen: URL: answered 200 with text/html in place of JSON or events");
  EXPECT_EQ(failure("hold", Errc::parse_error),
            "mcp it: tools/call hold: URL: answered 202 with nothing in place of JSON or events");
  EXPECT_EQ(failure("rich", Errc::parse_error),
            "mcp it: tools/call rich: no JSON-RPC: not JSON at byte 11: {\"jsonrpc\"");
  EXPECT_NE(failure("shape", Errc::parse_error).find("answered something else: "),
            std::string::npos);
  EXPECT_EQ(failure("grow", Errc::parse_error),
            "mcp it: tools/call grow: no JSON-RPC: not JSON at byte 2: nonsense");
}

TEST_F(HttpLinkTest, AnAnswerThatIsTooLongIsAnError) {
  const std::string much(100'000, 'x');
  serve([&](const ReceivedRequest&, const json& message) -> std::optional<Script> {
    if (is_call(message, "seen")) return answered(ScriptedMcp::text(message["id"], much));
    if (is_call(message, "rich"))
      return Script::stream().chunk(event(ScriptedMcp::text(message["id"], much))).end();
    return {};
  });
  connect({.max_message = 90'000});
  EXPECT_EQ(failure("seen", Errc::parse_error),
            "mcp it: tools/call seen: URL: the answer is over 90000 bytes");
  EXPECT_EQ(failure("rich", Errc::parse_error),
            "mcp it: tools/call rich: an event of the stream is over 90000 bytes");
}

TEST_F(HttpLinkTest, AToolThatIsStoppedIsCalledOffAtTheServer) {
  serve([&](const ReceivedRequest&, const json& message) -> std::optional<Script> {
    if (is_call(message, "hold")) return Script::stream().chunk(": wait\n\n").hang();
    return {};
  });
  connect();
  std::stop_source stop;
  auto held = std::async(std::launch::async,
                         [&] { return failure("hold", Errc::cancelled, stop.get_token()); });
  ASSERT_TRUE(server_->wait_for_requests(4));
  stop.request_stop();
  EXPECT_NE(held.get(), "");
  ASSERT_TRUE(server_->wait_for_requests(5));
  EXPECT_TRUE(server_->wait_for_close(3));
  const json told = json::parse(requests("notifications/cancelled").at(0).body);
  EXPECT_EQ(told["params"]["requestId"], json::parse(requests("tools/call").at(0).body)["id"]);
}

TEST_F(HttpLinkTest, AToolThatTakesTooLongIsCalledOffAtTheServer) {
  serve([&](const ReceivedRequest&, const json& message) -> std::optional<Script> {
    if (is_call(message, "hold")) return Script::raw().hang();
    return {};
  });
  connect({.call = 1s});
  EXPECT_NE(failure("hold", Errc::timeout), "");
  ASSERT_TRUE(server_->wait_for_requests(5));
  EXPECT_EQ(requests("notifications/cancelled").size(), 1U);
}

TEST_F(HttpLinkTest, CallsRunBesideEachOther) {
  serve([&](const ReceivedRequest&, const json& message) -> std::optional<Script> {
    if (!is_call(message, "hold")) return {};
    return Script::stream().hold().chunk(event(ScriptedMcp::text(message["id"], "held"))).end();
  });
  connect();
  std::vector<std::future<std::string>> held;
  for (int i = 0; i < 4; ++i)
    held.push_back(std::async(std::launch::async, [this] { return call("hold"); }));
  ASSERT_TRUE(server_->wait_for_requests(7));
  EXPECT_EQ(call("echo", R"({"text":"hi"})"), "hi");
  server_->release();
  for (auto& one : held) EXPECT_EQ(one.get(), "held");
}

TEST_F(HttpLinkTest, CallsUnderWayEndWithTheClient) {
  serve([&](const ReceivedRequest&, const json& message) -> std::optional<Script> {
    if (is_call(message, "hold")) return Script::raw().hang();
    return {};
  });
  connect();
  auto held = std::async(std::launch::async, [this] { return failure("hold", Errc::shutdown); });
  ASSERT_TRUE(server_->wait_for_requests(4));
  client_->close();
  EXPECT_EQ(held.get(), "mcp it: this client was closed");
}

TEST_F(HttpLinkTest, AServerThatCantBeReachedIsToldByItsUrl) {
  serve();
  const std::string url = server_->url("/mcp");
  server_.reset();
  const std::string said =
      error_of([&] { (void)McpClient::connect(McpUrl{.url = url}); }, Errc::transport_error);
  EXPECT_EQ(said.substr(0, 22), "mcp 127.0.0.1:" + url.substr(17, 5) + ": i");
  EXPECT_NE(said.find("initialize: "), std::string::npos);
  EXPECT_NE(
      error_of([] { (void)McpClient::connect(McpUrl{.url = "ftp://x"}); }, Errc::invalid_request),
      "");
}

TEST_F(HttpLinkTest, AServerThatIsDownIsAskedAgainByTheNextCall) {
  serve(
      [&](const ReceivedRequest&, const json& message) -> std::optional<Script> {
        if (is_call(message, "hold")) return Script::raw().cut();
        return {};
      },
      "s-1");
  connect();
  EXPECT_NE(failure("hold", Errc::transport_error), "");
  EXPECT_EQ(call("echo", R"({"text":"hi"})"), "hi");
  EXPECT_EQ(requests("initialize").size(), 1U);  // the session is what it was
}

TEST_F(HttpLinkTest, AServerThatDoesNotGreetIsRefused) {
  std::string instead;
  serve([&](const ReceivedRequest&, const json& message) -> std::optional<Script> {
    const std::string method = message.value("method", "");
    if (method == instead) return Script::answer(400, "");
    return {};
  });
  instead = "initialize";
  EXPECT_EQ(refusal(Errc::invalid_request), "mcp it: initialize: URL: 400");
  instead = "notifications/initialized";
  EXPECT_EQ(refusal(Errc::invalid_request), "mcp it: initialize: URL: 400");
}

TEST_F(HttpLinkTest, ASessionIdThatIsNoneIsRefused) {
  serve({}, "two words");
  EXPECT_EQ(refusal(Errc::parse_error), "mcp it: initialize: URL: the session's id is none");
}

TEST_F(HttpLinkTest, ANetworkMayBeShared) {
  serve();
  const std::shared_ptr<Network> network = make_network();
  connect({.network = network});
  EXPECT_EQ(call("echo", R"({"text":"hi"})"), "hi");
  stop(*network);
  EXPECT_NE(failure("seen", Errc::shutdown), "");
}

}  // namespace
}  // namespace mellea
