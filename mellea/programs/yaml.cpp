#include "mellea/programs/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "mellea/core/text.h"

namespace mellea {
namespace {

using nlohmann::json;

constexpr std::size_t kDeepest = 64;

// The file, and where its lines begin. Used by one thread.
class Source {
 public:
  explicit Source(std::string_view text) : text_(text) {
    for (std::size_t at = 0; at < text.size(); ++at)
      if (text[at] == '\n') lines_.push_back(at + 1);
  }

  std::string_view text() const noexcept { return text_; }

  std::size_t offset(const YAML::Mark& mark) const noexcept {
    if (mark.is_null()) return text_.size();
    const std::size_t line = std::min(static_cast<std::size_t>(mark.line), lines_.size() - 1);
    return std::min(lines_[line] + static_cast<std::size_t>(mark.column), text_.size());
  }
  Place place(const YAML::Mark& mark) const noexcept { return place(offset(mark)); }
  Place place(std::size_t offset) const noexcept {
    const auto after = std::upper_bound(lines_.begin(), lines_.end(), offset);
    const int line = static_cast<int>(after - lines_.begin());
    const bool is_behind = last_.line == line && last_offset_ <= offset;
    if (!is_behind) last_ = {.line = line, .column = 1};
    const std::size_t counted = is_behind ? last_offset_ : *(after - 1);
    last_.column += static_cast<int>(code_points(text_.substr(counted, offset - counted)));
    last_offset_ = offset;
    return last_;
  }

 private:
  const std::string_view text_;
  std::vector<std::size_t> lines_{0};  // in bytes
  // The place that was asked for last: the next is mostly behind it, in a line that may be the
  // whole file.
  mutable Place last_{};
  mutable std::size_t last_offset_ = 0;
};

std::string to_string(Place at) {
  return std::to_string(at.line) + ':' + std::to_string(at.column);
}

// Where the quoted text that begins at `offset` ends, behind its quote; npos if it does not.
std::size_t end_of_quoted(std::string_view text, std::size_t offset) {
  const char quote = text[offset];
  for (std::size_t at = offset + 1; at < text.size(); ++at) {
    if (quote == '"' && text[at] == '\\')
      ++at;
    else if (text[at] == quote && quote == '\'' && text.substr(at + 1).starts_with('\''))
      ++at;
    else if (text[at] == quote)
      return at + 1;
  }
  return text.npos;
}

// Thrown where nothing that follows would make sense.
struct Broken {
  Fault fault;
};

// Makes a tree of the parser's events.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(const Source& source, std::vector<Fault>& faults)
      : source_(source), faults_(faults) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (root_) {
      const bool marked = source_.text().substr(source_.offset(mark)).starts_with("---");
      throw Broken{{source_.place(mark),
                    marked ? "a second document begins here: one file is one program"
                           : "this belongs to nothing above it: is the indentation right?"}};
    }
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    take(mark, "", anchor, {.kind = YamlNode::Kind::null});
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    if (has_room()) fault(source_.place(mark), alias_fault(mark));
    take(mark, "", 0, {.kind = YamlNode::Kind::null});
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    const std::size_t offset = source_.offset(mark);
    const bool quoted = tag == "!";
    const std::string_view here = source_.text().substr(offset);
    const bool in_quotes = quoted && (here.starts_with('"') || here.starts_with('\''));
    if (in_quotes && end_of_quoted(source_.text(), offset) == here.npos)
      throw Broken{{source_.place(source_.text().size()),
                    "a text opened at " + to_string(source_.place(mark)) + " is not closed"}};
    take(mark, quoted ? "" : tag, anchor,
         {.kind = YamlNode::Kind::scalar, .text = value, .quoted = quoted, .offset = offset});
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    open(mark, tag, anchor, YamlNode::Kind::list, style);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    open(mark, tag, anchor, YamlNode::Kind::map, style);
  }
  void OnMapEnd() override { close(); }

  // Null if there is no document.
  YamlNode root() && { return root_ ? std::move(*root_) : YamlNode{.at = {1, 1}}; }

  // The innermost list or map in brackets that is open, in words; empty: none is.
  std::string open_bracket() const {
    for (auto level = open_.rbegin(); level != open_.rend(); ++level)
      if (level->in_brackets)
        return (level->node.kind == YamlNode::Kind::list ? "a list opened at "
                                                         : "a map opened at ") +
               to_string(level->node.at);
    return "";
  }

  std::string alias_fault(const YAML::Mark& mark) const {
    const std::string_view rest = source_.text().substr(source_.offset(mark));
    const std::string_view word = rest.substr(0, rest.find_first_of(" \t\r\n,]}"));
    return "\"" + one_line(word, 40) +
           "\": there are no aliases here: write out what is meant (a text that begins with * "
           "needs quotes)";
  }

