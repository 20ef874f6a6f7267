#include "mellea/mcp/rpc.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "mellea/core/error.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

using nlohmann::json;

[[noreturn]] void refuse(const std::string& what) {
  throw Error(Errc::parse_error, "no JSON-RPC: " + what);
}

// Takes the member out of `message`; no document if there is none.
Json taken(json& message, const char* name) {
  const auto found = message.find(name);
  return found == message.end() ? Json() : Json(std::move(*found));
}

bool is_id(const Json& id) { return id->is_string() || id->is_number(); }

RpcMessage read_one(json message) {
  using Kind = RpcMessage::Kind;
  if (!message.is_object()) refuse("a message is an object");
  RpcMessage read{.id = taken(message, "id")};
  if (const auto method = message.find("method"); method != message.end()) {
    if (!method->is_string()) refuse("the method is no text");
    if (read.id && !is_id(read.id)) refuse("the id is neither text nor number");
    read.kind = read.id ? Kind::request : Kind::notification;
    read.method = method->get<std::string>();
    read.body = taken(message, "params");
    return read;
  }
  const bool failed = message.contains("error");
  if (failed == message.contains("result")) refuse("neither a method nor a result");
  read.kind = failed ? Kind::error : Kind::result;
  read.body = taken(message, failed ? "error" : "result");
  if (!read.body->is_object()) refuse("a result or an error is an object");
  if (!read.id && failed) read.id = Json(json());
  const bool right_id = read.id && (is_id(read.id) || (failed && read.id->is_null()));
  if (!right_id) refuse("an answer with no id");
  return read;
}

std::string written(json message) {
  message["jsonrpc"] = "2.0";
  return Json(std::move(message)).text();
}

}  // namespace

std::optional<std::int64_t> RpcMessage::answers() const {
  const bool is_answer = kind == Kind::result || kind == Kind::error;
  if (!is_answer || !id->is_number_integer()) return {};
  return id->get<std::int64_t>();
}

std::vector<RpcMessage> read_rpc(std::string_view text) {
  try {
    json whole = *Json::parse(text, "no JSON-RPC");
    std::vector<RpcMessage> messages;
    if (whole.is_array())
      for (json& message : whole) messages.push_back(read_one(std::move(message)));
    else
      messages.push_back(read_one(std::move(whole)));
    return messages;
  } catch (const Error& error) {
    throw Error(Errc::parse_error, std::string(error.what()) + ": " + one_line(text));
  }
}

std::string rpc_request(std::int64_t id, std::string_view method, json params) {
  return written({{"id", id}, {"method", method}, {"params", std::move(params)}});
}

std::string rpc_notification(std::string_view method, json params) {
  json message{{"method", method}};
  if (!params.is_null()) message["params"] = std::move(params);
  return written(std::move(message));
}

std::string rpc_result(const Json& id, json result) {
  return written({{"id", *id}, {"result", std::move(result)}});
}

std::string rpc_refusal(const Json& id, int code, std::string_view message) {
  return written({{"id", *id}, {"error", {{"code", code}, {"message", message}}}});
}

}  // namespace mellea
