#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "mellea/runtime/react_run.h"
#include "mellea/runtime/summary.h"
#include "mellea/runtime/tool_calls.h"
#include "mellea/runtime/usage_sum.h"

namespace mellea {
namespace {

constexpr std::string_view kFinalTool = "final_answer";

class Goal : public Component {
 public:
  explicit Goal(const std::string& goal)
      : text_(
            "You work towards a goal in steps. In each step, think about what is still missing, "
            "then call a tool that finds it out or does it; you are given what it returns. As soon "
            "as you have the whole answer, call final_answer with it.\n\nGoal: " +
            goal) {}
  std::string_view name() const override { return "ReactInitiator"; }
  Message render(const Told&) const override { return {.text = text_}; }

 private:
  const std::string text_;
};

class Thought : public Component {
 public:
  std::string_view name() const override { return "ReactThought"; }
  Message render(const Told&) const override {
    return {.text =
                "What is the next step? Call the tool it takes, or final_answer if the goal is "
                "reached."};
  }
};

// Makes the references of a schema that moves to `path` lead where they led. Definitions stay at
// the root.
void lead_on(nlohmann::json& schema, const std::string& path) {
  static constexpr auto kValues =
      std::to_array<std::string_view>({"const", "default", "enum", "examples"});
  if (schema.is_array())
    for (nlohmann::json& each : schema) lead_on(each, path);
  if (!schema.is_object()) return;
  for (auto& [name, value] : schema.items()) {
    const std::string* const goal = name == "$ref" ? value.get_ptr<const std::string*>() : nullptr;
    if (goal && goal->starts_with('#') && !goal->starts_with("#/$defs/") &&
        !goal->starts_with("#/definitions/"))
      value = '#' + path + goal->substr(1);
    else if (std::find(kValues.begin(), kValues.end(), name) == kValues.end())
      lead_on(value, path);
  }
}

// Gives its argument back, as text or, where a format is asked for, as JSON.
Tool final_tool(const std::optional<Format>& format) {
  nlohmann::json answer = {{"type", "string"}};
  if (format && format->schema)
    answer = *format->schema;
  else if (format)
    answer = {{"type", "object"}};
  nlohmann::json parameters = {
      {"type", "object"}, {"properties", {{"answer", answer}}}, {"required", {"answer"}}};
  // What references of the format's schema are to stands at the root, or moves with it.
  nlohmann::json& moved = parameters["properties"]["answer"];
  for (const char* definitions : {"$defs", "definitions"})
    if (const auto found = moved.find(definitions); found != moved.end()) {
      parameters[definitions] = std::move(*found);
      moved.erase(found);
      lead_on(parameters[definitions], "/properties/answer");
    }
  lead_on(moved, "/properties/answer");
  return Tool({.name = std::string(kFinalTool),
               .description = "Ends the work with the answer to the goal.",
               .parameters = Json(std::move(parameters))},
              [is_text = !format](const Json& arguments, const Call&) {
                const nlohmann::json& given = arguments->at("answer");
                return is_text ? given.get<std::string>() : given.dump();
              });
}

Tools with_final(const ReactOptions& options) {
  Tools tools = options.tools;
  for (const Tool& tool : tools) {
    if (tool.name() == kFinalTool)
      throw Error(Errc::invalid_request,
                  "react: final_answer is the agent's own tool: give yours another name");
    if (!tool.run())
      throw Error(Errc::invalid_request,
                  "react: tool " + tool.name() + " has no function: the agent could not run it");
  }
  tools.push_back(final_tool(options.format));
  return tools;
}

// One agent at work.
class React {
 public:
  React(const std::shared_ptr<SessionState>& session, const MadeCall& call,
        const Operation<AgentStart>& operation, const ReactOptions& options)
      : session_(session),
        call_(call),
        operation_(operation),
        options_(options),
        model_(model_of(*session, call.running, call_options(), call.hooks, call.conversation)),
        context_(Context::chat()) {}

  void run(const std::string& goal) {
    if (call_.before.kind() == Context::Kind::chat) context_ = context_.with(call_.before.turns());
    context_ = context_.add(Goal(goal).render({}));
    goal_ = context_.turns().back();
    const int limit = operation_.opening()->max_steps;
    while (!answer_ && (limit <= 0 || std::ssize(steps_) < limit)) step();
  }

