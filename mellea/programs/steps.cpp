#include "mellea/programs/steps.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <utility>
#include <variant>

#include "mellea/core/text.h"

namespace mellea {
namespace {

constexpr std::array<std::string_view, 7> kKinds = {"instruct", "chat",  "call_tools", "validate",
                                                    "raw",      "embed", "react"};
static_assert(kKinds.size() == std::variant_size_v<ProgramStep::What>);
constexpr std::array<std::string_view, 14> kInstructKeys = {
    "instruct", "id",     "requirements", "strategy",  "tools",  "format",        "options",
    "system",   "stream", "examples",     "grounding", "prefix", "output_prefix", "images"};
constexpr std::array<std::string_view, 10> kChatKeys = {
    "chat",   "id",      "requirements", "strategy", "tools",
    "format", "options", "system",       "stream",   "images"};
constexpr std::array<std::string_view, 3> kCallToolsKeys = {"call_tools", "id", "parallel"};
constexpr std::array<std::string_view, 3> kValidateKeys = {"validate", "id", "options"};
constexpr std::array<std::string_view, 3> kRawKeys = {"raw", "id", "options"};
constexpr std::array<std::string_view, 3> kEmbedKeys = {"embed", "id", "options"};
constexpr std::array<std::string_view, 7> kReactKeys = {"react",  "id",       "tools",  "max_steps",
                                                        "format", "parallel", "options"};

std::string in_step(std::string_view kind) {
  const bool vowel = std::string_view("aeiou").find(kind.front()) != std::string_view::npos;
  return (vowel ? "in an " : "in a ") + std::string(kind) + " step";
}

bool is_id(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
  });
}

// The kinds that a step has, by its keys.
std::vector<std::string_view> kinds_of(const YamlNode& step) {
  std::vector<std::string_view> kinds;
  for (const YamlNode& child : step.children)
    if (std::find(kKinds.begin(), kKinds.end(), child.key) != kKinds.end())
      kinds.push_back(child.key);
  return kinds;
}

bool answers(const ProgramStep& step) {
  return std::holds_alternative<InstructStep>(step.what) ||
         std::holds_alternative<ChatStep>(step.what) ||
         std::holds_alternative<ReactStep>(step.what);
}

const AnswerPlan* answer_of(const ProgramStep& step) {
  if (const auto* instruct = std::get_if<InstructStep>(&step.what)) return &instruct->how;
  if (const auto* chat = std::get_if<ChatStep>(&step.what)) return &chat->how;
  return nullptr;
}

class StepsReader {
 public:
  StepsReader(Reading& reading, const Definitions& definitions)
      : reading_(reading), definitions_(definitions) {}

  std::vector<ProgramStep> read(const YamlNode& node) && {
    if (!reading_.is_list(node, "steps")) return {};
    if (node.children.empty()) reading_.fault(node.at, "steps: the list is empty");
    for (const YamlNode& child : node.children)
      if (const YamlNode* id = child.find("id"); id && id->kind == YamlNode::Kind::scalar)
        reading_.add_forbidden(id->text + ".text",
                               "step " + one_line(id->text, 60) + " has not run before this one");
    for (const YamlNode& child : node.children) {
      ProgramStep step{.at = child.at};
      read_step(child, step);
      steps_.push_back(std::move(step));  // faulty ones too: others count on their places
    }
    return std::move(steps_);
  }

 private:
  void read_step(const YamlNode& node, ProgramStep& step) {
    if (node.kind == YamlNode::Kind::scalar && node.text == "call_tools") {
      step.what = CallToolsStep{.of = before()};
      return;
    }
    if (node.kind != YamlNode::Kind::map) return refuse_step(node);
    const std::vector<std::string_view> kinds = kinds_of(node);
    if (kinds.size() != 1) return refuse_kinds(node, kinds);
    const std::string_view kind = kinds.front();
    reading_.require_known(node, step_keys(kind), in_step(kind));
    step.what = what_of(node, *node.find(kind));
    if (const YamlNode* id = node.find("id")) read_id(*id, step);
  }

  void refuse_step(const YamlNode& node) {
    const bool text = node.kind == YamlNode::Kind::scalar;
    reading_.fault(node.at, text ? "a step is a map: " + std::string(listed(kKinds)) +
                                       " say what it does, and \"" + one_line(node.text, 40) +
                                       "\" is none of them" + did_you_mean(node.text, kKinds)
                                 : "a step is a map of a kind and its keys");
  }

