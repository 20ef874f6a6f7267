#include "mellea/core/schema.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "mellea/core/error.h"
#include "mellea/core/schema_node.h"
#include "mellea/core/text.h"

namespace mellea {

using nlohmann::json;

namespace {

constexpr std::array<std::string_view, 7> kTypes = {"null",   "boolean", "object", "array",
                                                    "number", "string",  "integer"};
constexpr std::array<std::string_view, 10> kDescribing = {
    "$schema",  "$id",        "$comment", "title",     "description",
    "examples", "deprecated", "readOnly", "writeOnly", "discriminator"};

// "steps[2].title" of "steps[2]" and "title".
std::string below(const std::string& path, std::string_view name) {
  const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return c == '_' || c == '$' || c == '-' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') || c >= 0x80;
  });
  if (!plain) return path + "[\"" + one_line(name, 60) + "\"]";
  return path.empty() ? std::string(name) : path + '.' + std::string(name);
}
std::string below(const std::string& path, std::size_t index) {
  return path + '[' + std::to_string(index) + ']';
}

std::string_view type_of(const json& value) {
  return value.is_number_integer() ? "integer" : std::string_view(value.type_name());
}

// "an array", "null", "a string".
std::string with_article(std::string_view type) {
  if (type == "null") return "null";
  const bool vowel = std::string_view("aeiou").find(type.front()) != std::string_view::npos;
  return (vowel ? "an " : "a ") + std::string(type);
}

std::string shown(const json& value) {
  return one_line(value.dump(-1, ' ', false, json::error_handler_t::replace), 60);
}

// A whole number without a point, as people write it.
std::string shown(double number) {
  constexpr double kExact = 1e15;
  if (std::abs(number) < kExact && number == std::trunc(number))
    return std::to_string(static_cast<std::int64_t>(number));
  return json(number).dump();
}

template <class List, class Show>
std::string listed(const List& list, const Show& show) {
  std::string all;
  for (const auto& one : list) all.append(all.empty() ? "" : ", ").append(show(one));
  return all;
}

bool is_multiple(const json& value, double of) {
  const bool whole = std::trunc(of) == of && std::abs(of) < 0x1p53;
  if (whole && value.is_number_unsigned())
    return value.get<std::uint64_t>() % static_cast<std::uint64_t>(of) == 0;
  if (whole && value.is_number_integer())
    return value.get<std::int64_t>() % static_cast<std::int64_t>(of) == 0;
  if (whole) return std::fmod(value.get<double>(), of) == 0;
  // What is not exact in binary, 0.3 of 0.1 say, is as near as the arithmetic gets.
  const double quotient = value.get<double>() / of;
  return std::isfinite(quotient) &&
         std::abs(quotient - std::round(quotient)) <=
             4 * std::numeric_limits<double>::epsilon() * std::abs(quotient);
}

bool has_duplicates(const json& array) {
  std::vector<const json*> sorted;
  for (const json& element : array) sorted.push_back(&element);
  std::sort(sorted.begin(), sorted.end(), [](const json* a, const json* b) { return *a < *b; });
  return std::adjacent_find(sorted.begin(), sorted.end(),
                            [](const json* a, const json* b) { return *a == *b; }) != sorted.end();
}

}  // namespace

bool is_integer(const json& value) {
  if (value.is_number_integer()) return true;
  return value.is_number_float() && std::isfinite(value.get<double>()) &&
         std::trunc(value.get<double>()) == value.get<double>();
}

bool is_of_type(const json& value, std::string_view type) {
  if (type == "integer") return is_integer(value);
  if (type == "number") return value.is_number();
  return type == value.type_name();
}

std::string to_string(const SchemaProblem& problem) {
  return (problem.path.empty() ? "the value" : problem.path) + ' ' + problem.what;
}

// Turns a document into nodes.
class Schema::Reader {
 public:
  explicit Reader(const json& document) : document_(document) {}

  std::vector<Node> read() && {
    node_of(document_, "");
    check_references();
    return std::move(nodes_);
  }

 private:
  [[noreturn]] static void refuse(const std::string& path, const std::string& what) {
    throw Error(Errc::invalid_request,
                "schema: " + (path.empty() ? std::string("the whole") : path) + ": " + what);
  }

