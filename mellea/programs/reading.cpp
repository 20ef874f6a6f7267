#include "mellea/programs/reading.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "mellea/core/duration.h"
#include "mellea/core/error.h"
#include "mellea/core/schema.h"
#include "mellea/core/text.h"
#include "mellea/runtime/template.h"

namespace mellea {
namespace {

constexpr std::uintmax_t kLargestFiles = 100U << 20U;  // bytes of all files of a program
constexpr std::size_t kShown = 60;                     // code points of what a message repeats

bool is_boolean(const YamlNode& node) {
  return node.kind == YamlNode::Kind::scalar && !node.quoted &&
         (node.text == "true" || node.text == "false");
}

bool is_number(const YamlNode& node) {
  return node.kind == YamlNode::Kind::scalar && !node.quoted && is_json_number(node.text);
}

// What a node is, for people.
std::string kind_of(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null: return "empty";
    case YamlNode::Kind::list: return "a list";
    case YamlNode::Kind::map: return "a map";
    case YamlNode::Kind::scalar: break;
  }
  if (is_number(node)) return "the number " + one_line(node.text, kShown);
  if (is_boolean(node)) return node.text;
  return in_quotes(node.text);
}

}  // namespace

std::string in_quotes(std::string_view text) { return '"' + one_line(text, kShown) + '"'; }

bool is_name(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
  });
}

std::string listed(Names names) {
  std::string all;
  for (std::size_t i = 0; i < names.size(); ++i)
    all.append(i == 0 ? "" : i + 1 == names.size() ? " and " : ", ").append(names[i]);
  return all;
}

void Reading::refuse(const YamlNode& node, std::string_view path, std::string_view wanted) {
  std::string what =
      std::string(path) + ": must be " + std::string(wanted) + ", and is " + kind_of(node);
  if (wanted == "a text" && (is_number(node) || is_boolean(node))) what += ": put it in quotes";
  fault(node.at, std::move(what));
}

void Reading::fault(Place at, std::string what) {
  if (faults_.size() < kMostFaults) faults_.push_back({at, std::move(what)});
}

bool Reading::is_map(const YamlNode& node, std::string_view path) {
  if (node.kind != YamlNode::Kind::map) refuse(node, path, "a map");
  return node.kind == YamlNode::Kind::map;
}

bool Reading::is_list(const YamlNode& node, std::string_view path) {
  if (node.kind != YamlNode::Kind::list) refuse(node, path, "a list");
  return node.kind == YamlNode::Kind::list;
}

std::optional<std::string> Reading::text(const YamlNode& node, std::string_view path) {
  if (node.kind == YamlNode::Kind::scalar && !is_number(node) && !is_boolean(node))
    return node.text;
  refuse(node, path, "a text");
  return {};
}

std::optional<bool> Reading::boolean(const YamlNode& node, std::string_view path) {
  if (is_boolean(node)) return node.text == "true";
  refuse(node, path, "true or false");
  return {};
}

std::optional<double> Reading::number(const YamlNode& node, std::string_view path) {
  if (is_number(node)) return nlohmann::json::parse(node.text).get<double>();
  refuse(node, path, "a number");
  return {};
}

std::optional<std::int64_t> Reading::whole_number(const YamlNode& node, std::string_view path,
                                                  std::int64_t least, std::int64_t most) {
  std::int64_t number = 0;
  const char* const end = node.text.data() + node.text.size();
  const auto [behind, error] = std::from_chars(node.text.data(), end, number);
  if (!is_number(node) || behind != end || error != std::errc{}) {
    refuse(node, path, "a whole number");
    return {};
  }
  if (number >= least && number <= most) return number;
  fault(node.at, std::string(path) + ": " + node.text +
                     (number < least ? "; at least " + std::to_string(least)
                                     : "; at most " + std::to_string(most)));
  return {};
}

std::optional<std::chrono::milliseconds> Reading::duration(const YamlNode& node,
                                                           std::string_view path) {
  if (node.kind != YamlNode::Kind::scalar) {
    refuse(node, path, "a duration");
    return {};
  }
  try {
    return parse_duration(node.text);
  } catch (const Error& error) {
    fault(node.at, std::string(path) + ": " + error.what());
    return {};
  }
}

// The elements of a list, or the one that stands for a list.
std::vector<const YamlNode*> Reading::items(const YamlNode& node, std::string_view path) {
  std::vector<const YamlNode*> all;
  if (node.kind == YamlNode::Kind::list) {
    for (const YamlNode& child : node.children) all.push_back(&child);
    if (all.empty()) fault(node.at, std::string(path) + ": the list is empty");
  } else {
    all.push_back(&node);
  }
  return all;
}

std::vector<std::string> Reading::texts(const YamlNode& node, std::string_view path) {
  std::vector<std::string> all;
  for (const YamlNode* item : items(node, path))
    if (auto one = text(*item, path)) all.push_back(std::move(*one));
  return all;
}

