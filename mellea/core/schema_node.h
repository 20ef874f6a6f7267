// A schema as it was read; for the sources of Schema alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/core/regex.h"
#include "mellea/core/schema.h"
#include "mellea/core/schema_format.h"

namespace mellea {

// One schema of a document. Others are named by their place among the nodes.
struct Schema::Node {
  using Ref = std::size_t;

  bool never = false;  // the schema `false`
  std::vector<std::string> types{};
  std::optional<nlohmann::json> constant{};
  std::optional<std::vector<nlohmann::json>> choices{};
  std::map<std::string, Ref, std::less<>> properties{};
  std::vector<std::string> required{};
  std::optional<Ref> additional{};
  std::vector<Ref> first_items{};
  std::optional<Ref> items{};
  std::optional<double> minimum{}, above{}, maximum{}, below{}, multiple_of{};
  std::optional<std::uint64_t> min_length{}, max_length{}, min_items{}, max_items{};
  bool unique = false;
  std::optional<Regex> pattern{};
  FormatCheck format = nullptr;
  std::string format_name{};
  std::optional<nlohmann::json> fallback{};  // the default
  std::vector<Ref> any_of{}, one_of{}, all_of{};
  std::optional<Ref> ref{};
};

// Whether it is a whole number, however it is written: 5.0 is one.
bool is_integer(const nlohmann::json& value);
bool is_of_type(const nlohmann::json& value, std::string_view type);

}  // namespace mellea