  // Reads it once, however often it is referred to.
  Node::Ref node_of(const json& schema, const std::string& path) {
    if (const auto known = known_.find(&schema); known != known_.end()) return known->second;
    const Node::Ref place = nodes_.size();
    known_.emplace(&schema, place);
    nodes_.emplace_back();
    Node node = read_node(schema, path);
    nodes_[place] = std::move(node);
    return place;
  }

  Node read_node(const json& schema, const std::string& path) {
    Node node;
    if (schema.is_boolean()) {
      node.never = !schema.get<bool>();
      return node;
    }
    if (!schema.is_object()) refuse(path, "a schema is an object, true or false");
    if (!path.empty() && schema.contains("$id"))
      refuse(path, "a schema with an $id within another is not supported");
    for (const auto& [name, value] : schema.items()) read_keyword(node, name, value, path);
    return node;
  }

  using Read = void (Reader::*)(Node& node, const json& value, const std::string& path);
  struct Keyword {
    std::string_view name;
    Read read;
  };
  static std::span<const Keyword> keywords() noexcept;

  void read_keyword(Node& node, std::string_view name, const json& value, const std::string& path) {
    std::vector<std::string_view> known;
    for (const Keyword& keyword : keywords()) {
      if (keyword.name == name) return (this->*keyword.read)(node, value, below(path, name));
      known.push_back(keyword.name);
    }
    if (std::find(kDescribing.begin(), kDescribing.end(), name) != kDescribing.end()) return;
    refuse(path, "the keyword \"" + one_line(name, 60) + "\" is not supported" +
                     did_you_mean(name, known));
  }

  // Reads what a member of the node takes as it is.
  template <auto member, auto read>
  void set(Node& node, const json& value, const std::string& path) {
    node.*member = (this->*read)(value, path);
  }

  void read_constant(Node& node, const json& value, const std::string&) { node.constant = value; }

  void read_default(Node& node, const json& value, const std::string&) { node.fallback = value; }

  void read_types(Node& node, const json& value, const std::string& path) {
    node.types = value.is_string() ? std::vector{value.get<std::string>()} : names(value, path);
    if (node.types.empty()) refuse(path, "no type is given");
    for (const std::string& type : node.types)
      if (std::find(kTypes.begin(), kTypes.end(), type) == kTypes.end())
        refuse(path, "\"" + one_line(type, 60) + "\" is no type" + did_you_mean(type, kTypes));
  }

  void read_enum(Node& node, const json& value, const std::string& path) {
    if (!value.is_array()) refuse(path, "must be a list of values");
    node.choices = value.get<std::vector<json>>();
  }

  void read_properties(Node& node, const json& value, const std::string& path) {
    if (!value.is_object()) refuse(path, "must be an object of schemas");
    for (const auto& [name, schema] : value.items())
      node.properties.emplace(name, node_of(schema, below(path, name)));
  }

  void read_definitions(Node&, const json& value, const std::string& path) {
    if (!value.is_object()) refuse(path, "must be an object of schemas");
    for (const auto& [name, schema] : value.items()) node_of(schema, below(path, name));
  }

  void read_multiple_of(Node& node, const json& value, const std::string& path) {
    node.multiple_of = number(value, path);
    if (*node.multiple_of <= 0) refuse(path, "must be over 0");
  }

  void read_unique(Node& node, const json& value, const std::string& path) {
    if (!value.is_boolean()) refuse(path, "must be true or false");
    node.unique = value.get<bool>();
  }

  void read_pattern(Node& node, const json& value, const std::string& path) {
    if (!value.is_string()) refuse(path, "must be a regular expression");
    const auto& pattern = value.get_ref<const std::string&>();
    if (const std::string fault = Regex::fault(pattern); !fault.empty())
      refuse(path, "no regular expression of RE2: " + fault);
    node.pattern.emplace(pattern);
  }

  void read_format(Node& node, const json& value, const std::string& path) {
    if (!value.is_string()) refuse(path, "must be the name of a format");
    node.format_name = value.get<std::string>();
    node.format = find_format(node.format_name);
    if (node.format == nullptr)
      refuse(path, "the format \"" + one_line(node.format_name, 60) + "\" is not supported");
  }

  std::vector<std::string> names(const json& value, const std::string& path) {
    std::vector<std::string> all;
    if (!value.is_array()) refuse(path, "must be a list of names");
    for (const json& name : value) {
      if (!name.is_string()) refuse(path, "must be a list of names");
      all.push_back(name.get<std::string>());
    }
    return all;
  }

