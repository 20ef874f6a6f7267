#include "mellea/cli/step_view.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "mellea/cli/json_line.h"
#include "mellea/core/text.h"

namespace mellea::cli {
namespace {

constexpr std::size_t kShown = 60;  // code points of a text in a plan

// Arguments as JSON, if that is what the model wrote.
OrderedJson arguments_of(const std::string& written) {
  constexpr std::size_t kDeepest = 256;
  OrderedJson value = nests_deeper_than(written, kDeepest)
                          ? OrderedJson(OrderedJson::value_t::discarded)
                          : OrderedJson::parse(written, nullptr, /*allow_exceptions=*/false);
  return value.is_discarded() ? OrderedJson(written) : value;
}

OrderedJson calls_array(const std::vector<ToolCall>& calls) {
  OrderedJson array = OrderedJson::array();
  for (const ToolCall& call : calls) {
    OrderedJson object = OrderedJson::object();
    add_text(object, "id", call.id);
    object["name"] = call.name;
    object["arguments"] = arguments_of(call.arguments);
    array.push_back(std::move(object));
  }
  return array;
}

OrderedJson results_array(const std::vector<ToolResult>& results) {
  OrderedJson array = OrderedJson::array();
  for (const ToolResult& result : results) {
    OrderedJson object = OrderedJson::object();
    add_text(object, "id", result.call.id);
    object["name"] = result.call.name;
    object["ok"] = result.ok();
    object["text"] = result.text;
    if (result.error) object["error"] = error_object(*result.error);
    object["ms"] = milliseconds(result.took);
    array.push_back(std::move(object));
  }
  return array;
}

OrderedJson failures_array(const std::vector<Failure>& failures) {
  OrderedJson array = OrderedJson::array();
  for (const Failure& failure : failures) {
    OrderedJson object{{"requirement", failure.requirement}, {"reason", failure.reason}};
    add_text(object, "code", failure.code);
    array.push_back(std::move(object));
  }
  return array;
}

OrderedJson vectors_array(const std::vector<Embedding>& vectors) {
  OrderedJson array = OrderedJson::array();
  for (const Embedding& vector : vectors) array.push_back(vector.values);
  return array;
}

std::string tokens(const std::optional<std::int64_t>& count) {
  return count ? std::to_string(*count) : "-";
}

std::string facts_of(const StepResult& result) {
  std::string facts = result.error ? "failed" : result.ok() ? "ok" : "not met";
  if (result.attempts > 0)
    facts +=
        ", " + std::to_string(result.attempts) + (result.attempts == 1 ? " attempt" : " attempts");
  if (result.usage)
    facts += ", " + tokens(result.usage->input_tokens) + '/' + tokens(result.usage->output_tokens) +
             " tokens";
  return facts + ", " + std::to_string(milliseconds(result.took)) + " ms";
}

const AnswerPlan* answer_of(const ProgramStep& step) {
  if (const auto* instruct = std::get_if<InstructStep>(&step.what)) return &instruct->how;
  if (const auto* chat = std::get_if<ChatStep>(&step.what)) return &chat->how;
  return nullptr;
}

// What is left out between two pieces of a stream, or looks like it.
std::string_view between_pieces(const ProgramStep& step) {
  const AnswerPlan* how = answer_of(step);
  const std::string_view by = how && how->stream ? how->stream->chunking.name : "delta";
  if (by == "delta") return "";
  if (by == "line") return "\n";
  return by == "paragraph" ? "\n\n" : " ";
}

class TextView : public StepView {
 public:
  explicit TextView(Console& console) : console_(console) {}

  void begin(const ProgramStep& step) override {
    ++number_;
    attempt_ = 1;
    streamed_ = false;
    between_ = between_pieces(step);
    const std::string id = step.id.empty() ? "" : ' ' + step.id;
    console_.write('[' + std::to_string(number_) + "] " + std::string(kind_of(step)) + id + '\n');
  }
  void piece(std::string_view text, int attempt) override {
    if (attempt != std::exchange(attempt_, attempt)) {
      console_.end_line();
      console_.write("    again, attempt " + std::to_string(attempt) + '\n');
    } else if (streamed_) {
      console_.write(between_);
    }
    console_.write(text);
    streamed_ = true;
  }
  void complete(const StepResult& result) override {
    if (result.text && !streamed_ && result.tool_results.empty()) line(*result.text);
    console_.end_line();
    for (const std::string& text : result.texts) line(text);
    for (const ToolCall& call : result.tool_calls) line("    " + call.name + ' ' + call.arguments);
    for (const ToolResult& one : result.tool_results)
      line("    " + one.call.name + (one.ok() ? ": " : " failed: ") + one_line(one.text, 500));
    if (result.text && !streamed_ && !result.tool_results.empty() && result.kind == "react")
      line(*result.text);
    if (!result.vectors.empty())
      line("    " + std::to_string(result.vectors.size()) + " vectors of " +
           std::to_string(result.vectors.front().values.size()));
    line("    " + facts_of(result) + '\n');
  }

 private:
  void line(const std::string& text) {
    console_.write(text);
    console_.end_line();
  }

  Console& console_;
  std::size_t number_ = 0;
  int attempt_ = 1;
  bool streamed_ = false;       // the text was written, piece by piece
  std::string_view between_{};  // two pieces
};

class JsonView : public StepView {
 public:
  explicit JsonView(Console& console) : console_(console) {}

