// Matches texts against a grammar, as far as llama_grammar() writes them.
#pragma once

#include <cctype>
#include <cstdint>
#include <functional>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mellea {

// Backtracks, in code points. Throws std::runtime_error for a grammar that it cannot read, or which
// names a rule that is not there.
class GbnfForTest {
 public:
  explicit GbnfForTest(const std::string& grammar) {
    std::istringstream lines(grammar);
    for (std::string line; std::getline(lines, line);) {
      const auto is = line.find(" ::= ");
      if (is == line.npos) throw std::runtime_error("no rule: " + line);
      rules_[line.substr(0, is)] = code_points(line.substr(is + 5));
    }
    for (const auto& [name, body] : rules_) {
      std::size_t at = 0;
      check(body, at);
      if (at != body.size()) throw std::runtime_error("what is left of " + name);
    }
  }

  bool matches(std::string_view text) const {
    const Text all = code_points(text);
    return rule("root", all, 0, [&](std::size_t end) { return end == all.size(); });
  }

 private:
  using Text = std::u32string;
  using Then = std::function<bool(std::size_t)>;

  static Text code_points(std::string_view bytes) {
    Text text;
    for (std::size_t i = 0; i < bytes.size();) {
      const auto lead = static_cast<unsigned char>(bytes[i]);
      const std::size_t size = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
      char32_t point = size == 1 ? lead : lead & (0x7FU >> size);
      for (std::size_t k = 1; k < size; ++k)
        point = point << 6U | (static_cast<unsigned char>(bytes.at(i + k)) & 0x3FU);
      text += point;
      i += size;
    }
    return text;
  }

  // Items of a body, from `at` to its end, a bar or a bracket.
  struct Item {
    enum class Kind { literal, range, rule, group } kind{};
    Text text{};  // of a literal; the name of a rule; the body of a group
    std::vector<std::pair<char32_t, char32_t>> ranges{};
    bool negated = false;
    std::size_t least = 1, most = 1;
  };

  static void blanks(const Text& body, std::size_t& at) {
    while (at < body.size() && body[at] == U' ') ++at;
  }
  static char32_t escaped(const Text& body, std::size_t& at) {
    if (body.at(at) != U'\\') return body[at++];
    const char32_t c = body.at(at + 1);
    at += 2;
    switch (c) {
      case U'n': return U'\n';
      case U't': return U'\t';
      case U'r': return U'\r';
      case U'x': {
        char32_t value = 0;
        for (int i = 0; i < 2; ++i) {
          const char32_t digit = body.at(at++);
          value = value * 16 + (digit <= U'9' ? digit - U'0' : digit - U'A' + 10);
        }
        return value;
      }
      case U'"':
      case U'\\':
      case U'[':
      case U']': return c;
      default: throw std::runtime_error("an escape that llama.cpp does not know");
    }
  }
  static bool is_name(char32_t c) {
    return (c >= U'a' && c <= U'z') || (c >= U'A' && c <= U'Z') || (c >= U'0' && c <= U'9') ||
           c == U'-';
  }

  static Item item(const Text& body, std::size_t& at) {
    Item item;
    const char32_t c = body.at(at);
    if (c == U'"') {
      for (++at; body.at(at) != U'"';) item.text += escaped(body, at);
      ++at;
    } else if (c == U'[') {
      item.kind = Item::Kind::range;
      item.negated = body.at(++at) == U'^';
      if (item.negated) ++at;
      while (body.at(at) != U']') {
        const char32_t from = escaped(body, at);
        char32_t to = from;
        if (body.at(at) == U'-' && body.at(at + 1) != U']') to = escaped(body, ++at);
        item.ranges.emplace_back(from, to);
      }
      ++at;
    } else if (c == U'(') {
      item.kind = Item::Kind::group;
      const std::size_t begin = ++at;
      Text inner = body.substr(begin);
      std::size_t end = 0;
      skip_body(inner, end);
      item.text = inner.substr(0, end);
      at = begin + end + 1;
    } else if (is_name(c)) {
      item.kind = Item::Kind::rule;
      while (at < body.size() && is_name(body[at])) item.text += body[at++];
    } else {
      throw std::runtime_error("what is this?");
    }
    times(body, at, item);
    blanks(body, at);
    return item;
  }