  int steps() const noexcept { return static_cast<int>(steps_.size()); }
  const std::optional<std::string>& answer() const noexcept { return answer_; }
  std::vector<AgentResult::Step> take_steps() { return std::move(steps_); }

 private:
  CallOptions call_options() const {
    return {.options = options_.options,
            .tools = *operation_.opening()->tools,
            .strategy = off,
            .until = options_.until,
            .limits = options_.limits};
  }

  void step() {
    MadeCall call = call_;
    call.options = call_options();
    call.parent = operation_.scope();
    call.caller = {};
    compact(call);
    call.component = std::make_shared<const Thought>();
    call.before = context_;
    call.aside = true;
    const Result said = Action::begin(session_, std::move(call))->run();
    context_ = context_.add(Thought().render({})).add(said_by(said.reply()));
    measure_ = measured(context_.turns(), said.usage());
    AgentResult::Step step{.said = said};
    if (!said.tool_calls().empty()) {
      step.tools = run_tools(model_, {.parent = operation_.scope(),
                                      .asked_by = said.scope(),
                                      .calls = said.tool_calls(),
                                      .tools = said.tools(),
                                      .parallel = options_.parallel,
                                      .final_tool = std::string(kFinalTool)});
      for (const ToolResult& result : step.tools) {
        context_ = context_.add(result.message());
        if (result.ok() && result.call.name == kFinalTool) answer_ = result.text;
      }
    }
    steps_.push_back(std::move(step));
  }

  void compact(const MadeCall& call) {
    const Compaction& compaction = session_->compaction;
    const auto division = divide(compaction, context_.turns(), measure_, goal_.get());
    if (!division) return;
    const Context before = context_;
    if (compaction.summarise) {
      context_ = sum_up(session_, call, call.parent, before, *division).value_or(before);
      return;
    }
    context_ = before.with(division->what_stays());
    tell_compacted(
        call.hooks,
        {.scope = call.parent, .how = division->how, .before = before, .after = context_});
  }

  const std::shared_ptr<SessionState>& session_;
  const MadeCall& call_;
  const Operation<AgentStart>& operation_;
  const ReactOptions& options_;
  const Model model_;
  Context context_;                      // of the agent alone
  std::shared_ptr<const Message> goal_;  // in it, from run() on
  Measure measure_;                      // of the newest answer
  std::vector<AgentResult::Step> steps_;
  std::optional<std::string> answer_;
};

}  // namespace

std::optional<Usage> AgentResult::total_usage() const {
  UsageSum sum;
  for (const Step& step : steps) sum.add(step.said.usage());
  return sum.sum();
}

AgentResult run_react(const std::shared_ptr<SessionState>& session, MadeCall call, std::string goal,
                      const ReactOptions& options) {
  const auto tools = std::make_shared<const Tools>(with_final(options));
  Operation<AgentStart> operation(
      call.hooks,
      {.scope = call.parent.child(Kind::agent,
                                  Entry{.labels = options.labels, .caller = call.caller}.options()),
       .at = std::chrono::steady_clock::now(),
       .agent = "react",
       .provider = session->parts.backend->provider(),
       .goal = std::make_shared<const std::string>(goal),
       .tools = tools,
       .conversation = call.conversation,
       .max_steps = options.max_steps});
  React react(session, call, operation, options);
  try {
    if (operation.block()) throw blocked_error(*operation.block());
    react.run(goal);
  } catch (...) {
    const Error error = caught_error("react");
    operation.end(ended_with(error, call.running->cancellation()->reason()),
                  {.steps = react.steps()});
    throw error;
  }
  const std::optional<std::string>& answer = react.answer();
  if (answer)
    session->add_turns(
        {.conversation = call.conversation,
         .said = {{.text = std::move(goal)}, {.role = Message::Role::assistant, .text = *answer}},
         .hooks = call.hooks,
         .scope = operation.scope()});
  operation.end(ended_ok(),
                {.steps = react.steps(),
                 .answer = answer ? std::make_shared<const std::string>(*answer) : nullptr});
  return {.answer = answer, .steps = react.take_steps(), .scope = operation.scope()};
}

}  // namespace mellea