  double number(const json& value, const std::string& path) {
    if (!value.is_number()) refuse(path, "must be a number");
    return value.get<double>();
  }

  std::uint64_t size(const json& value, const std::string& path) {
    if (!is_integer(value) || value.get<double>() < 0)
      refuse(path, "must be a whole number, 0 or more");
    if (value.get<double>() >= 0x1p64) return std::numeric_limits<std::uint64_t>::max();
    return value.get<std::uint64_t>();
  }

  std::vector<Node::Ref> schemas(const json& value, const std::string& path) {
    if (!value.is_array() || value.empty()) refuse(path, "must be a list of schemas");
    std::vector<Node::Ref> all;
    for (std::size_t i = 0; i < value.size(); ++i) all.push_back(node_of(value[i], below(path, i)));
    return all;
  }

  Node::Ref reference(const json& value, const std::string& path) {
    if (!value.is_string()) refuse(path, "must be a text");
    const std::string text = value.get<std::string>();
    if (!text.starts_with('#'))
      refuse(path,
             "\"" + one_line(text, 60) + "\" is not in this document: only \"#...\" is supported");
    try {
      return node_of(document_.at(json::json_pointer(decoded(text.substr(1)))), text);
    } catch (const json::exception&) {
      refuse(path, "\"" + one_line(text, 60) + "\" leads nowhere");
    }
  }

  // %22 and the like, as in any URI.
  static std::string decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char* const digits = text.data() + i + 1;
      unsigned char c = 0;
      const bool escaped = text[i] == '%' && i + 2 < text.size() &&
                           std::from_chars(digits, digits + 2, c, 16).ptr == digits + 2;
      out += escaped ? static_cast<char>(c) : text[i];
      if (escaped) i += 2;
    }
    return out;
  }

  // A schema that refers to itself for the same value would never be done.
  void check_references() const {
    std::vector<int> seen(nodes_.size(), 0);  // 1: being looked at, 2: fine
    for (Node::Ref i = 0; i < nodes_.size(); ++i) check_references(i, seen);
  }
  void check_references(Node::Ref place, std::vector<int>& seen) const {
    if (seen[place] == 2) return;
    if (std::exchange(seen[place], 1) == 1) refuse("$ref", "refers to itself and to nothing else");
    const Node& node = nodes_[place];
    if (node.ref) check_references(*node.ref, seen);
    for (const auto* all : {&node.any_of, &node.one_of, &node.all_of})
      for (const Node::Ref one : *all) check_references(one, seen);
    seen[place] = 2;
  }

  const json& document_;
  std::vector<Node> nodes_;
  std::map<const json*, Node::Ref> known_;
};

std::span<const Schema::Reader::Keyword> Schema::Reader::keywords() noexcept {
  static constexpr std::array kKeywords = std::to_array<Keyword>({
      {"type", &Reader::read_types},
      {"const", &Reader::read_constant},
      {"enum", &Reader::read_enum},
      {"default", &Reader::read_default},
      {"properties", &Reader::read_properties},
      {"required", &Reader::set<&Node::required, &Reader::names>},
      {"additionalProperties", &Reader::set<&Node::additional, &Reader::node_of>},
      {"items", &Reader::set<&Node::items, &Reader::node_of>},
      {"prefixItems", &Reader::set<&Node::first_items, &Reader::schemas>},
      {"minItems", &Reader::set<&Node::min_items, &Reader::size>},
      {"maxItems", &Reader::set<&Node::max_items, &Reader::size>},
      {"minLength", &Reader::set<&Node::min_length, &Reader::size>},
      {"maxLength", &Reader::set<&Node::max_length, &Reader::size>},
      {"minimum", &Reader::set<&Node::minimum, &Reader::number>},
      {"maximum", &Reader::set<&Node::maximum, &Reader::number>},
      {"exclusiveMinimum", &Reader::set<&Node::above, &Reader::number>},
      {"exclusiveMaximum", &Reader::set<&Node::below, &Reader::number>},
      {"multipleOf", &Reader::read_multiple_of},
      {"uniqueItems", &Reader::read_unique},
      {"pattern", &Reader::read_pattern},
      {"format", &Reader::read_format},
      {"anyOf", &Reader::set<&Node::any_of, &Reader::schemas>},
      {"oneOf", &Reader::set<&Node::one_of, &Reader::schemas>},
      {"allOf", &Reader::set<&Node::all_of, &Reader::schemas>},
      {"$ref", &Reader::set<&Node::ref, &Reader::reference>},
      {"$defs", &Reader::read_definitions},
      {"definitions", &Reader::read_definitions},
  });
  return kKeywords;
}

