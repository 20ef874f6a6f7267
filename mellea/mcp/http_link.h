// An MCP server at a URL: spoken with over streamable HTTP.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "mellea/core/request.h"
#include "mellea/mcp/mcp_link.h"
#include "mellea/net/network.h"

namespace mellea {

struct HttpLinkOptions {
  std::string url{};
  Headers headers{};
  std::chrono::milliseconds connect{30'000};
  std::chrono::milliseconds close{2'000};  // for the goodbye
  std::size_t max_message = 16U << 20U;    // bytes
};

// Each question is a POST; whoever asks reads its answer, be it a body or a stream of events. A
// stream that breaks off before the answer is gone on with where the server gave its events ids, as
// often as something new comes, and no more than a few times if nothing does. The destructor says
// goodbye to a server that gave the session an id, and waits for its answer within
// HttpLinkOptions::close.
//
// Throws Error (Errc::invalid_request) if the URL is none.
std::unique_ptr<McpLink> start_http_link(std::shared_ptr<Network> network, HttpLinkOptions options,
                                         McpListener listener);

}  // namespace mellea
