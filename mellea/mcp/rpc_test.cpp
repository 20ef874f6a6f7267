#include "mellea/mcp/rpc.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "mellea/core/error.h"

namespace mellea {
namespace {

using nlohmann::json;
using Kind = RpcMessage::Kind;

RpcMessage one(std::string_view text) {
  const auto messages = read_rpc(text);
  EXPECT_EQ(messages.size(), 1U);
  return messages.at(0);
}

std::string refusal(std::string_view text) {
  try {
    (void)read_rpc(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::parse_error);
    return error.what();
  }
  return "";
}

TEST(RpcTest, TellsRequestsNotificationsResultsAndErrorsApart) {
  const RpcMessage request = one(R"({"jsonrpc":"2.0","id":"a","method":"ping"})");
  EXPECT_EQ(request.kind, Kind::request);
  EXPECT_EQ(request.method, "ping");
  EXPECT_EQ(request.id.text(), R"("a")");
  EXPECT_FALSE(request.body);
  EXPECT_FALSE(request.answers());

  const RpcMessage notification = one(R"({"jsonrpc":"2.0","method":"x","params":{"a":1}})");
  EXPECT_EQ(notification.kind, Kind::notification);
  EXPECT_EQ(notification.body.text(), R"({"a":1})");

  const RpcMessage result = one(R"({"jsonrpc":"2.0","id":7,"result":{}})");
  EXPECT_EQ(result.kind, Kind::result);
  EXPECT_EQ(result.answers(), 7);

  const RpcMessage error = one(R"({"jsonrpc":"2.0","id":7,"error":{"code":-1,"message":"m"}})");
  EXPECT_EQ(error.kind, Kind::error);
  EXPECT_EQ(error.answers(), 7);
  EXPECT_EQ(one(R"({"error":{"code":-32700,"message":"m"},"id":null})").answers(), std::nullopt);
  EXPECT_EQ(one(R"({"error":{"code":-32700,"message":"m"}})").answers(), std::nullopt);
}

TEST(RpcTest, AListHoldsSeveralMessages) {
  const auto messages = read_rpc(R"([{"method":"a"},{"id":1,"result":{}}])");
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[0].method, "a");
  EXPECT_EQ(messages[1].answers(), 1);
  EXPECT_TRUE(read_rpc("[]").empty());
}

TEST(RpcTest, WhatIsNoMessageIsRefused) {
  for (const char* text :
       {"", "{", "5", "null", "{}", "[1]", R"({"id":1})", R"({"method":5})",
        R"({"id":{},"method":"a"})", R"({"id":null,"method":"a"})", R"({"result":{}})",
        R"({"id":null,"result":{}})", R"({"id":[],"result":{}})", R"({"id":1,"result":5})",
        R"({"id":1,"error":"bad"})", R"({"id":1,"result":{},"error":{}})"}) {
    EXPECT_NE(refusal(text), "") << text;
  }
  EXPECT_EQ(refusal(R"({"id":1})"), R"(no JSON-RPC: neither a method nor a result: {"id":1})");
  EXPECT_EQ(refusal("{nonsense"), "no JSON-RPC: not JSON at byte 3: {nonsense");
  EXPECT_NE(refusal(std::string(100'000, '[')), "");
}

TEST(RpcTest, WhatIsWrittenIsReadAgain) {
  const RpcMessage request = one(rpc_request(3, "tools/call", {{"name", "a\nb\xFF"}}));
  EXPECT_EQ(request.id.text(), "3");
  EXPECT_EQ(request.body.text(), "{\"name\":\"a\\nb\xEF\xBF\xBD\"}");
  EXPECT_EQ(one(rpc_notification("notifications/initialized", nullptr)).kind, Kind::notification);
  EXPECT_EQ(rpc_notification("n", {{"a", 1}}),
            R"({"jsonrpc":"2.0","method":"n","params":{"a":1}})");
  EXPECT_EQ(rpc_result(Json("p"), json::object()), R"({"id":"p","jsonrpc":"2.0","result":{}})");
  EXPECT_EQ(rpc_refusal(Json(5), -32601, "no"),
            R"({"error":{"code":-32601,"message":"no"},"id":5,"jsonrpc":"2.0"})");
  EXPECT_EQ(rpc_request(1, "m", {{"a", "\n"}}).find('\n'), std::string::npos);
}

}  // namespace
}  // namespace mellea
