// The table that the benchmarks print: Markdown, so that it can go into docs/performance.md as it
// is.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "measure.h"

namespace mellea::bench {

struct Bar {
  enum class Kind { none, below, at_most, ratio_below, ratio_at_most, above_floor_at_most };
  Kind kind = Kind::none;
  double limit = 0;

  static Bar below(double limit) { return {Kind::below, limit}; }
  static Bar at_most(double limit) { return {Kind::at_most, limit}; }
  static Bar ratio_below(double limit) { return {Kind::ratio_below, limit}; }
  static Bar ratio_at_most(double limit) { return {Kind::ratio_at_most, limit}; }
  static Bar above_floor_at_most(double limit) { return {Kind::above_floor_at_most, limit}; }
};

struct Row {
  std::string_view what{};
  std::string_view unit{};  // "us", "ns", ""
  Series ours{};
  std::optional<Series> floor{};
  Bar bar{};
  std::string_view no_floor = "";  // why it is not here, if it could be
};

void print_head();
// The median of each series, and from where to where it went.
void print(const Row& row);

}  // namespace mellea::bench
