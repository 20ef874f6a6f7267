// Running the tools that a model asked for.
#pragma once

#include <string>
#include <vector>

#include "mellea/core/tool.h"
#include "mellea/runtime/model.h"
#include "mellea/runtime/result.h"

namespace mellea {

struct ToolCallsJob {
  Scope parent{};
  Entry entry{};
  Scope asked_by{};  // the generation that asked; nothing if unknown
  std::vector<ToolCall> calls{};
  Tools tools{};
  bool parallel = false;     // each on a thread of its own, where there is one
  std::string final_tool{};  // the one that ends an agent; empty: none
};

// Tells both events of each call, and runs the tools: one after the other on this thread unless
// they may run beside each other. Results are in the order of the calls. A tool that there is not,
// arguments that it can't take, an exception, a plugin's block: each is a result with an error.
// Throws Error only if the call was cancelled.
std::vector<ToolResult> run_tools(const Model& model, const ToolCallsJob& job);

}  // namespace mellea
