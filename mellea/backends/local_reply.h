// The reply of a llama-server that may have to be started first, and once more in between.
#pragma once

#include <memory>
#include <stop_token>
#include <vector>

#include "mellea/backends/backend.h"
#include "mellea/backends/http_provider.h"
#include "mellea/backends/llama_server.h"

namespace mellea {

struct LocalCall {
  Limits limits{};
  Headers headers{};
  // What is sent: one post, or one for each prompt, since the server counts the tokens of one only.
  std::vector<HttpProvider::Post> posts{};
  int choices = 1;  // answers to each
};

// Sends once the server answers. If the server is lost before anything of the answer was delivered,
// all is sent again to its next run. Limits::whole begins now. The stream does not keep the server:
// once that is gone, it fails with Errc::shutdown. Throws Error where LlamaServer::up() does.
std::unique_ptr<ReplyStream> start_local_reply(const std::shared_ptr<LlamaServer>& server,
                                               std::shared_ptr<Network> network, LocalCall call,
                                               std::stop_token stop);

}  // namespace mellea