 private:
  bool has_room() const { return faults_.size() < kMostFaults; }
  void fault(Place at, std::string what) {
    if (has_room()) faults_.push_back({at, std::move(what)});
  }

  // A list or a map that has not ended.
  struct Level {
    YamlNode node{};
    bool in_brackets = false;
    std::optional<YamlNode> key{};       // of a map: the next thing is its value
    std::map<std::string, int> lines{};  // of a map's keys: where they were first
  };

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            YamlNode::Kind kind, YAML::EmitterStyle::value style) {
    refuse_extras(mark, tag, anchor);
    if (open_.size() >= kDeepest)
      throw Broken{{source_.place(mark), "nested more than " + std::to_string(kDeepest) + " deep"}};
    open_.push_back({.node = {.kind = kind, .at = source_.place(mark)},
                     .in_brackets = style == YAML::EmitterStyle::Flow});
  }

  void close() {
    YamlNode node = std::move(open_.back().node);
    open_.pop_back();
    add(std::move(node));
  }

  void take(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YamlNode node) {
    refuse_extras(mark, tag, anchor);
    node.at = source_.place(mark);
    add(std::move(node));
  }

  void refuse_extras(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (anchor != 0)
      fault(source_.place(mark),
            "there are no anchors here (a text that begins with & needs quotes)");
    if (!tag.empty() && tag != "?" && tag != "!")
      fault(source_.place(mark), "there are no tags here: \"" + one_line(tag, 60) +
                                     "\" (a text that begins with ! needs quotes)");
  }

  void add(YamlNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Level& level = open_.back();
    if (level.node.kind == YamlNode::Kind::list) {
      level.node.children.push_back(std::move(node));
    } else if (!level.key) {
      level.key = std::move(node);
    } else {
      add_member(level, std::move(*std::exchange(level.key, std::nullopt)), std::move(node));
    }
  }

  void add_member(Level& level, YamlNode key, YamlNode value) {
    if (key.kind != YamlNode::Kind::scalar) {
      fault(key.at, "a key is a text");
      return;
    }
    if (key.text == "<<" && !key.quoted) {
      fault(key.at, "\"<<\": there are no merge keys here: write out what is meant");
      return;
    }
    const auto [first, is_new] = level.lines.emplace(key.text, key.at.line);
    if (!is_new) {
      fault(key.at, "key \"" + one_line(key.text, 60) + "\" is here twice (first at line " +
                        std::to_string(first->second) + ")");
      return;
    }
    if (value.kind == YamlNode::Kind::null) value.at = key.at;  // it may stand nowhere
    value.key = std::move(key.text);
    value.key_at = key.at;
    level.node.children.push_back(std::move(value));
  }

  const Source& source_;
  std::vector<Fault>& faults_;
  std::vector<Level> open_;  // outermost first
  std::optional<YamlNode> root_;
};

// "\d" in double quotes.
std::string escape_fault(std::string_view text, std::size_t escape) {
  std::size_t begin = text.rfind('"', escape);
  if (begin == text.npos) begin = escape;
  const std::size_t end = end_of_quoted(text, begin);
  std::string written;
  for (const char c : text.substr(begin + 1, std::min(end, text.size()) - begin - 2))
    written.append(c == '\'' ? 2 : 1, c);
  return one_line("\"" + std::string(text.substr(escape, 2)) + "\"") +
         " in double quotes is no YAML escape: write regexes in single quotes: '" +
         one_line(written, 60) + "'";
}

// What the parser found, in words that say what to do.
Fault fault_of(const YAML::Exception& error, const Source& source, const TreeBuilder& builder) {
  using namespace YAML::ErrorMsg;
  const Place at = source.place(error.mark);
  const std::string_view what = error.msg;
  const auto is = [&](const char* message) { return what == message; };
  if (what.starts_with(INVALID_ESCAPE)) {
    const std::size_t behind = source.offset(error.mark);  // the escape's letter
    const std::size_t escape = source.text().rfind('\\', behind == 0 ? 0 : behind - 1);
    if (escape != std::string_view::npos)
      return {source.place(escape), escape_fault(source.text(), escape)};
  }
  if (is(END_OF_SEQ_FLOW) || is(END_OF_MAP_FLOW))
    if (const std::string open = builder.open_bracket(); !open.empty())
      return {at, open + " is not closed"};
  if (is(UNKNOWN_ANCHOR)) return {at, builder.alias_fault(error.mark)};
  if (is(MAP_VALUE) || is(MAP_KEY))
    return {at, "a \":\" of no key: a text with \": \" in it needs quotes"};
  if (is(END_OF_MAP) || is(END_OF_SEQ) || is(BLOCK_ENTRY))
    return {at, "this does not fit what is above it: is the indentation right?"};
  if (is(TAB_IN_INDENTATION)) return {at, "a tab in the indentation: use blanks"};
  if (is(FLOW_END)) return {at, "a bracket that closes nothing"};
  if (is(UNKNOWN_TOKEN)) return {at, "a text that begins with a letter like this needs quotes"};
  return {at, "YAML: " + one_line(what, 120)};
}