  void begin(const ProgramStep&) override {}
  void piece(std::string_view, int) override {}
  void complete(const StepResult& result) override { console_.write(json_of(result)); }

 private:
  Console& console_;
};

// What a step is about to say, one line.
std::string said_by(const ProgramStep& step) {
  const auto quoted = [](const std::string& text) { return '"' + one_line(text, kShown) + '"'; };
  const auto count = [](std::size_t many) { return std::to_string(many) + " texts"; };
  return std::visit(
      [&](const auto& what) -> std::string {
        using What = std::decay_t<decltype(what)>;
        if constexpr (std::is_same_v<What, InstructStep> || std::is_same_v<What, ChatStep>)
          return quoted(what.text);
        else if constexpr (std::is_same_v<What, ReactStep>)
          return quoted(what.goal) + ", at most " + std::to_string(what.max_steps) + " steps";
        else if constexpr (std::is_same_v<What, RawStep>)
          return count(what.prompts.size());
        else if constexpr (std::is_same_v<What, EmbedStep>)
          return count(what.texts.size());
        else
          return "of step " + std::to_string(what.of + 1);
      },
      step.what);
}

std::vector<std::string> titles(const ProgramRequirements& requirements) {
  std::vector<std::string> all;
  for (const ProgramRequirement& requirement : requirements) all.push_back(requirement.title);
  return all;
}

std::vector<std::string> names(const Tools& tools) {
  std::vector<std::string> all;
  for (const Tool& tool : tools) all.push_back(tool.name());
  return all;
}

// The parts of a step that a plan tells, by name; a member that is empty is left out.
OrderedJson plan_of(const ProgramStep& step) {
  OrderedJson plan = OrderedJson::object();
  const auto add = [&](const char* name, const std::vector<std::string>& all) {
    if (!all.empty()) plan[name] = all;
  };
  if (const auto* validate = std::get_if<ValidateStep>(&step.what))
    add("requirements", titles(validate->requirements));
  if (const auto* react = std::get_if<ReactStep>(&step.what)) add("tools", names(react->tools));
  const AnswerPlan* how = answer_of(step);
  if (!how) return plan;
  add("requirements", titles(how->requirements));
  if (how->strategy) {
    const Strategy::Parts& parts = how->strategy->parts();
    plan["strategy"] = parts.name;
    plan["budget"] = std::max(parts.budget, parts.candidates);
  }
  add("tools", names(how->tools));
  if (how->format) plan["format"] = how->format->name;
  if (how->stream) plan["stream"] = how->stream->chunking.name;
  if (how->stream) add("checks", titles(how->stream->checks));
  return plan;
}

std::string listed(const OrderedJson& value) {
  if (!value.is_array()) return value.is_string() ? value.get<std::string>() : value.dump();
  std::string all;
  for (const OrderedJson& one : value)
    all.append(all.empty() ? "" : "; ").append(one_line(one.get<std::string>(), kShown));
  return all;
}

}  // namespace

std::string json_of(const StepResult& result) {
  OrderedJson line{{"step", result.number}};
  add_text(line, "id", result.id);
  line["kind"] = result.kind;
  line["ok"] = result.ok();
  if (result.text) line["text"] = *result.text;
  if (!result.texts.empty()) line["texts"] = result.texts;
  if (result.value) line["value"] = *result.value;
  if (!result.tool_calls.empty()) line["tool_calls"] = calls_array(result.tool_calls);
  if (!result.tool_results.empty()) line["tool_results"] = results_array(result.tool_results);
  if (!result.vectors.empty()) line["vectors"] = vectors_array(result.vectors);
  if (!result.failures.empty()) line["failures"] = failures_array(result.failures);
  if (result.error) line["error"] = error_object(*result.error);
  if (result.attempts > 0) line["attempts"] = result.attempts;
  if (result.usage) line["usage"] = usage_object(*result.usage);
  line["ms"] = milliseconds(result.took);
  add_text(line, "trace_id", trace_id(result.trace));
  return line_of(line);
}

std::string plan_text(const Program& program) {
  std::string text;
  std::size_t number = 0;
  for (const ProgramStep& step : program.steps) {
    text += '[' + std::to_string(++number) + "] " + std::string(kind_of(step)) +
            (step.id.empty() ? "" : ' ' + step.id) + "  " + said_by(step) + '\n';
    for (const auto& [name, value] : plan_of(step).items())
      text += "    " + name + ": " + listed(value) + '\n';
  }
  for (const ProgramCommand& command : program.commands) {
    text += "tool " + command.tool + " runs";
    for (const std::string& word : command.words) text += ' ' + one_line(word, 200);
    text += '\n';
  }
  return text;
}

std::string plan_json(const Program& program) {
  std::string lines;
  std::size_t number = 0;
  for (const ProgramStep& step : program.steps) {
    OrderedJson line{{"step", ++number}};
    add_text(line, "id", step.id);
    line["kind"] = kind_of(step);
    line["line"] = step.at.line;
    line.update(plan_of(step));
    lines += line_of(line);
  }
  for (const ProgramCommand& command : program.commands)
    lines += line_of({{"tool", command.tool}, {"command", command.words}});
  return lines;
}

std::unique_ptr<StepView> make_text_step_view(Console& console) {
  return std::make_unique<TextView>(console);
}

std::unique_ptr<StepView> make_json_step_view(Console& console) {
  return std::make_unique<JsonView>(console);
}

}  // namespace mellea::cli
