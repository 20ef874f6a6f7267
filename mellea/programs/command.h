// Programs that a tool starts.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

namespace mellea {

struct Command {
  std::vector<std::string>
      words{};                     // the program (one without "/" is looked for in PATH), arguments
  std::filesystem::path folder{};  // it works in; empty: ours
  std::string input{};             // its standard input
  std::chrono::milliseconds timeout{60'000};
  std::size_t longest = 1U << 20U;  // of its output, in bytes
};

// Blocks until the program has ended, and returns what it wrote to its standard output. It has no
// shell, our environment, a process group of its own, and none of our descriptors or signal
// handlers. What is left of its group when it ends, is late, writes too much, or a stop is asked
// for, is killed. Throws Error: Errc::not_found or invalid_request if it can't be started, timeout,
// cancelled, and server_error, with the end of its standard error, if it does not end with code 0.
//
// Any thread may call it.
std::string run_command(const Command& command, const std::stop_token& stop);

}  // namespace mellea
