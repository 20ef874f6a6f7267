// Tools of servers that speak the Model Context Protocol (MCP), for models to call.
//
//   const auto files = mellea::McpClient::connect(mellea::McpProgram{
//       .command = "npx", .arguments = {"-y", "@modelcontextprotocol/server-filesystem", "/tmp"}});
//   mellea::Tools tools = files.tools();
//   auto answer = session.chat("What is in /tmp?", {.tools = tools});
//
// Tools are values: leave out those that the model need not know, join those of several servers,
// add your own.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include "mellea/backends/backend.h"
#include "mellea/core/tool.h"

namespace mellea {

// A server that is started and ended by us, and spoken with over its standard input and output. It
// ends with this process, however that ends.
struct McpProgram {
  std::string command{};  // looked for in PATH unless it has a slash in it; no shell sees it
  std::vector<std::string> arguments{};
  // Beside HOME, LANG, LOGNAME, PATH, SHELL, TERM, TMPDIR, TZ and USER, as they are here. All else
  // in our environment, keys above all, is none of the server's business.
  std::map<std::string, std::string> environment{};
  std::string folder{};  // where it runs; empty: where this process does
};

// A server that runs elsewhere, spoken with over streamable HTTP.
struct McpUrl {
  std::string url{};  // of its endpoint: "https://example.com/mcp"
  Headers headers{};  // sent with every request: {{"authorization", "Bearer ..."}}
};

using McpServer = std::variant<McpProgram, McpUrl>;

// What a server tells while a tool runs.
struct McpProgress {
  std::string tool{};
  double progress = 0;  // grows
  std::optional<double> total{};
  std::string message{};
};

struct McpOptions {
  std::string name{};  // for messages; empty: the program's, or host and port
  std::chrono::milliseconds connect{30'000};  // until the server has said who it is
  std::chrono::milliseconds call{300'000};    // of a tool, and of the list of tools
  std::chrono::milliseconds close{2'000};     // for the server to end, or to take our goodbye
  std::size_t max_message = 16U << 20U;       // bytes; a longer one is an error
  // `traceparent`, which tells nothing, every server hears. What else came from whoever called us
  // may tell of your users: a server that is trusted hears `tracestate`, and of `baggage` the
  // members that have these keys.
  bool trusted = false;
  std::vector<std::string> baggage{};  // for a server that is trusted
  // On the thread that called the tool. What it throws calls the tool off, and is thrown by the
  // call.
  std::function<void(const McpProgress&)> on_progress{};
  // For a server at a URL: whose thread and connections it shares; null: it has its own.
  std::shared_ptr<Network> network{};
};

// What a server says of itself.
struct McpServerInfo {
  std::string name{};
  std::string version{};
  std::string revision{};      // of the protocol, as agreed upon: "2025-11-25"
  std::string instructions{};  // how its tools are to be used: text for the model
  std::string session{};       // its id; empty if the server has none
};

// A handle; copies are the same connection, and so is each tool that came from it. It ends with
// close(), or with the last of them. Any thread may call anything; calls run beside each other.
//
// A connection that is lost, by a server that has died or forgotten us, is made again by the next
// call that needs it, once for each such call: a server that dies whenever it is called is not
// started over and over by itself. The call that was under way when it was lost fails, since nobody
// knows what of it was done.
//
// Throws Error: Errc::transport_error for a connection that was lost (with the last lines that the
// program printed), timeout, cancelled, parse_error for what is not MCP, auth and the like for what
// HTTP says, not_found and invalid_request for what the server does not know, server_error for what
// it calls an error otherwise, shutdown after close(), after_fork in a child of fork().
class McpClient {
 public:
  // Blocks until the server has said who it is.
  static McpClient connect(McpServer server, McpOptions options = {}, std::stop_token stop = {});

  // Asks the server for its tools. The arguments that a model writes are checked here where the
  // tool's schema is one that Schema knows, else by the server alone. Null for an argument that may
  // be missing is left out.
  //
  // A tool returns the content as text: what is no text is named, "[image: image/png, 2048 bytes]".
  // If the server says that the tool failed, that is an error (Errc::unknown). A tool that is
  // cancelled by Call::stop, or takes longer than McpOptions::call, is called off at the server.
  Tools tools(std::stop_token stop = {}) const;
  // Whether the server has said, since it was last asked, that its tools are others now. One at a
  // URL can say so only while it is called.
  bool tools_changed() const noexcept;

  McpServerInfo server() const;

  // Calls under way fail, and later ones throw (Errc::shutdown). Returns when the server that was
  // started has ended, or has taken our goodbye; at the latest after McpOptions::close. Not to be
  // called by on_progress.
  void close() const;

 private:
  class Connection;
  explicit McpClient(std::shared_ptr<Connection> connection);

  std::shared_ptr<Connection> connection_;  // never null
};

}  // namespace mellea
