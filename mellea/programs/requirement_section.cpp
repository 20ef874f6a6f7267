// Requirements and strategies.
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "mellea/core/error.h"
#include "mellea/core/regex.h"
#include "mellea/core/text.h"
#include "mellea/programs/sections.h"
#include "mellea/runtime/requirements.h"

namespace mellea {
namespace {

using Make = std::function<Requirement(const Variables&)>;

std::string filled(const std::string& text, const Variables& variables) {
  return fill(text, variables, "requirement");
}

// A requirement with a text if there is one: `with` is given the text, `without` nothing.
template <class With, class Without>
Make with_text(const std::optional<std::string>& text, With with, Without without) {
  if (!text) return [without](const Variables& variables) { return without(variables); };
  return [text = *text, with](const Variables& variables) {
    return with(filled(text, variables), variables);
  };
}

using Text = std::optional<std::string>;
// Reads the value of a check's key; an empty function where it is wrong.
using ReadCheck = Make (*)(Reading& reading, const YamlNode& value, const Text& text,
                           const Definitions& definitions);

template <Requirement (*check)(std::string, std::string_view)>
Make read_pattern(Reading& reading, const YamlNode& value, const Text& text, const Definitions&) {
  const auto pattern = reading.text(value, value.key);
  if (!pattern) return {};
  if (const std::string fault = Regex::fault(*pattern); !fault.empty()) {
    const bool look_around = fault.starts_with("look-");
    reading.fault(value.at, value.key + ": " + fault +
                                (look_around ? ": use not_regex or a second requirement" : ""));
    return {};
  }
  return [text = text.value_or(""), pattern = *pattern](const Variables& variables) {
    return check(filled(text, variables), pattern);
  };
}

template <Requirement (*check)(std::string, std::string_view),
          Requirement (*plain)(std::string_view)>
Make read_words(Reading& reading, const YamlNode& value, const Text& text, const Definitions&) {
  const auto words = reading.said(value, value.key);
  if (!words) return {};
  if (words->empty()) {
    reading.fault(value.at, value.key + ": an empty text is in every answer");
    return {};
  }
  return with_text(
      text,
      [words = *words](std::string told, const Variables& variables) {
        return check(std::move(told), filled(words, variables));
      },
      [words = *words](const Variables& variables) { return plain(filled(words, variables)); });
}

template <Requirement (*check)(std::string, std::size_t), Requirement (*plain)(std::size_t)>
Make read_count(Reading& reading, const YamlNode& value, const Text& text, const Definitions&) {
  const auto number = reading.whole_number(value, value.key, 0);
  if (!number) return {};
  const auto count = static_cast<std::size_t>(*number);
  return with_text(
      text, [count](std::string told, const Variables&) { return check(std::move(told), count); },
      [count](const Variables&) { return plain(count); });
}

Make read_schema(Reading& reading, const YamlNode& value, const Text& text,
                 const Definitions& definitions) {
  Json wanted;
  if (value.kind == YamlNode::Kind::scalar) {
    if (const auto format = read_format(reading, value, definitions)) wanted = format->schema;
  } else {
    wanted = reading.schema(value, value.key);
  }
  if (!wanted) return {};
  return [text = text.value_or("is JSON of the schema"), wanted](const Variables& variables) {
    return schema(filled(text, variables), wanted);
  };
}

Make read_judge(Reading& reading, const YamlNode& value, const Text& text, const Definitions&) {
  Text judged = text;
  if (!text) {
    judged = reading.said(value, value.key);
  } else if (const auto wanted = reading.boolean(value, value.key); !wanted || !*wanted) {
    if (wanted) reading.fault(value.at, "judge: false is no check: leave it out");
    return {};
  }
  if (!judged) return {};
  if (judged->empty()) {
    reading.fault(value.at, "judge: the text is empty");
    return {};
  }
  return [text = *judged](const Variables& variables) { return judge(filled(text, variables)); };
}

struct CheckKey {
  std::string_view name;
  ReadCheck read;
};
constexpr std::array<CheckKey, 12> kChecks = {{
    {"regex", read_pattern<regex>},
    {"not_regex", read_pattern<not_regex>},
    {"contains", read_words<contains, contains>},
    {"not_contains", read_words<not_contains, not_contains>},
    {"min_words", read_count<min_words, min_words>},
    {"max_words", read_count<max_words, max_words>},
    {"min_chars", read_count<min_chars, min_chars>},
    {"max_chars", read_count<max_chars, max_chars>},
    {"min_lines", read_count<min_lines, min_lines>},
    {"max_lines", read_count<max_lines, max_lines>},
    {"schema", read_schema},
    {"judge", read_judge},
}};
constexpr std::array<std::string_view, 14> kRequirementKeys = {
    "text",      "check_only", "regex",     "not_regex", "contains",  "not_contains", "min_words",
    "max_words", "min_chars",  "max_chars", "min_lines", "max_lines", "schema",       "judge"};

// A text that a model judges.
std::optional<ProgramRequirement> judged(Reading& reading, const YamlNode& node,
                                         std::string_view path) {
  const auto text = reading.said(node, path);
  if (!text) return {};
  if (text->empty()) {
    reading.fault(node.at, std::string(path) + ": the text is empty");
    return {};
  }
  return ProgramRequirement{.title = *text, .make = [text = *text](const Variables& variables) {
                              return judge(filled(text, variables));
                            }};
}

// A map of a text and one check.
std::optional<ProgramRequirement> read_requirement_map(Reading& reading, const YamlNode& node,
                                                       const Definitions& definitions) {
  reading.require_known(node, kRequirementKeys, "in a requirement");
  Text text;
  if (const YamlNode* given = node.find("text")) {
    text = reading.said(*given, "text");
    if (!text) return {};
    if (text->empty()) text.reset();
  }
  bool check_only = false;
  if (const YamlNode* given = node.find("check_only"))
    check_only = reading.boolean(*given, "check_only").value_or(false);
  std::vector<const YamlNode*> values;
  std::vector<std::string_view> names;
  ReadCheck read = nullptr;
  for (const CheckKey& check : kChecks) {
    const YamlNode* value = node.find(check.name);
    if (!value) continue;
    values.push_back(value);
    names.push_back(check.name);
    read = check.read;
  }
  if (values.size() != 1) {
    reading.fault(node.at, "a requirement has exactly one check; this one has " +
                               (values.empty() ? "none: write judge: true to have a model judge it"
                                               : listed(names)));
    return {};
  }
  Make make = read(reading, *values.front(), text, definitions);
  if (!make) return {};
  if (check_only)
    make = [told = std::move(make)](const Variables& variables) { return check(told(variables)); };
  std::string title = text.value_or(std::string(names.front()));
  if (!text && values.front()->kind == YamlNode::Kind::scalar) title += ' ' + values.front()->text;
  return ProgramRequirement{.title = std::move(title), .make = std::move(make)};
}

std::optional<ProgramRequirement> read_requirement(Reading& reading, const YamlNode& node,
                                                   const Definitions& definitions,
                                                   std::string_view path) {
  if (node.kind == YamlNode::Kind::map) return read_requirement_map(reading, node, definitions);
  return judged(reading, node, path);
}

// A text that has no blanks and is nearly a name was meant to be one.
std::optional<ProgramRequirement> named_or_judged(Reading& reading, const YamlNode& node,
                                                  const Definitions& definitions,
                                                  std::string_view path) {
  if (node.kind == YamlNode::Kind::scalar) {
    if (const auto named = definitions.requirements.find(node.text);
        named != definitions.requirements.end())
      return named->second;
    std::vector<std::string_view> known;
    for (const auto& [name, requirement] : definitions.requirements) known.push_back(name);
    const std::string meant = did_you_mean(node.text, known);
    if (!meant.empty() && node.text.find(' ') == node.text.npos) {
      reading.fault(node.at, "requirement \"" + one_line(node.text, 60) +
                                 "\" is not under requirements" + meant);
      return {};
    }
  }
  return read_requirement(reading, node, definitions, path);
}

// The one of `count` answers that meets most of its requirements.
Strategy best_of(int count) {
  return Strategy({.name = "BestOfNStrategy",
                   .candidates = count,
                   .first_wins = false,
                   .choose = [](const Attempts& all) {
                     const auto met = [](const Attempt& attempt) {
                       return std::count_if(attempt.checks.begin(), attempt.checks.end(),
                                            [](const auto& one) { return one.result.passed; });
                     };
                     const auto best = std::max_element(
                         all.begin(), all.end(),
                         [&](const auto& a, const auto& b) { return met(a) < met(b); });
                     return static_cast<std::size_t>(best - all.begin());
                   }});
}

Strategy majority_of(int count) { return majority(count); }

struct StrategyKind {
  std::string_view name;
  Strategy (*make)(int budget);  // null: none
};
constexpr std::array<StrategyKind, 6> kStrategies = {{{"none", nullptr},
                                                      {"rejection", rejection},
                                                      {"repair", repair},
                                                      {"multi_turn", multi_turn},
                                                      {"best_of_n", best_of},
                                                      {"majority", majority_of}}};

const StrategyKind* strategy_kind(Reading& reading, const YamlNode& node) {
  const auto name = reading.text(node, "strategy");
  if (!name) return nullptr;
  std::vector<std::string_view> known;
  for (const StrategyKind& kind : kStrategies) {
    if (kind.name == *name) return &kind;
    known.push_back(kind.name);
  }
  const std::string meant = did_you_mean(*name, known);
  reading.fault(node.at, "strategy: there is no \"" + one_line(*name, 60) + '"' +
                             (meant.empty() ? ": known are " + listed(known) : meant));
  return nullptr;
}

}  // namespace

void read_requirements(Reading& reading, const YamlNode& node, Definitions& definitions) {
  if (!reading.is_map(node, "requirements")) return;
  for (const YamlNode& child : node.children)
    if (auto requirement =
            read_requirement(reading, child, definitions, "requirements." + child.key))
      definitions.requirements.emplace(child.key, std::move(*requirement));
}

ProgramRequirements read_requirement_list(Reading& reading, const YamlNode& node,
                                          const Definitions& definitions, std::string_view path) {
  ProgramRequirements all;
  if (!reading.is_list(node, path)) return all;
  if (node.children.empty()) reading.fault(node.at, std::string(path) + ": the list is empty");
  for (const YamlNode& child : node.children)
    if (auto requirement = named_or_judged(reading, child, definitions, path))
      all.push_back(std::move(*requirement));
  return all;
}

Option<Strategy> read_strategy(Reading& reading, const YamlNode& node) {
  constexpr std::array<std::string_view, 2> kKeys = {"kind", "budget"};
  constexpr int kBudget = 2;
  constexpr std::int64_t kMostBudget = 1'000;
  const YamlNode* name = &node;
  const YamlNode* given = nullptr;
  if (node.kind == YamlNode::Kind::map) {
    reading.require_known(node, kKeys, "in a strategy");
    name = node.find("kind");
    given = node.find("budget");
    if (!name) {
      reading.fault(node.at, "strategy: it has no kind");
      return {};
    }
  }
  const StrategyKind* kind = strategy_kind(reading, *name);
  if (!kind) return {};
  if (!kind->make) {
    if (given) reading.fault(given->key_at, "strategy.budget: the strategy none has none");
    return off;
  }
  const auto budget = given ? reading.whole_number(*given, "strategy.budget", 1) : kBudget;
  if (!budget) return {};
  if (*budget > kMostBudget) {
    reading.fault(given->at, "strategy.budget: " + std::to_string(*budget) + "; at most " +
                                 std::to_string(kMostBudget));
    return {};
  }
  return kind->make(static_cast<int>(*budget));
}

}  // namespace mellea
