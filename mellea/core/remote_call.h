// How a tool that a server runs was asked for, over the Model Context Protocol (MCP).
#pragma once

#include <string>

#include "mellea/core/endpoint.h"

namespace mellea {

// Said by the tool, for plugins: see Call::remote. What is empty, or 0, is not known.
struct RemoteCall {
  std::string method{};       // of the protocol: "tools/call"
  std::string revision{};     // of the protocol: "2025-11-25"
  std::string session{};      // the server's id of it
  std::string request_id{};   // of the last request for it
  std::string transport{};    // "pipe" or "tcp"
  Endpoint server{};          // nothing for a program that was started here
  std::string status_code{};  // of the error that came in place of an answer
  bool tool_failed = false;   // the answer says that the tool did not do what it is for
};

}  // namespace mellea