  void refuse_kinds(const YamlNode& node, const std::vector<std::string_view>& kinds) {
    if (!kinds.empty())
      return reading_.fault(node.at, "a step is of one kind; this one has " + listed(kinds));
    for (const YamlNode& child : node.children)
      if (const std::string meant = did_you_mean(child.key, kKinds); !meant.empty())
        return reading_.fault(child.key_at,
                              "there is no step \"" + one_line(child.key, 60) + '"' + meant);
    reading_.fault(node.at, "a step is one of " + listed(kKinds) + "; this one is none");
  }

  ProgramStep::What what_of(const YamlNode& node, const YamlNode& kind) {
    if (kind.key == "instruct") return instruct(node, kind);
    if (kind.key == "chat") return ChatStep{.text = said(kind), .how = answer_plan(node)};
    if (kind.key == "call_tools") return call_tools(node, kind);
    if (kind.key == "validate") return validate(node, kind);
    if (kind.key == "raw")
      return RawStep{.prompts = reading_.all_said(kind, "raw"), .call = call_plan(node)};
    if (kind.key == "embed")
      return EmbedStep{.texts = reading_.all_said(kind, "embed"), .call = call_plan(node)};
    return react(node, kind);
  }

  std::string said(const YamlNode& node) {
    std::string text = reading_.said(node, node.key).value_or("-");
    if (text.empty()) reading_.fault(node.at, node.key + ": the text is empty");
    return text;
  }
  std::string said_if_there(const YamlNode& node, std::string_view key) {
    const YamlNode* value = node.find(key);
    return value ? reading_.said(*value, key).value_or("") : "";
  }

  CallPlan call_plan(const YamlNode& node) {
    const YamlNode* options = node.find("options");
    return options ? read_options(reading_, *options) : CallPlan{};
  }

  AnswerPlan answer_plan(const YamlNode& node) {
    AnswerPlan plan{.call = call_plan(node)};
    if (node.find("system")) plan.system = said_if_there(node, "system");
    if (const YamlNode* tools = node.find("tools"))
      plan.tools = read_tool_list(reading_, *tools, definitions_);
    if (const YamlNode* format = node.find("format"))
      plan.format = read_format(reading_, *format, definitions_);
    if (const YamlNode* requirements = node.find("requirements"))
      plan.requirements =
          read_requirement_list(reading_, *requirements, definitions_, "requirements");
    if (const YamlNode* strategy = node.find("strategy"))
      plan.strategy = read_strategy(reading_, *strategy);
    if (const YamlNode* images = node.find("images")) plan.images = read_images(reading_, *images);
    if (const YamlNode* stream = node.find("stream")) {
      plan.stream = read_stream(reading_, *stream, definitions_);
      if (plan.stream && (plan.format || plan.strategy.is_set()))
        reading_.fault(stream->key_at,
                       "stream: a format and a strategy need the whole answer: "
                       "leave out stream, or those");
    }
    return plan;
  }

  InstructStep instruct(const YamlNode& node, const YamlNode& kind) {
    InstructStep step{.text = said(kind), .how = answer_plan(node)};
    if (const YamlNode* examples = node.find("examples"))
      step.examples = reading_.all_said(*examples, "examples");
    if (const YamlNode* grounding = node.find("grounding");
        grounding && reading_.is_map(*grounding, "grounding"))
      for (const YamlNode& child : grounding->children)
        step.grounding.emplace_back(
            child.key, reading_.said(child, "grounding." + one_line(child.key, 60)).value_or(""));
    step.prefix = said_if_there(node, "prefix");
    step.output_prefix = said_if_there(node, "output_prefix");
    return step;
  }

  // The step before, which must be one that can ask for tools.
  std::size_t before() const { return steps_.empty() ? 0 : steps_.size() - 1; }

  CallToolsStep call_tools(const YamlNode& node, const YamlNode& kind) {
    if (kind.kind != YamlNode::Kind::null)
      reading_.fault(kind.at, "call_tools: must be empty: it runs the calls of the step before");
    return {.of = before(), .parallel = read_parallel(node)};
  }

  bool read_parallel(const YamlNode& node) {
    const YamlNode* parallel = node.find("parallel");
    return parallel && reading_.boolean(*parallel, "parallel").value_or(false);
  }

