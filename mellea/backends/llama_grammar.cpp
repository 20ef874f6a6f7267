#include "mellea/backends/llama_grammar.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "mellea/core/error.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

using nlohmann::json;

// A text that stands for itself.
std::string literal(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      quoted.append({'\\', c});
    else if (byte < 0x20 || byte == 0x7F)
      quoted.append({'\\', 'x', kHex[byte >> 4U], kHex[byte & 0xFU]});
    else
      quoted += c;
  }
  return quoted + '"';
}

// JSON as any model writes it.
constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kRules = {{
    {"ws", R"((" " | "\n" [ \t]{0,19})?)"},
    {"char", R"([^"\\\x7F\x00-\x1F] | "\\" (["\\/bfnrt] | "u" hex{4}))"},
    {"hex", "[0-9a-fA-F]"},
    {"digits", "[0-9]{1,16}"},
    {"whole", R"("0" | [1-9] [0-9]{0,15})"},
    {"integer", R"("-"? whole)"},
    {"number", R"(integer ("." digits)? ([eE] [-+]? [0-9]{1,3})?)"},
    {"string", R"("\"" char* "\"")"},
    {"boolean", R"("true" | "false")"},
    {"null", R"("null")"},
    {"value", "object | array | string | number | boolean | null"},
    {"member", R"(string ws ":" ws value)"},
    {"object", R"("{" ws (member ws ("," ws member ws)*)? "}")"},
    {"array", R"("[" ws (value ws ("," ws value ws)*)? "]")"},
}};

constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kFormats = {{
    {"date", R"([0-9]{4} "-" ("0" [1-9] | "1" [0-2]) "-" ("0" [1-9] | [12] [0-9] | "3" [01]))"},
    {"time",
     R"(([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9] ":" [0-5] [0-9] ("Z" | [-+] [01] [0-9] ":" [0-5] [0-9]))"},
    {"date-time", ""},  // the two above
    {"uuid", R"(hex{8} "-" hex{4} "-" hex{4} "-" hex{4} "-" hex{12})"},
}};

// Longer repetitions make a grammar that takes long to read.
constexpr std::uint64_t kMostRepetitions = 256;

std::string dumped(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

// Schemas are named by where they are in memory: documents must outlive it.
class Writer {
 public:
  // The name of the rule for a whole document, to which its references lead.
  std::string rule_of_document(const json& document) {
    document_ = &document;
    return rule_of(document);
  }

  std::string add(std::string body) {
    std::string name = "h" + std::to_string(rules_.size());
    rules_.emplace_back(name, std::move(body));
    return name;
  }

  LlamaGrammar finish(const std::string& root) && {
    LlamaGrammar grammar{.text = "root ::= " + root + '\n', .not_forced = std::move(not_forced_)};
    for (const auto& [name, body] : rules_) grammar.text += name + " ::= " + body + '\n';
    for (const auto& [name, body] : kRules)
      grammar.text.append(name).append(" ::= ").append(body).append("\n");
    return grammar;
  }

 private:
  // The name of the rule for `schema`.
  std::string rule_of(const json& schema, std::size_t depth = 0) {
    constexpr std::size_t kMaxDepth = 256;
    if (depth > kMaxDepth) refuse("is nested more than 256 deep");
    if (schema.is_boolean() && schema.get<bool>()) return "value";
    if (schema.is_boolean()) refuse("allows nothing in one place");
    if (!schema.is_object()) refuse("has something in place of a schema");
    if (const auto known = known_.find(&schema); known != known_.end()) return known->second;
    const std::string name = "r" + std::to_string(known_.size());
    known_.emplace(&schema, name);
    rules_.emplace_back(name, "");
    const std::size_t place = rules_.size() - 1;
    std::string body = body_of(schema, depth);
    rules_[place].second = std::move(body);
    return name;
  }

  [[noreturn]] static void refuse(const std::string& what) {
    throw Error(Errc::invalid_request,
                "local: no grammar can be made of the format's schema: it " + what);
  }

  void not_forced(std::string_view keyword) {
    if (std::find(not_forced_.begin(), not_forced_.end(), keyword) == not_forced_.end())
      not_forced_.emplace_back(keyword);
  }
  void not_forced_of(const json& schema, std::initializer_list<const char*> keywords) {
    for (const char* keyword : keywords)
      if (schema.contains(keyword)) not_forced(keyword);
  }

  std::string body_of(const json& schema, std::size_t depth) {
    if (const auto constant = schema.find("const"); constant != schema.end())
      return literal(dumped(*constant));
    if (const auto choices = schema.find("enum"); choices != schema.end()) return one_of(*choices);
    if (const auto reference = schema.find("$ref"); reference != schema.end())
      return rule_of(referred(*reference), depth + 1);
    for (const char* keyword : {"anyOf", "oneOf"})
      if (const auto several = schema.find(keyword); several != schema.end())
        return alternatives(schema, *several, depth);
    if (const auto all = schema.find("allOf"); all != schema.end()) return first_of(*all, depth);
    return typed(schema, depth);
  }

  static std::string one_of(const json& choices) {
    if (!choices.is_array() || choices.empty()) refuse("has an enum without a value");
    std::string body;
    for (const json& choice : choices)
      body.append(body.empty() ? "" : " | ").append(literal(dumped(choice)));
    return body;
  }

  const json& referred(const json& reference) const {
    const std::string path = reference.is_string() ? reference.get<std::string>() : "";
    if (path == "#") return *document_;
    for (const char* folder : {"$defs", "definitions"}) {
      const std::string beginning = "#/" + std::string(folder) + '/';
      if (!path.starts_with(beginning) || !document_->contains(folder)) continue;
      const json& definitions = (*document_)[folder];
      const auto found = definitions.find(path.substr(beginning.size()));
      if (found != definitions.end()) return *found;
    }
    refuse("refers to \"" + one_line(path, 100) + "\", which is not there");
  }

  std::string alternatives(const json& schema, const json& several, std::size_t depth) {
    not_forced_of(schema, {"properties", "items", "minimum", "maximum"});
    if (!several.is_array() || several.empty()) refuse("has a choice of nothing");
    std::string body;
    for (const json& each : several)
      body.append(body.empty() ? "" : " | ").append(rule_of(each, depth + 1));
    return body;
  }

  std::string first_of(const json& all, std::size_t depth) {
    if (!all.is_array() || all.empty()) refuse("has an allOf without a schema");
    if (all.size() > 1) not_forced("allOf");
    return rule_of(all.front(), depth + 1);
  }

  std::string typed(const json& schema, std::size_t depth) {
    const auto type = schema.find("type");
    if (type == schema.end()) return of_type(schema, implied_type(schema), depth);
    if (type->is_string()) return of_type(schema, type->get<std::string>(), depth);
    if (!type->is_array() || type->empty()) refuse("has a type that is none");
    std::string body;
    for (const json& each : *type)
      body.append(body.empty() ? "" : " | ")
          .append("(" + of_type(schema, each.is_string() ? each.get<std::string>() : "", depth) +
                  ")");
    return body;
  }

  // Of a schema that says it only by its other keywords; empty: any.
  static std::string implied_type(const json& schema) {
    for (const char* keyword : {"properties", "required", "additionalProperties"})
      if (schema.contains(keyword)) return "object";
    for (const char* keyword : {"items", "prefixItems", "minItems", "maxItems"})
      if (schema.contains(keyword)) return "array";
    return "";
  }

  std::string of_type(const json& schema, const std::string& type, std::size_t depth) {
    if (type == "object") return object(schema, depth);
    if (type == "array") return array(schema, depth);
    if (type == "string") return string(schema);
    if (type == "integer" || type == "number") return number(schema, type);
    if (type == "boolean" || type == "null") return type;
    if (type.empty()) return "value";
    refuse("has the type \"" + one_line(type, 60) + "\"");
  }

  std::string number(const json& schema, const std::string& type) {
    not_forced_of(schema, {"maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"});
    const auto minimum = schema.find("minimum");
    if (minimum == schema.end() || !minimum->is_number()) return type;
    if (*minimum != 0) not_forced("minimum");
    if (minimum->get<double>() < 0) return type;
    return type == "integer" ? "whole" : R"(whole ("." digits)? ([eE] [-+]? [0-9]{1,3})?)";
  }

  std::string string(const json& schema) {
    not_forced_of(schema, {"pattern"});
    if (const auto format = schema.find("format"); format != schema.end()) {
      for (const auto& [name, body] : kFormats)
        if (*format == name) return R"("\"" )" + formatted(name, body) + R"( "\"")";
      not_forced("format");
    }
    const std::string times = repetitions(schema, "minLength", "maxLength");
    return times.empty() ? "string" : R"("\"" char)" + times + R"( "\"")";
  }

  static std::string formatted(std::string_view name, std::string_view body) {
    if (name != "date-time") return std::string(body);
    return std::string(kFormats[0].second) + R"( "T" )" + std::string(kFormats[1].second);
  }

  // "{2,5}", "{2,}"; empty if there is no bound, or one that is not forced.
  std::string repetitions(const json& schema, const char* least, const char* most) {
    const auto bound = [&](const char* keyword) -> std::optional<std::uint64_t> {
      const auto found = schema.find(keyword);
      if (found == schema.end() || !found->is_number_unsigned()) return {};
      const auto number = found->get<std::uint64_t>();
      if (number <= kMostRepetitions) return number;
      not_forced(keyword);
      return {};
    };
    const auto from = bound(least);
    const auto to = bound(most);
    if (!from && !to) return "";
    if (from && to && *from > *to) refuse("wants at least more than at most");
    return '{' + std::to_string(from.value_or(0)) + ',' + (to ? std::to_string(*to) : "") + '}';
  }

  std::string array(const json& schema, std::size_t depth) {
    not_forced_of(schema, {"uniqueItems"});
    const auto items = schema.find("items");
    const std::string item = items == schema.end() ? "value" : rule_of_items(*items, depth);
    if (const auto first = schema.find("prefixItems"); first != schema.end() && first->is_array())
      return tuple(*first, item, depth);
    const std::string times = repetitions(schema, "minItems", "maxItems");
    if (times == "{0,0}" || item.empty()) return R"("[" ws "]")";
    std::string list = item + R"( ws ("," ws )" + item + " ws)*";
    if (!times.empty()) list = bounded(item, schema);
    const bool may_be_empty = times.empty() || times.starts_with("{0,");
    return R"("[" ws )" + (may_be_empty ? "(" + list + ")?" : list) + R"( "]")";
  }

  // Empty if there may be none.
  std::string rule_of_items(const json& items, std::size_t depth) {
    return items.is_boolean() && !items.get<bool>() ? "" : rule_of(items, depth + 1);
  }

  // At least one, and as many more as the bounds say.
  std::string bounded(const std::string& item, const json& schema) {
    json rest = json::object();
    for (const char* keyword : {"minItems", "maxItems"})
      if (const auto found = schema.find(keyword);
          found != schema.end() && found->is_number_unsigned()) {
        const auto number = found->get<std::uint64_t>();
        rest[keyword] = number > 0 ? number - 1 : 0;
      }
    const std::string times = repetitions(rest, "minItems", "maxItems");
    return item + R"( ws ("," ws )" + item + " ws)" + (times.empty() ? "*" : times);
  }

  std::string tuple(const json& first, const std::string& item, std::size_t depth) {
    std::string body = R"("[" ws)";
    for (std::size_t i = 0; i < first.size(); ++i)
      body += (i == 0 ? " " : R"( "," ws )") + rule_of(first[i], depth + 1) + " ws";
    if (!item.empty() && !first.empty()) body += R"( ("," ws )" + item + " ws)*";
    return body + R"( "]")";
  }

  std::string object(const json& schema, std::size_t depth) {
    const auto properties = schema.find("properties");
    const auto others = schema.find("additionalProperties");
    const bool named =
        properties != schema.end() && properties->is_object() && !properties->empty();
    std::string other;  // the rule of a member that is not named
    if (others != schema.end() && (!others->is_boolean() || others->get<bool>()))
      other = add(R"(string ws ":" ws )" + rule_of(*others, depth + 1) + " ws");
    if (!named && others == schema.end()) {
      not_forced_of(schema, {"required"});
      return "object";
    }
    if (!named)
      return other.empty() ? R"("{" ws "}")"
                           : R"("{" ws ()" + other + R"( ("," ws )" + other + R"()*)? "}")";
    return R"("{" ws )" + members(schema, *properties, other, depth) + R"( "}")";
  }

  // The rule of all members in their order, of which some may be missing: for each one there is a
  // rule for what follows from it on, if it would be the first and if it would not.
  std::string members(const json& schema, const json& properties, const std::string& other,
                      std::size_t depth) {
    std::set<std::string> required;
    if (const auto names = schema.find("required"); names != schema.end() && names->is_array())
      for (const json& name : *names)
        if (name.is_string()) required.insert(name.get<std::string>());
    std::string as_first = other.empty() ? R"("")" : "(" + other + R"( ("," ws )" + other + ")*)?";
    std::string as_later = other.empty() ? R"("")" : R"(("," ws )" + other + ")*";
    for (auto member = properties.end(); member != properties.begin();) {
      --member;
      const std::string body = literal(dumped(member.key())) + R"( ws ":" ws )" +
                               rule_of(member.value(), depth + 1) + " ws";
      const bool may_be_missing = required.count(member.key()) == 0;
      const std::string later = add(as_later);
      std::string first = body + ' ' + later;
      std::string again = R"("," ws )" + body + ' ' + later;
      if (may_be_missing) {
        first += " | " + add(as_first);
        again += " | " + later;
      }
      as_first = std::move(first);
      as_later = std::move(again);
    }
    return add(as_first);
  }

  const json* document_ = nullptr;            // never null while rules are made
  std::map<const json*, std::string> known_;  // rules of schemas, by where those are
  std::vector<std::pair<std::string, std::string>> rules_;
  std::vector<std::string> not_forced_;
};

}  // namespace

LlamaGrammar llama_grammar(const Json& schema) {
  Writer writer;
  return std::move(writer).finish("ws " + (schema ? writer.rule_of_document(*schema) : "object"));
}

LlamaGrammar llama_tool_grammar(const std::vector<LlamaTool>& tools) {
  Writer writer;
  std::string calls;
  for (const LlamaTool& tool : tools)
    calls.append(calls.empty() ? "" : " | ")
        .append(R"("\"name\"" ws ":" ws )" + literal(dumped(tool.name)) +
                R"( ws "," ws "\"arguments\"" ws ":" ws )" +
                (tool.parameters ? writer.rule_of_document(*tool.parameters) : "object") + " ws");
  const std::string call = writer.add(calls);
  return std::move(writer).finish(R"(ws "<tool_call>" ws "{" ws )" + call +
                                  R"( "}" ws "</tool_call>")");
}

}  // namespace mellea
