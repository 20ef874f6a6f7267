#include "mellea/backends/llama_prompt.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "mellea/backends/request_checks.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

constexpr RequestChecks kChecks("local");

std::string dumped(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string described(const std::vector<ToolSpec>& tools) {
  std::string text =
      "You may call these functions. Each line is the JSON description of one:\n<tools>\n";
  for (const ToolSpec& tool : tools) {
    nlohmann::json function = {{"name", tool.name}, {"description", tool.description}};
    if (tool.parameters) function["parameters"] = *tool.parameters;
    text += dumped({{"type", "function"}, {"function", std::move(function)}}) + '\n';
  }
  return text +
         "</tools>\nTo call one, answer with its name and arguments as JSON between marks:\n"
         "<tool_call>\n{\"name\": NAME, \"arguments\": OBJECT}\n</tool_call>";
}

// Arguments that are no JSON, as a model may have written them, stand there as they are.
std::string written(const ToolCall& call) {
  return "<tool_call>\n{\"name\": " + dumped(call.name) +
         ", \"arguments\": " + (call.arguments.empty() ? "{}" : call.arguments) + "}\n</tool_call>";
}

void add_line(std::string& text, const std::string& line) {
  if (!text.empty()) text += '\n';
  text += line;
}

LlamaTurn turn_of(const Message& message, std::size_t number) {
  const Part part{"message", number, to_string(message.role)};
  kChecks.text(message.text, part);
  if (!message.images.empty() || !message.audio.empty())
    kChecks.refuse(part.text() + ": a model in this process reads text only");
  LlamaTurn turn{.role = std::string(to_string(message.role)), .text = message.text};
  for (const ToolCall& call : message.tool_calls) {
    kChecks.text(call.arguments, part);
    add_line(turn.text, written(call));
  }
  if (message.role == Message::Role::tool) {
    turn.role = "user";
    turn.text = "<tool_response>\n" + message.text + "\n</tool_response>";
  }
  return turn;
}

}  // namespace

std::vector<LlamaTurn> llama_turns(const Request& request, const std::string& chat_template) {
  const bool uses_tools =
      !request.tools.empty() && request.tool_choice.mode != ToolChoice::Mode::none;
  if (uses_tools && chat_template.find("<tool_call>") == std::string::npos)
    kChecks.refuse(
        "this model's chat template has no <tool_call>, the only form of calls that is known in "
        "this process: MELLEA_LLAMA_SERVER=llama-server knows others");
  std::vector<LlamaTurn> turns;
  for (std::size_t i = 0; i < request.messages.size(); ++i)
    turns.push_back(turn_of(request.messages[i], i + 1));
  if (!uses_tools) return turns;
  for (std::size_t i = 0; i < request.tools.size(); ++i)
    kChecks.text(request.tools[i].name + request.tools[i].description, {"tool", i + 1});
  if (turns.empty() || turns.front().role != "system")
    turns.insert(turns.begin(), LlamaTurn{.role = "system"});
  add_line(turns.front().text, described(request.tools));
  return turns;
}

}  // namespace mellea
