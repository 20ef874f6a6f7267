// One connection to an MCP server, of whatever kind.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "mellea/core/instant.h"
#include "mellea/mcp/rpc.h"

namespace mellea {

// How long somebody waits.
struct McpPatience {
  Instant until = Instant::max();
  std::stop_token stop{};
};

struct McpQuestion {
  std::int64_t id = 0;
  std::string text{};                                    // the request
  McpPatience patience{};                                // for its answer
  std::function<void(const Json& params)> progressed{};  // hears of it, on the thread that asks
};

// May be used by several threads at once. The destructor ends the connection, and the server that
// was started for it; nobody waits for an answer then.
class McpLink {
 public:
  virtual ~McpLink() = default;

  // Blocks until the answer: a result, or an error. Nothing if the server does not know the session
  // any more: then it has done nothing, and the connection is lost. Throws Error: Errc::cancelled,
  // timeout, and what is wrong with the connection.
  virtual std::optional<RpcMessage> ask(const McpQuestion& question) = 0;

  // Sends what has no answer; returns once the server can be asked the next thing. Throws Error.
  virtual void tell(std::string text, const McpPatience& patience) = 0;
  // The same, but returns at once. If it does not arrive, nobody is told.
  virtual void tell_later(std::string text) noexcept = 0;

  // The revision that was agreed upon; before all else but the first ask().
  virtual void agreed(const std::string& revision) = 0;

  // Nothing can be asked any more.
  virtual bool lost() const noexcept = 0;
  virtual std::string session() const = 0;  // its id; empty if it has none
};

// Hears what a server says unasked, but for what belongs to a question. On any thread, also several
// at once; must not block or throw. What it returns goes back to the server; empty: nothing.
using McpListener = std::function<std::string(const RpcMessage&)>;

}  // namespace mellea