// Compares one value with the nodes.
class Schema::Checker {
 public:
  // `left`: how many alternatives may still be tried. Those within others are exponentially many.
  Checker(const std::vector<Node>& nodes, std::size_t most, std::size_t& left)
      : nodes_(nodes), most_(most), left_(left) {}

  std::vector<SchemaProblem> check(Node::Ref place, const json& value) && {
    check(place, value, "");
    return std::move(problems_);
  }

 private:
  bool full() const noexcept { return problems_.size() >= most_; }
  void problem(const std::string& path, std::string what) {
    if (!full()) problems_.push_back({path, std::move(what)});
  }

  void check(Node::Ref place, const json& value, const std::string& path) {
    if (full()) return;
    const Node& node = nodes_[place];
    if (node.never) return problem(path, "must not be there");
    if (node.ref) check(*node.ref, value, path);
    const bool right_type = node.types.empty() ||
                            std::any_of(node.types.begin(), node.types.end(),
                                        [&](const auto& type) { return is_of_type(value, type); });
    if (!right_type)
      return problem(path, "must be " + listed(node.types, with_article) + ", and is " +
                               with_article(type_of(value)));
    check_choice(node, value, path);
    if (value.is_object()) check_object(node, value, path);
    if (value.is_array()) check_array(node, value, path);
    if (value.is_number()) check_number(node, value, path);
    if (value.is_string()) check_text(node, value.get_ref<const std::string&>(), path);
    check_combined(node, value, path);
  }

  void check_choice(const Node& node, const json& value, const std::string& path) {
    if (node.constant && *node.constant != value)
      problem(path, "must be " + shown(*node.constant) + ", and is " + shown(value));
    if (node.choices &&
        std::find(node.choices->begin(), node.choices->end(), value) == node.choices->end())
      problem(path, "must be one of " +
                        listed(*node.choices, [](const json& one) { return shown(one); }) +
                        ", and is " + shown(value));
  }

  void check_object(const Node& node, const json& value, const std::string& path) {
    const bool closed = node.additional && nodes_[*node.additional].never;
    for (const std::string& name : node.required)
      if (!value.contains(name))
        problem(below(path, name), "is missing" + (closed ? "" : misspelt(node, value, name)));
    for (const auto& [name, member] : value.items()) {
      if (const auto known = node.properties.find(name); known != node.properties.end())
        check(known->second, member, below(path, name));
      else if (closed)
        problem(below(path, name), "is not known" + did_you_mean(name, names_of(node.properties)));
      else if (node.additional)
        check(*node.additional, member, below(path, name));
    }
  }

  template <class Map>
  static std::vector<std::string_view> names_of(const Map& map) {
    std::vector<std::string_view> names;
    for (const auto& [name, ignored] : map) names.push_back(name);
    return names;
  }

  // What of `value` may be there in place of `name`.
  static std::string misspelt(const Node& node, const json& value, std::string_view name) {
    std::vector<std::string_view> unknown;
    for (const auto& [given, ignored] : value.items())
      if (!node.properties.contains(given)) unknown.push_back(given);
    const std::string_view meant = nearest(name, unknown);
    return meant.empty() ? "" : ": was \"" + one_line(meant, 60) + "\" meant to be it?";
  }

  void check_array(const Node& node, const json& value, const std::string& path) {
    const auto items = [](std::uint64_t count) {
      return std::to_string(count) + (count == 1 ? " item" : " items");
    };
    const std::string has = ", and has " + std::to_string(value.size());
    if (node.min_items && value.size() < *node.min_items)
      problem(path, "must have at least " + items(*node.min_items) + has);
    if (node.max_items && value.size() > *node.max_items)
      problem(path, "must have at most " + items(*node.max_items) + has);
    if (node.unique && has_duplicates(value)) problem(path, "must not have the same item twice");
    for (std::size_t i = 0; i < value.size() && !full(); ++i) {
      if (i < node.first_items.size())
        check(node.first_items[i], value[i], below(path, i));
      else if (node.items)
        check(*node.items, value[i], below(path, i));
    }
  }

