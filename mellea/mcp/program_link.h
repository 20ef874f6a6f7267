// An MCP server that is a program of ours: spoken with over its standard input and output.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "mellea/core/child_process.h"
#include "mellea/mcp/mcp_link.h"

namespace mellea {

struct ProgramLinkOptions {
  ProgramStart start{};
  std::chrono::milliseconds close{2'000};  // from the end of its input to its end by force
  std::size_t max_message = 16U << 20U;    // bytes
  std::size_t max_unread = 64U << 20U;     // bytes that it has not taken from us
};

// The path of `program`, looked for in the folders of PATH in `environment` as a shell does; what
// has a slash in it, and what is nowhere, stays as it is.
std::string find_program(const std::string& program, const std::vector<std::string>& environment);

// Starts the program on a thread of its own, which reads what it says and lives as long as the
// link: the kernel ends the program with it, even if this process is killed. What the program
// writes on standard error, and on standard output beside its messages, is kept for a while: its
// last lines are part of what is said of its end.
//
// The destructor closes its input, and waits for it to end; if it does not, it is asked to by
// SIGTERM when half of ProgramLinkOptions::close is over, and killed at its end. In a child of
// fork() it touches nothing.
//
// Throws Error: Errc::not_found, invalid_request if the program can't be started.
std::unique_ptr<McpLink> start_program_link(ProgramLinkOptions options, McpListener listener);

}  // namespace mellea
