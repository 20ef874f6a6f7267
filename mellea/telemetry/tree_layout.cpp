#include "mellea/telemetry/tree_layout.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

namespace mellea::telemetry {
namespace {

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

std::uint64_t number(const std::array<std::uint8_t, 8>& id) {
  std::uint64_t value = 0;
  std::memcpy(&value, id.data(), sizeof value);
  return value;
}

std::optional<std::int64_t> count(const SpanRecord& span, Fact fact) {
  const Value* value = span.find(fact);
  const auto* tokens = value ? std::get_if<std::int64_t>(value) : nullptr;
  return tokens ? std::optional(*tokens) : std::nullopt;
}

TreeTokens tokens_of(const SpanRecord& span) {
  if (span.library != "mellea.backend") return {};
  return {true, count(span, Fact::input_tokens), count(span, Fact::output_tokens)};
}

void add(std::optional<std::int64_t>& sum, const std::optional<std::int64_t>& more) {
  if (more) sum = sum.value_or(0) + *more;
}

// `spans` are those of one trace, by their beginning.
class Layout {
 public:
  explicit Layout(std::span<const SpanRecord* const> spans)
      : spans_(spans), first_(spans.size(), kNone), next_(spans.size(), kNone) {
    std::unordered_map<std::uint64_t, std::size_t> by_id;
    for (std::size_t at = 0; at < spans.size(); ++at)
      by_id.emplace(number(spans[at]->ids.span), at);
    // Backwards, so that pushing to the front of the lists leaves them by beginning.
    for (std::size_t at = spans.size(); at-- > 0;) {
      const auto parent = by_id.find(number(spans[at]->parent));
      std::size_t& list =
          parent == by_id.end() || parent->second == at ? top_ : first_[parent->second];
      next_[at] = list;
      list = at;
    }
  }

  TreeOfTrace tree() {
    TreeOfTrace tree;
    tree.rows.reserve(spans_.size());
    place(tree.rows);
    for (auto row = tree.rows.rbegin(); row != tree.rows.rend(); ++row)
      if (row->parent) tree.rows[index(tree.rows, row->parent)].tokens.add(row->tokens);
    tree.began = spans_.front()->began;
    for (const SpanRecord* span : spans_) tree.ended = std::max(tree.ended, span->ended);
    return tree;
  }

 private:
  static std::size_t index(const std::vector<TreeRow>& rows, const TreeRow* row) {
    return static_cast<std::size_t>(row - rows.data());
  }

  // Depth first, without recursion: traces may be deep.
  void place(std::vector<TreeRow>& rows) {
    struct Step {
      std::size_t span;
      const TreeRow* parent;
    };
    std::vector<Step> open;
    if (top_ != kNone) open.push_back({top_, nullptr});
    while (!open.empty()) {
      const Step step = open.back();
      open.pop_back();
      const bool last = next_[step.span] == kNone;
      rows.push_back({spans_[step.span], step.parent, last, first_[step.span] != kNone,
                      tokens_of(*spans_[step.span])});
      if (!last) open.push_back({next_[step.span], step.parent});
      if (first_[step.span] != kNone) open.push_back({first_[step.span], &rows.back()});
    }
  }

  std::span<const SpanRecord* const> spans_;
  std::vector<std::size_t> first_;  // child of each
  std::vector<std::size_t> next_;   // sibling of each
  std::size_t top_ = kNone;
};

}  // namespace

void TreeTokens::add(const TreeTokens& other) {
  asked = asked || other.asked;
  telemetry::add(input, other.input);
  telemetry::add(output, other.output);
}

std::vector<TreeOfTrace> lay_out(std::span<const SpanPtr> spans) {
  std::vector<const SpanRecord*> sorted;
  sorted.reserve(spans.size());
  for (const SpanPtr& span : spans) sorted.push_back(span.get());
  std::stable_sort(sorted.begin(), sorted.end(), [](const SpanRecord* a, const SpanRecord* b) {
    return a->ids.trace != b->ids.trace ? a->ids.trace < b->ids.trace : a->began < b->began;
  });
  std::vector<TreeOfTrace> trees;
  for (auto begin = sorted.begin(); begin != sorted.end();) {
    const auto end = std::find_if(begin, sorted.end(), [&](const SpanRecord* span) {
      return span->ids.trace != (*begin)->ids.trace;
    });
    trees.push_back(Layout({begin, end}).tree());
    begin = end;
  }
  std::stable_sort(trees.begin(), trees.end(),
                   [](const TreeOfTrace& a, const TreeOfTrace& b) { return a.began < b.began; });
  return trees;
}

}  // namespace mellea::telemetry
