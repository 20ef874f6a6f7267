#include "mellea/runtime/tool_calls.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "mellea/core/text.h"
#include "mellea/runtime/together.h"
#include "mellea/runtime/user_code.h"

namespace mellea {
namespace {

const Tool* find(const Tools& tools, std::string_view name) {
  const auto found = std::find_if(tools.begin(), tools.end(),
                                  [&](const Tool& tool) { return tool.name() == name; });
  return found == tools.end() ? nullptr : &*found;
}

const Tool& runnable(const Tools& tools, const std::string& name) {
  const Tool* tool = find(tools, name);
  if (tool && tool->run()) return *tool;
  if (tool) throw Error(Errc::invalid_request, "tool " + name + ": it can't be run here");
  std::vector<std::string_view> names;
  for (const Tool& known : tools) names.emplace_back(known.name());
  throw Error(Errc::not_found,
              "there is no tool \"" + one_line(name, 60) + '"' + did_you_mean(name, names));
}

// JSON, so that no model takes it for a result.
std::string told_of(const Error& error) {
  const std::string what =
      error.code() == Errc::blocked ? "not allowed: " + error.details().block_reason : error.what();
  return Json(nlohmann::json{{"error", to_utf8(what)}}).text();
}

ToolResult run_tool(const Model& model, const ToolCallsJob& job, const ToolCall& call) {
  const Tool* tool = find(job.tools, call.name);
  Operation<ToolPreInvoke> operation(
      model.hooks, {.scope = job.parent.child(Kind::tool, job.entry.options()),
                    .at = std::chrono::steady_clock::now(),
                    .tool = tool ? std::make_shared<const ToolSpec>(tool->spec()) : nullptr,
                    .control_flow = !job.final_tool.empty() && call.name == job.final_tool,
                    .asked_by = job.asked_by,
                    .conversation = model.conversation,
                    .call = call});
  ToolResult result{.call = operation.opening()->call, .scope = operation.scope()};
  const auto output = std::make_shared<std::string>();
  RemoteCall remote;
  Instant began{};
  try {
    if (operation.block()) throw blocked_error(*operation.block());
    const Tool& chosen = runnable(job.tools, result.call.name);
    const Json arguments = chosen.arguments(result.call.arguments);
    const UserCode seen(model.hooks, operation.scope());
    began = std::chrono::steady_clock::now();
    *output = chosen.run()(
        arguments,
        {.scope = operation.scope(), .stop = model.cancellation->token(), .remote = &remote});
    result.took = std::chrono::steady_clock::now() - began;
  } catch (...) {
    if (began != Instant{}) result.took = std::chrono::steady_clock::now() - began;
    result.error = std::make_shared<const Error>(
        caught_in_user_code("tool " + one_line(result.call.name, 60), *model.cancellation));
    *output = told_of(*result.error);
  }
  const Ending ending =
      result.error ? ended_with(*result.error, model.cancellation->reason()) : ended_ok();
  Closing<ToolPreInvoke>::Facts facts{.took = result.took, .output = output};
  if (!remote.method.empty()) facts.remote = std::make_shared<const RemoteCall>(std::move(remote));
  if (const auto block = operation.end(ending, std::move(facts))) {
    result.error = std::make_shared<const Error>(blocked_error(*block));
    *output = told_of(*result.error);
  }
  result.text = std::move(*output);
  return result;
}

}  // namespace

Message ToolResult::message() const {
  return {
      .role = Message::Role::tool, .text = text, .tool_call_id = call.id, .tool_name = call.name};
}

std::vector<ToolResult> run_tools(const Model& model, const ToolCallsJob& job) {
  std::vector<ToolResult> results(job.calls.size());
  const auto run = [&](std::size_t place) {
    if (!model.cancellation->token().stop_requested())
      results[place] = run_tool(model, job, job.calls[place]);
  };
  if (job.parallel) {
    std::vector<std::function<void()>> tasks;
    for (std::size_t place = 0; place < results.size(); ++place)
      tasks.emplace_back([&run, place] { run(place); });
    run_together(model.hooks.workers(), std::move(tasks));
  } else {
    for (std::size_t place = 0; place < results.size(); ++place) run(place);
  }
  model.cancellation->throw_if_requested();
  return results;
}

}  // namespace mellea