  ValidateStep validate(const YamlNode& node, const YamlNode& kind) {
    constexpr std::array<std::string_view, 2> kKeys = {"of", "requirements"};
    ValidateStep step{.call = call_plan(node)};
    const YamlNode* requirements = &kind;
    const YamlNode* of = nullptr;
    if (kind.kind == YamlNode::Kind::map) {
      reading_.require_known(kind, kKeys, "in validate");
      requirements = kind.find("requirements");
      of = kind.find("of");
    }
    if (requirements)
      step.requirements = read_requirement_list(reading_, *requirements, definitions_, "validate");
    else
      reading_.fault(kind.at, "validate: it has no requirements");
    step.of = of ? answer_named(*of) : last_answer(kind);
    return step;
  }

  std::size_t answer_named(const YamlNode& node) {
    const auto id = reading_.text(node, "of");
    std::vector<std::string_view> known;
    for (std::size_t place = 0; id && place < steps_.size(); ++place) {
      if (!answers(steps_[place])) continue;
      if (steps_[place].id == *id) return place;
      if (!steps_[place].id.empty()) known.push_back(steps_[place].id);
    }
    if (id)
      reading_.fault(node.at, "of: no step \"" + one_line(*id, 60) +
                                  "\" has answered before this one" + did_you_mean(*id, known));
    return 0;
  }

  std::size_t last_answer(const YamlNode& node) {
    const auto last = std::find_if(steps_.rbegin(), steps_.rend(), answers);
    if (last == steps_.rend())
      reading_.fault(node.key_at, "validate: no step has answered before this one");
    return static_cast<std::size_t>(steps_.rend() - last) - (last == steps_.rend() ? 0 : 1);
  }

  ReactStep react(const YamlNode& node, const YamlNode& kind) {
    constexpr std::int64_t kMostSteps = 1'000;
    ReactStep step{.goal = said(kind), .parallel = read_parallel(node), .call = call_plan(node)};
    if (const YamlNode* tools = node.find("tools")) {
      step.tools = read_tool_list(reading_, *tools, definitions_);
      for (const Tool& tool : step.tools)
        if (tool.name() == "final_answer")
          reading_.fault(tools->at, "tools: final_answer is the agent's own: rename yours");
    }
    if (const YamlNode* format = node.find("format"))
      step.format = read_format(reading_, *format, definitions_);
    if (const YamlNode* steps = node.find("max_steps"))
      if (const auto number = reading_.whole_number(*steps, "max_steps", 1))
        step.max_steps = static_cast<int>(std::min(*number, kMostSteps));
    return step;
  }

  void read_id(const YamlNode& node, ProgramStep& step) {
    const auto id = reading_.text(node, "id");
    if (!id) return;
    if (!is_id(*id))
      return reading_.fault(
          node.at, "id: \"" + one_line(*id, 60) + "\": an id has letters, digits, _ and -");
    const auto [first, is_new] = ids_.emplace(*id, node.at.line);
    if (!is_new)
      return reading_.fault(node.at, "id \"" + *id + "\" is here twice (first at line " +
                                         std::to_string(first->second) + ")");
    step.id = *id;
    const bool has_text = answers(step) || std::holds_alternative<CallToolsStep>(step.what);
    if (has_text)
      reading_.add_variable(*id + ".text");
    else
      reading_.add_forbidden(*id + ".text", "step " + *id + " is " + std::string(kind_of(step)) +
                                                ", which has no text");
  }

  Reading& reading_;
  const Definitions& definitions_;
  std::vector<ProgramStep> steps_;
  std::map<std::string, int> ids_;  // and their lines
};

}  // namespace

Names step_kinds() noexcept { return kKinds; }

Names step_keys(std::string_view kind) noexcept {
  if (kind == "instruct") return kInstructKeys;
  if (kind == "chat") return kChatKeys;
  if (kind == "call_tools") return kCallToolsKeys;
  if (kind == "validate") return kValidateKeys;
  if (kind == "raw") return kRawKeys;
  if (kind == "embed") return kEmbedKeys;
  if (kind == "react") return kReactKeys;
  return {};
}

std::vector<ProgramStep> read_steps(Reading& reading, const YamlNode& node,
                                    const Definitions& definitions) {
  std::vector<ProgramStep> steps = StepsReader(reading, definitions).read(node);
  for (std::size_t place = 0; place < steps.size(); ++place) {
    const auto* calls = std::get_if<CallToolsStep>(&steps[place].what);
    if (!calls) continue;
    const AnswerPlan* asked = place > 0 ? answer_of(steps[calls->of]) : nullptr;
    if (!asked || asked->tools.empty())
      reading.fault(steps[place].at, "call_tools: the step before is none that may ask for tools");
  }
  return steps;
}

std::string_view kind_of(const ProgramStep& step) noexcept { return kKinds[step.what.index()]; }

}  // namespace mellea
