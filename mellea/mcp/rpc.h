// JSON-RPC 2.0, as MCP uses it: messages to text and back. Pure: no I/O.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/core/json.h"

namespace mellea {

struct RpcMessage {
  enum class Kind { request, notification, result, error };
  Kind kind = Kind::notification;
  Json id{};             // as the peer wrote it: a number or a text; of an error it may be null
  std::string method{};  // of a request and a notification
  Json body{};           // the params, the result, or the error's object; no document: none

  // The number of our request that it answers; nothing if it answers none.
  std::optional<std::int64_t> answers() const;
};

// What one line or body holds: one message, or several in a list (which revisions before 2025-06-18
// allow). Throws Error (Errc::parse_error) for what is no JSON-RPC.
std::vector<RpcMessage> read_rpc(std::string_view text);

// One line each, without its end. What is no UTF-8 is replaced.
std::string rpc_request(std::int64_t id, std::string_view method, nlohmann::json params);
std::string rpc_notification(std::string_view method, nlohmann::json params);
std::string rpc_result(const Json& id, nlohmann::json result);
std::string rpc_refusal(const Json& id, int code, std::string_view message);

}  // namespace mellea
