// YAML, and so JSON, as a tree that knows where in the file each thing stands.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/programs/fault.h"

namespace mellea {

// A value: what the file says, and no more. No alias, anchor, tag or merge key is in one.
struct YamlNode {
  enum class Kind { null, scalar, list, map };
  Kind kind = Kind::null;
  Place at{};
  std::string text{};                // of a scalar
  bool quoted = false;               // the scalar is a text, whatever it looks like
  std::string key{};                 // of a map's member
  Place key_at{};                    // of a map's member
  std::size_t offset = 0;            // of a scalar: where it begins in the file, in bytes
  std::vector<YamlNode> children{};  // of a list or a map; no two of a map have one key

  const YamlNode* find(std::string_view name) const noexcept;  // the member of a map; null: none
};

struct YamlTree {
  std::string text{};  // that was read
  YamlNode root{};
};

// The tree of a text of at most one document; nothing if it can't be read to its end. What is wrong
// is added to `faults`: with a tree, what it can do without (a key that is here twice, an alias).
std::optional<YamlTree> parse_yaml(std::string_view text, std::vector<Fault>& faults);

// As JSON has it: unquoted true, false, null and JSON's numbers, all else a text.
nlohmann::json to_json(const YamlNode& node);

bool is_json_number(std::string_view text);

// The place of a byte of `text`.
Place place_of(std::string_view text, std::size_t offset);

}  // namespace mellea