// A text that YAML does not allow, whatever it means; the parser would take some of it for its end.
std::optional<Fault> forbidden(const Source& source) {
  const std::string_view text = source.text();
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if ((byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7F)
      return Fault{source.place(at), "a control character (" + std::to_string(byte) + ")"};
  }
  for (std::size_t line = 0; line < text.size();) {
    const std::size_t end = std::min(text.find('\n', line), text.size());
    if (!is_utf8(text.substr(line, end - line)))
      return Fault{source.place(line), "this line is not UTF-8: convert the file, with iconv"};
    line = end + 1;
  }
  return {};
}

// JSON writes what is beyond 16 bits as two escapes, which the parser does not know: one of YAML's
// for each such two. (Columns behind one are off by two.)
std::string with_whole_escapes(std::string_view text) {
  const auto unit = [&](std::size_t at) {
    unsigned value = 0;
    if (text.substr(at, 2) != "\\u" || text.size() < at + 6) return value;
    const auto [end, error] =
        std::from_chars(text.data() + at + 2, text.data() + at + 6, value, 16);
    return error == std::errc{} && end == text.data() + at + 6 ? value : 0U;
  };
  constexpr std::array<char, 17> kDigits{"0123456789ABCDEF"};
  std::string whole;
  for (std::size_t at = 0; at < text.size();) {
    const unsigned high = unit(at);
    const unsigned low = high >= 0xD800 && high < 0xDC00 ? unit(at + 6) : 0;
    if (low >= 0xDC00 && low < 0xE000) {
      const unsigned code = 0x10000 + ((high - 0xD800) << 10U) + (low - 0xDC00);
      whole += "\\U";
      for (int shift = 28; shift >= 0; shift -= 4)
        whole += kDigits[code >> static_cast<unsigned>(shift) & 0xFU];
      at += 12;
    } else {
      const std::size_t size = text.substr(at).starts_with("\\\\") ? 2 : 1;
      whole += text.substr(at, size);
      at += size;
    }
  }
  return whole;
}

}  // namespace

bool is_json_number(std::string_view text) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const std::size_t first = text.starts_with('-') ? 1 : 0;
  if (text.size() <= first || !is_digit(text[first])) return false;
  return json::accept(text);
}

const YamlNode* YamlNode::find(std::string_view name) const noexcept {
  const auto found = std::find_if(children.begin(), children.end(),
                                  [&](const YamlNode& child) { return child.key == name; });
  return kind == Kind::map && found != children.end() ? &*found : nullptr;
}

std::optional<YamlTree> parse_yaml(std::string_view text, std::vector<Fault>& faults) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  const bool is_json = trimmed(text).starts_with('{') || trimmed(text).starts_with('[');
  YamlTree tree{.text = is_json ? with_whole_escapes(text) : std::string(text)};
  const Source source(tree.text);
  if (auto fault = forbidden(source)) {
    faults.push_back(std::move(*fault));
    return {};
  }
  TreeBuilder builder(source, faults);
  try {
    std::istringstream stream(tree.text);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Broken& broken) {
    faults.push_back(broken.fault);
    return {};
  } catch (const YAML::Exception& error) {
    faults.push_back(fault_of(error, source, builder));
    return {};
  }
  tree.root = std::move(builder).root();
  return tree;
}

Place place_of(std::string_view text, std::size_t offset) {
  return Source(text).place(std::min(offset, text.size()));
}

json to_json(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null: return nullptr;
    case YamlNode::Kind::list: {
      json list = json::array();
      for (const YamlNode& child : node.children) list.push_back(to_json(child));
      return list;
    }
    case YamlNode::Kind::map: {
      json map = json::object();
      for (const YamlNode& child : node.children) map[child.key] = to_json(child);
      return map;
    }
    case YamlNode::Kind::scalar: break;
  }
  if (!node.quoted && (node.text == "true" || node.text == "false")) return node.text == "true";
  if (!node.quoted && is_json_number(node.text)) return json::parse(node.text);
  return node.text;
}

}  // namespace mellea