void Reading::require_known(const YamlNode& map, Names known, std::string_view where,
                            std::string_view told) {
  for (const YamlNode& child : map.children) {
    const bool is_known = std::find(known.begin(), known.end(), child.key) != known.end();
    if (is_known || child.key == told) continue;
    const std::string meant = did_you_mean(child.key, known);
    fault(child.key_at, "unknown key " + in_quotes(child.key) + ' ' + std::string(where) +
                            (meant.empty() ? ": known are " + listed(known) : meant));
  }
}

std::optional<std::string> Reading::file(const YamlNode& name, std::string_view path,
                                         std::size_t largest) {
  const auto given = text(name, path);
  if (!given) return {};
  const auto refuse_file = [&](const std::string& why) {
    fault(name.at, std::string(path) + ": " + one_line(*given, 200) + ": " + why);
  };
  std::error_code failed;
  const std::filesystem::path whole = folder_ / *given;
  const std::uintmax_t size = std::filesystem::file_size(whole, failed);  // no device, no folder
  if (failed) {
    refuse_file(failed.message());
    return {};
  }
  if (size > largest) {
    refuse_file("more than " + std::to_string(largest >> 20U) + " MiB");
    return {};
  }
  if (size > kLargestFiles - files_) {
    refuse_file("with the files before it more than " + std::to_string(kLargestFiles >> 20U) +
                " MiB");
    return {};
  }
  std::ifstream stream(whole, std::ios::binary);
  std::string content(size, '\0');
  stream.read(content.data(), static_cast<std::streamsize>(size));
  if (stream.bad() || !stream.is_open()) {
    refuse_file("can't be read");
    return {};
  }
  content.resize(static_cast<std::size_t>(stream.gcount()));
  files_ += content.size();
  return content;
}

Json Reading::schema(const YamlNode& node, std::string_view path) {
  constexpr std::size_t kLargest = 1U << 20U;
  if (!is_map(node, path)) return {};
  const YamlNode* named = node.find("file");
  const bool in_file = named && node.children.size() == 1;
  try {
    Json schema(to_json(node));
    if (in_file) {
      const auto content = file(*named, path, kLargest);
      if (!content) return {};
      schema = Json::parse(*content, one_line(named->text, 200));
    }
    static_cast<void>(Schema(schema));
    return schema;
  } catch (const Error& error) {
    fault(in_file ? named->at : node.at, std::string(path) + ": " + error.what());
    return {};
  }
}

void Reading::add_variable(std::string name) {
  forbidden_.erase(name);
  known_.insert(name);
  variables_.push_back(std::move(name));
}

void Reading::add_forbidden(std::string name, std::string why) {
  forbidden_.insert_or_assign(std::move(name), std::move(why));
}

std::optional<std::string> Reading::said(const YamlNode& node, std::string_view path) {
  auto read = text(node, path);
  if (read) check_placeholders(node);
  return read;
}

std::vector<std::string> Reading::all_said(const YamlNode& node, std::string_view path) {
  std::vector<std::string> all;
  for (const YamlNode* item : items(node, path))
    if (auto one = said(*item, path)) all.push_back(std::move(*one));
  return all;
}

void Reading::refuse_name(Place at, const std::string& name) {
  const std::string shown = "{{" + one_line(name, kShown) + "}}: ";
  if (const auto why = forbidden_.find(name); why != forbidden_.end())
    return fault(at, shown + why->second);
  const std::vector<std::string_view> known(variables_.begin(), variables_.end());
  std::string what = shown + "no such variable";
  for (const std::string_view one : known)
    what.append(one.data() == known.front().data() ? "; known: " : ", ").append(one);
  if (known.empty()) what += ": name it under variables, or pass --var " + name + "=...";
  if (const std::string_view meant = nearest(name, known); !meant.empty())
    what.append(". Did you mean \"").append(meant).append("\"?");
  fault(at, std::move(what));
}

// The braces of a text are those of the file, one by one, but where an escape has made some.
Place Reading::place_of_braces(const YamlNode& node, std::size_t at) const {
  constexpr std::string_view kOpen = "{{";
  std::size_t in_file = node.offset;
  for (std::size_t in_text = 0; (in_text = node.text.find(kOpen, in_text)) <= at; ++in_text) {
    in_file = tree_.text.find(kOpen, in_file);
    if (in_file == tree_.text.npos) break;
    if (in_text == at) return place_of(tree_.text, in_file);
    ++in_file;
  }
  return node.at;
}

void Reading::check_placeholders(const YamlNode& node) {
  for (const auto& [at, name, wrong] : placeholders(node.text)) {
    if (faults_.size() >= kMostFaults) return;
    if (!wrong.empty()) {
      fault(place_of_braces(node, at), wrong);
    } else if (!known_.contains(name)) {
      refuse_name(place_of_braces(node, at), name);
    }
    named_.insert(name);
  }
}

}  // namespace mellea
