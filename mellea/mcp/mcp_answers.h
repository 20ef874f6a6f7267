// What a server of the Model Context Protocol answers, read into our own values. Pure: no I/O.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/core/json.h"
#include "mellea/core/message.h"

namespace mellea {

// The revision that we ask for; of those before it that are served the same way, a server may
// choose one.
inline constexpr std::string_view kMcpRevision = "2025-11-25";
bool is_known_mcp_revision(std::string_view revision) noexcept;

// All of these throw Error (Errc::parse_error) for an answer that is not what MCP says, in words
// that say what is wrong with it.

// Of `initialize`.
struct McpGreeting {
  std::string revision{};
  std::string name{};
  std::string version{};
  std::string instructions{};
  bool has_tools = false;
};
McpGreeting read_mcp_greeting(const Json& result);

// Of `tools/list`. Tools that only run as tasks, which we do not speak of, are left out.
struct McpToolsPage {
  std::vector<ToolSpec> tools{};
  std::string next_cursor{};  // empty: this was the last page
};
McpToolsPage read_mcp_tools(const Json& result);

// Of `tools/call`. The text is all parts of the content, one below the other: text as it is, and in
// place of what is none a line that says what it was, as "[image: image/png, 2048 bytes]". Where
// there is no content, it is the structured content as JSON.
struct McpToolAnswer {
  std::string text{};
  bool failed = false;  // the tool itself says so
};
McpToolAnswer read_mcp_tool_answer(const Json& result);

// An error that stands for an answer.
struct McpFault {
  std::int64_t code = 0;
  std::string message{};
};
McpFault read_mcp_fault(const Json& error);

}  // namespace mellea
