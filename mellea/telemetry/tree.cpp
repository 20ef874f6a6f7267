#include "mellea/telemetry/tree.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "mellea/core/text.h"
#include "mellea/telemetry/hex.h"
#include "mellea/telemetry/tree_layout.h"
#include "mellea/telemetry/tree_words.h"

namespace mellea::telemetry {
namespace {

constexpr int kLeastWidth = 64;  // the header's
constexpr int kBarsFrom = 80;
constexpr int kTimeWidth = 10;
constexpr int kLabelWidth = 57;  // with the tokens, where there are bars
constexpr int kMostIndent = 30;

struct Glyphs {
  std::string_view branch, last, through, dot, more;
};
constexpr Glyphs kUtf8{"├─ ", "└─ ", "│  ", "· ", "…"};
constexpr Glyphs kAscii{"|- ", "`- ", "|  ", "* ", "..."};

constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kYellow = "\x1b[33m";
constexpr std::string_view kCyan = "\x1b[36m";
constexpr std::string_view kPlain = "\x1b[0m";

int columns(std::string_view text) { return static_cast<int>(code_points(text)); }

std::string spaces(int count) {
  return std::string(static_cast<std::size_t>(std::max(count, 0)), ' ');
}

std::string right_aligned(std::string_view text, int width) {
  return spaces(width - columns(text)) + std::string(text);
}

double seconds_of(std::int64_t ns) { return static_cast<double>(ns) / 1e9; }

std::string tokens_text(const TreeTokens& tokens) {
  const auto text = [](const std::optional<std::int64_t>& count) {
    return count ? std::to_string(*count) : "-";
  };
  if (!tokens.asked) return {};
  if (!tokens.input && !tokens.output) return "-";
  return text(tokens.input) + "/" + text(tokens.output);
}

class Painter {
 public:
  Painter(const TreeStyle& style, const TreeOfTrace& tree)
      : style_(style),
        glyphs_(style.utf8 ? kUtf8 : kAscii),
        tree_(tree),
        width_(std::max(style.width, kLeastWidth)),
        label_(width_ >= kBarsFrom ? kLabelWidth : width_ - kTimeWidth),
        bars_(width_ >= kBarsFrom ? width_ - kLabelWidth - kTimeWidth - 2 : 0) {}

  std::string paint() {
    header();
    for (const TreeRow& row : tree_.rows) {
      const std::string indent = indent_of(row);
      line(row, indent);
      for (const std::string& words : said_in(*row.span)) note(row, words);
      for (const SpanEvent& event : row.span->events())
        if (const std::string text = note_of(event); !text.empty()) note(row, text);
    }
    return std::move(text_);
  }

 private:
  void header() {
    const std::string id = "trace " + hex(tree_.rows.front().span->ids.trace);
    text_ += id + right_aligned("in/out tokens", label_ + 1 - columns(id));
    text_ += right_aligned("time", kTimeWidth - 1);
    const std::string whole = duration_text(seconds_of(tree_.ended - tree_.began));
    if (bars_ > 0) text_ += "  0" + right_aligned(whole, bars_ - 1);
    text_ += '\n';
  }

  void line(const TreeRow& row, const std::string& indent) {
    const std::string tokens = tokens_text(row.tokens);
    const int room = label_ - (tokens.empty() ? 0 : columns(tokens) + 2);
    text_ += label(row, indent, room);
    text_ += right_aligned(tokens, label_ - room);
    text_ +=
        right_aligned(duration_text(seconds_of(row.span->ended - row.span->began)), kTimeWidth);
    if (bars_ > 0) bar(*row.span);
    while (text_.back() == ' ') text_.pop_back();
    text_ += '\n';
  }

  // As wide as `room`.
  std::string label(const TreeRow& row, const std::string& indent, int room) const {
    const SpanRecord& span = *row.span;
    const std::string facts = one_line(facts_of(span));
    const std::string mark = one_line(mark_of(row));
    std::string text = indent + printable(one_line(title_of(span)));
    if (!facts.empty()) text += "  " + printable(facts);
    if (!mark.empty()) text += facts.empty() ? "  " : ", ";
    const int all = columns(text) + columns(mark);
    if (all > room) return cut(text + printable(mark), room);
    return text + coloured(printable(mark), mark.starts_with("ERROR") ? kRed : kYellow) +
           spaces(room - all);
  }

  void note(const TreeRow& row, const std::string& text) {
    const std::string indent = below(row) + (row.has_children ? std::string(glyphs_.through) : "");
    text_ += cut(indent + std::string(glyphs_.dot) + printable(one_line(text)), width_) + '\n';
  }

  // Starts in whole cells and is long in eighths of one, since blocks fill from the left.
  void bar(const SpanRecord& span) {
    const double whole = static_cast<double>(std::max<std::int64_t>(tree_.ended - tree_.began, 1));
    const double from = static_cast<double>(span.began - tree_.began) / whole * bars_;
    const double length = static_cast<double>(span.ended - span.began) / whole * bars_;
    const int start = std::clamp(static_cast<int>(from), 0, bars_ - 1);
    const int eighths =
        std::clamp(static_cast<int>(std::lround(length * 8)), 1, (bars_ - start) * 8);
    text_ +=
        "  " + spaces(start) + coloured(style_.utf8 ? blocks(eighths) : hashes(eighths), kCyan);
  }

  static std::string blocks(int eighths) {
    static constexpr std::string_view kParts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    std::string text;
    for (int cell = 0; cell < eighths / 8; ++cell) text += "█";
    return text.append(kParts[eighths % 8]);
  }
  static std::string hashes(int eighths) {
    return std::string(static_cast<std::size_t>(std::max((eighths + 4) / 8, 1)), '#');
  }

  // What stands before the row's name.
  std::string indent_of(const TreeRow& row) {
    if (!row.parent) return {};
    return below(*row.parent) + std::string(row.last ? glyphs_.last : glyphs_.branch);
  }
  // What stands before all that is below the row.
  const std::string& below(const TreeRow& row) {
    const auto [found, is_new] = below_.try_emplace(&row);
    if (is_new && row.parent) {
      std::string indent = below(*row.parent) + (row.last ? "   " : std::string(glyphs_.through));
      if (columns(indent) > kMostIndent) indent = below(*row.parent);
      below_[&row] = std::move(indent);
    }
    return below_[&row];
  }

  std::string cut(const std::string& text, int room) const {
    if (columns(text) <= room) return text;
    const int kept = room - columns(glyphs_.more);
    return std::string(first_code_points(text, static_cast<std::size_t>(kept)))
        .append(glyphs_.more);
  }

  std::string coloured(std::string text, std::string_view colour) const {
    if (!style_.colour || text.empty()) return text;
    return std::string(colour).append(text).append(kPlain);
  }

  // In an ASCII terminal a foreign letter would become several wrong ones.
  std::string printable(std::string text) const {
    if (style_.utf8) return text;
    std::string ascii;
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < 0x80) ascii += c;
      if (byte >= 0xC0) ascii += '?';
    }
    return ascii;
  }

  const TreeStyle& style_;
  const Glyphs& glyphs_;
  const TreeOfTrace& tree_;
  const int width_;
  const int label_;  // columns up to the end of the tokens
  const int bars_;   // columns; 0: none are drawn
  std::unordered_map<const TreeRow*, std::string> below_;
  std::string text_;
};

}  // namespace

std::string render_tree(std::span<const SpanPtr> spans, const TreeStyle& style) {
  std::string text;
  for (const TreeOfTrace& tree : lay_out(spans)) text += Painter(style, tree).paint();
  return text;
}

}  // namespace mellea::telemetry
