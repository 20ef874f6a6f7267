// Which span stands where in a tree, and what it sums up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "mellea/telemetry/span.h"

namespace mellea::telemetry {

struct TreeTokens {
  bool asked = false;  // a model was
  std::optional<std::int64_t> input{};
  std::optional<std::int64_t> output{};

  void add(const TreeTokens& other);
};

struct TreeRow {
  const SpanRecord* span = nullptr;
  const TreeRow* parent = nullptr;  // null at the left
  bool last = false;                // of its siblings
  bool has_children = false;
  TreeTokens tokens{};  // of the span and all below it
};

// The rows of one trace, from top to bottom; their addresses stay.
struct TreeOfTrace {
  std::vector<TreeRow> rows{};
  std::int64_t began = 0;  // ns since 1970: of the first of them
  std::int64_t ended = 0;
};

// One for each trace, in the order in which they began.
std::vector<TreeOfTrace> lay_out(std::span<const SpanPtr> spans);

}  // namespace mellea::telemetry
