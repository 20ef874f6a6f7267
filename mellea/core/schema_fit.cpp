#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "mellea/core/error.h"
#include "mellea/core/schema_node.h"
#include "mellea/core/text.h"

namespace mellea {

using nlohmann::json;

namespace {

bool is_exact(double number) { return std::abs(number) < 0x1p53; }

std::string lower(std::string_view text) {
  std::string low(text);
  for (char& c : low)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return low;
}

// What a text holds, if that is JSON.
std::optional<json> held(std::string_view text) {
  text = trimmed(text);
  constexpr std::size_t kLongestWord = 5;
  if (text.size() <= kLongestWord) {
    const std::string word = lower(text);  // "True" is Python's
    if (word == "true" || word == "false") return word == "true";
  }
  try {
    return *Json::parse(text);
  } catch (const Error&) {
    return {};
  }
}

}  // namespace

class Schema::Fitter {
 public:
  explicit Fitter(const std::vector<Node>& nodes) : nodes_(nodes) {}

  void fit(json& value) { fit(0, value, Within::anything); }

 private:
  enum class Within { anything, list };

  void fit(Node::Ref place, json& value, Within within) {
    const Node& node = nodes_[place];
    if (node.ref) fit(*node.ref, value, within);
    for (const Node::Ref one : node.all_of) fit(one, value, within);
    fit_alternative(node.any_of, value, within);
    fit_alternative(node.one_of, value, within);
    fit_type(node, value, within);
    if (value.is_object()) fit_members(node, value);
    if (value.is_array()) fit_items(node, value);
  }

  void fit_alternative(const std::vector<Node::Ref>& all, json& value, Within within) {
    for (const Node::Ref one : all)
      if (allowed(one, value)) return fit(one, value, within);
    for (const Node::Ref one : all) {
      if (left_ == 0) return;
      --left_;
      json changed = value;
      fit(one, changed, within);
      if (!allowed(one, changed)) continue;
      value = std::move(changed);
      return;
    }
  }

  static bool wants(const Node& node, std::string_view type) {
    return std::find(node.types.begin(), node.types.end(), type) != node.types.end();
  }
  static bool is_wanted(const Node& node, const json& value) {
    if (value.is_number_float() && !wants(node, "number") && is_integer(value))
      return wants(node, "integer") && is_exact(value.get<double>());
    return std::any_of(node.types.begin(), node.types.end(),
                       [&](const std::string& type) { return is_of_type(value, type); });
  }

  void fit_type(const Node& node, json& value, Within within) {
    if (node.types.empty()) return;
    if (!is_wanted(node, value)) {
      std::optional<json> inner;
      if (value.is_string()) inner = held(value.get_ref<const std::string&>());
      if (inner && is_wanted(node, *inner))
        value = *std::move(inner);
      else if (value.is_number() && wants(node, "string"))
        value = value.dump();
      else if (within != Within::list && wants(node, "array") && may_be_item(value))
        value = json::array({std::move(value)});
    }
    if (value.is_number_float() && !wants(node, "number") && is_wanted(node, value))
      value = static_cast<std::int64_t>(value.get<double>());
  }

  // A text that begins as a list does is one that went wrong.
  static bool may_be_item(const json& value) {
    if (!value.is_string()) return !value.is_null() && !value.is_array();
    return !trimmed(value.get_ref<const std::string&>()).starts_with('[');
  }

  void fit_members(const Node& node, json& object) {
    for (const auto& [name, place] : node.properties) {
      const auto member = object.find(name);
      if (member == object.end()) {
        fill_in(place, name, object);
      } else if (member->is_null() && !is_required(node, name) && !allowed(place, *member)) {
        object.erase(member);
        fill_in(place, name, object);
      } else {
        fit(place, *member, Within::anything);
      }
    }
    if (!node.additional) return;
    for (const auto& [name, member] : object.items())
      if (!node.properties.contains(name)) fit(*node.additional, member, Within::anything);
  }

  static bool is_required(const Node& node, const std::string& name) {
    return std::find(node.required.begin(), node.required.end(), name) != node.required.end();
  }

  void fill_in(Node::Ref place, const std::string& name, json& object) {
    const Node* node = &nodes_[place];
    while (!node->fallback && node->ref) node = &nodes_[*node->ref];
    if (node->fallback && allowed(place, *node->fallback)) object[name] = *node->fallback;
  }

  void fit_items(const Node& node, json& array) {
    for (std::size_t i = 0; i < array.size(); ++i) {
      if (i < node.first_items.size())
        fit(node.first_items[i], array[i], Within::list);
      else if (node.items)
        fit(*node.items, array[i], Within::list);
    }
  }

  bool allowed(Node::Ref place, const json& value) {
    if (left_ == 0) return false;
    --left_;
    return Schema::allows(nodes_, place, value, left_);
  }

  const std::vector<Node>& nodes_;
  std::size_t left_ = 10'000;  // alternatives that may still be tried
};

json Schema::fitted(json value) const {
  Fitter(*nodes_).fit(value);
  return value;
}

}  // namespace mellea