  void check_number(const Node& node, const json& value, const std::string& path) {
    const double number = value.get<double>();
    const auto must = [&](std::string_view what, double limit) {
      problem(path, "must be " + std::string(what) + shown(limit) + ", and is " + shown(value));
    };
    if (node.minimum && number < *node.minimum) must("at least ", *node.minimum);
    if (node.maximum && number > *node.maximum) must("at most ", *node.maximum);
    if (node.above && number <= *node.above) must("over ", *node.above);
    if (node.below && number >= *node.below) must("under ", *node.below);
    if (node.multiple_of && !is_multiple(value, *node.multiple_of))
      must("a multiple of ", *node.multiple_of);
  }

  void check_text(const Node& node, const std::string& text, const std::string& path) {
    const auto characters = [](std::uint64_t count) {
      return std::to_string(count) + (count == 1 ? " character" : " characters");
    };
    if (node.min_length || node.max_length) {
      const std::size_t length = code_points(text);
      const std::string has = ", and has " + std::to_string(length);
      if (node.min_length && length < *node.min_length)
        problem(path, "must have at least " + characters(*node.min_length) + has);
      if (node.max_length && length > *node.max_length)
        problem(path, "must have at most " + characters(*node.max_length) + has);
    }
    if (node.pattern && !node.pattern->matches(text))
      problem(path, "must match /" + node.pattern->pattern() + "/, and is " + shown(json(text)));
    if (node.format != nullptr && !node.format(text))
      problem(path, "must be of the format " + node.format_name + ", and is " + shown(json(text)));
  }

  void check_combined(const Node& node, const json& value, const std::string& path) {
    for (const Node::Ref one : node.all_of) check(one, value, path);
    if (!node.any_of.empty()) {
      const Alternatives any = try_each(node.any_of, value, 1);
      if (any.matches == 0 && left_ == 0) return tell_of_depth(path);
      if (any.matches == 0) tell_none(any, path);
    }
    if (!node.one_of.empty()) {
      const Alternatives one = try_each(node.one_of, value, 2);
      if (left_ == 0) return tell_of_depth(path);
      if (one.matches == 0) tell_none(one, path);
      if (one.matches > 1) problem(path, "is more than one of the things of which it must be one");
    }
  }

  struct Alternatives {
    std::size_t matches = 0;
    std::vector<SchemaProblem> problems{};  // the first of each that does not match
  };

  // Stops at `enough` matches.
  Alternatives try_each(const std::vector<Node::Ref>& all, const json& value, std::size_t enough) {
    Alternatives tried;
    for (const Node::Ref one : all) {
      if (left_ == 0) break;
      --left_;
      std::vector<SchemaProblem> problems = Checker(nodes_, 1, left_).check(one, value);
      if (!problems.empty())
        tried.problems.push_back(std::move(problems.front()));
      else if (++tried.matches == enough)
        break;
    }
    return tried;
  }

  void tell_of_depth(const std::string& path) {
    problem(path, "takes too long to check: too many alternatives within alternatives");
  }

  void tell_none(const Alternatives& tried, const std::string& path) {
    // Cut short: what is wrong with an alternative may be that none of its own will do, and so on.
    problem(path, "is none of the things that it may be: " +
                      listed(tried.problems, [](const SchemaProblem& one) {
                        return one_line(to_string(one), 120);
                      }));
  }

  const std::vector<Node>& nodes_;
  const std::size_t most_;
  std::size_t& left_;
  std::vector<SchemaProblem> problems_;
};

Schema::Schema(const Json& schema)
    : nodes_(std::make_shared<const std::vector<Node>>(schema ? Reader(*schema).read()
                                                              : std::vector<Node>(1))) {}

std::vector<SchemaProblem> Schema::check(const json& value, std::size_t most) const {
  std::size_t left = 100'000;
  return Checker(*nodes_, most, left).check(0, value);
}

bool Schema::allows(const std::vector<Node>& nodes, std::size_t place, const json& value,
                    std::size_t& left) {
  return Checker(nodes, 1, left).check(place, value).empty();
}

}  // namespace mellea
