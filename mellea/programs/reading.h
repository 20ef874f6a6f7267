// What a program's sections are read with: each value is of its type, or there is a fault.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <limits>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/core/json.h"
#include "mellea/programs/fault.h"
#include "mellea/programs/yaml.h"

namespace mellea {

using Names = std::span<const std::string_view>;

// One file, while it is read. What is wrong is added to its faults, and reading goes on. A reader
// of a value returns nothing where it is not of its type; `path` is what people know it by,
// "strategy.budget".
class Reading {
 public:
  // The tree must outlive it.
  Reading(const YamlTree& tree, std::filesystem::path folder)
      : tree_(tree), folder_(std::move(folder)) {}
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

  // The first kMostFaults are kept.
  void fault(Place at, std::string what);
  std::vector<Fault>& faults() noexcept { return faults_; }

  bool is_map(const YamlNode& node, std::string_view path);
  bool is_list(const YamlNode& node, std::string_view path);
  std::optional<std::string> text(const YamlNode& node, std::string_view path);
  std::optional<bool> boolean(const YamlNode& node, std::string_view path);
  std::optional<double> number(const YamlNode& node, std::string_view path);
  std::optional<std::int64_t> whole_number(const YamlNode& node, std::string_view path,
                                           std::int64_t least, std::int64_t most = kLargestNumber);
  std::optional<std::chrono::milliseconds> duration(const YamlNode& node, std::string_view path);
  // A list of texts that is not empty, or one text.
  std::vector<std::string> texts(const YamlNode& node, std::string_view path);

  // A fault for each key of a map that is none of `known`; `where` is "in an instruct step". What
  // is `told` has a fault of its own.
  void require_known(const YamlNode& map, Names known, std::string_view where,
                     std::string_view told = {});

  // A schema: as it stands here, or {file: NAME}.
  Json schema(const YamlNode& node, std::string_view path);
  // The content of a file beside the program's. All of them have 100 MiB at most.
  std::optional<std::string> file(const YamlNode& name, std::string_view path, std::size_t largest);
  const std::filesystem::path& folder() const noexcept { return folder_; }

  // Texts that name variables. A name is known from the call on that makes it so.
  void add_variable(std::string name);
  // {{NAME}} is refused for a reason of its own: "step words has no text".
  void add_forbidden(std::string name, std::string why);
  // A text in which each {{name}} is known.
  std::optional<std::string> said(const YamlNode& node, std::string_view path);
  std::vector<std::string> all_said(const YamlNode& node, std::string_view path);
  void check_placeholders(const YamlNode& node);
  // All names that texts have.
  const std::set<std::string, std::less<>>& named() const noexcept { return named_; }

 private:
  static constexpr std::int64_t kLargestNumber = std::numeric_limits<std::int64_t>::max();

  void refuse(const YamlNode& node, std::string_view path, std::string_view wanted);
  void refuse_name(Place at, const std::string& name);
  Place place_of_braces(const YamlNode& node, std::size_t at) const;
  std::vector<const YamlNode*> items(const YamlNode& node, std::string_view path);

  const YamlTree& tree_;
  const std::filesystem::path folder_;
  std::vector<Fault> faults_;
  std::uintmax_t files_ = 0;                  // bytes that were read of them
  std::vector<std::string> variables_;        // in the order in which they became known
  std::set<std::string, std::less<>> known_;  // the same
  std::map<std::string, std::string, std::less<>> forbidden_;  // and why
  std::set<std::string, std::less<>> named_;
};

// Of letters, digits, _ and -.
bool is_name(std::string_view text) noexcept;

// The beginning of it, on one line.
std::string in_quotes(std::string_view text);

// "regex, schema and judge"
std::string listed(Names names);

}  // namespace mellea