  static void times(const Text& body, std::size_t& at, Item& item) {
    constexpr std::size_t kMany = 1U << 20U;
    if (at >= body.size()) return;
    const auto number = [&](std::size_t otherwise) {
      if (body.at(at) < U'0' || body[at] > U'9') return otherwise;
      std::size_t value = 0;
      for (; body.at(at) >= U'0' && body[at] <= U'9'; ++at) value = value * 10 + (body[at] - U'0');
      return value;
    };
    switch (body[at]) {
      case U'*': item.least = 0, item.most = kMany, ++at; break;
      case U'?': item.least = 0, ++at; break;
      case U'{': {
        ++at;
        item.least = item.most = number(0);
        if (body.at(at) == U',') item.most = number((++at, kMany));
        if (body.at(at++) != U'}') throw std::runtime_error("no }");
        break;
      }
      default: break;
    }
  }

  static void skip_body(const Text& body, std::size_t& at) {
    blanks(body, at);
    while (at < body.size() && body[at] != U')') {
      if (body[at] == U'|') {
        ++at;
        blanks(body, at);
      } else {
        item(body, at);
      }
    }
  }

  void check(const Text& body, std::size_t& at) const {
    blanks(body, at);
    while (at < body.size()) {
      if (body[at] == U'|') {
        ++at;
        blanks(body, at);
        continue;
      }
      const Item each = item(body, at);
      if (each.kind == Item::Kind::rule && rules_.count(narrow(each.text)) == 0)
        throw std::runtime_error("no rule " + narrow(each.text));
      std::size_t inner = 0;
      if (each.kind == Item::Kind::group) check(each.text, inner);
    }
  }

  static std::string narrow(const Text& text) { return {text.begin(), text.end()}; }

  bool rule(const std::string& name, const Text& text, std::size_t at, const Then& then) const {
    return body(rules_.at(name), text, at, then);
  }

  bool body(const Text& body, const Text& text, std::size_t at, const Then& then) const {
    std::vector<std::vector<Item>> choices(1);
    std::size_t place = 0;
    for (blanks(body, place); place < body.size();) {
      if (body[place] == U'|') {
        choices.emplace_back();
        ++place;
        blanks(body, place);
      } else {
        choices.back().push_back(item(body, place));
      }
    }
    for (const auto& items : choices)
      if (sequence(items, 0, text, at, then)) return true;
    return false;
  }

  bool sequence(const std::vector<Item>& items, std::size_t next, const Text& text, std::size_t at,
                const Then& then) const {
    if (next == items.size()) return then(at);
    return repeated(items[next], 0, text, at,
                    [&](std::size_t end) { return sequence(items, next + 1, text, end, then); });
  }

  bool repeated(const Item& item, std::size_t done, const Text& text, std::size_t at,
                const Then& then) const {
    if (done < item.most && once(item, text, at, [&](std::size_t end) {
          return (end > at || done < item.least) && repeated(item, done + 1, text, end, then);
        }))
      return true;
    return done >= item.least && then(at);
  }

  bool once(const Item& item, const Text& text, std::size_t at, const Then& then) const {
    switch (item.kind) {
      case Item::Kind::literal:
        return text.compare(at, item.text.size(), item.text) == 0 && then(at + item.text.size());
      case Item::Kind::rule: return rule(narrow(item.text), text, at, then);
      case Item::Kind::group: return body(item.text, text, at, then);
      case Item::Kind::range: break;
    }
    if (at >= text.size()) return false;
    bool inside = false;
    for (const auto& [from, to] : item.ranges)
      inside = inside || (text[at] >= from && text[at] <= to);
    return inside != item.negated && then(at + 1);
  }

  std::map<std::string, Text> rules_;
};

}  // namespace mellea
