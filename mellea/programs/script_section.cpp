#include "mellea/programs/script_section.h"

#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "mellea/core/error.h"

namespace mellea {
namespace {

using scripted::Line;

constexpr std::array<std::string_view, 5> kKinds = {"say", "call", "texts", "vectors", "error"};
constexpr std::array<std::string_view, 10> kKeys = {"say",     "call",  "arguments",   "texts",
                                                    "vectors", "error", "retry_after", "delay",
                                                    "cut",     "usage"};

Errc code_of(std::int64_t status) {
  switch (status) {
    case 400:
    case 422: return Errc::invalid_request;
    case 401:
    case 403: return Errc::auth;
    case 404: return Errc::not_found;
    case 408: return Errc::timeout;
    case 429: return Errc::rate_limit;
    default: return status >= 500 ? Errc::server_error : Errc::unknown;
  }
}

// Reads one answer of the script.
class LineReader {
 public:
  LineReader(Reading& reading, const YamlNode& node) : reading_(reading), node_(node) {}

  Line read() {
    if (!reading_.is_map(node_, "script")) return {};
    reading_.require_known(node_, kKeys, "in a script");
    const YamlNode* what = kind();
    if (!what) return {};
    if (const YamlNode* delay = node_.find("delay"))
      delay_ = reading_.duration(*delay, "delay").value_or(std::chrono::milliseconds(0));
    refuse_stray("arguments", "call");
    refuse_stray("retry_after", "error");
    if (what->key == "error") return error(*what);
    if (what->key == "say") say(*what);
    if (what->key == "call") call(*what);
    if (what->key == "texts") texts(*what);
    if (what->key == "vectors") vectors(*what);
    return ended();
  }

 private:
  const YamlNode* kind() {
    const YamlNode* found = nullptr;
    int count = 0;
    for (const std::string_view name : kKinds) {
      const YamlNode* value = node_.find(name);
      if (!value) continue;
      found = value;
      ++count;
    }
    if (count == 1) return found;
    reading_.fault(node_.at, "an answer of a script has exactly one of " + listed(kKinds));
    return nullptr;
  }

  void refuse_stray(std::string_view key, std::string_view of) {
    if (const YamlNode* stray = node_.find(key); stray && !node_.find(of))
      reading_.fault(stray->key_at, std::string(key) + ": belongs to " + std::string(of));
  }

  void piece(Chunk chunk) {
    if (delay_.count() > 0) line_.delay(delay_);
    line_.chunk(std::move(chunk));
    ++pieces_;
    if (pieces_ == cut_) line_.cut();
  }

  // After so many pieces the connection is cut.
  void read_cut() {
    if (const YamlNode* cut = node_.find("cut"))
      cut_ = reading_.whole_number(*cut, "cut", 0).value_or(-1);
    if (cut_ == 0) line_.cut();
  }

  void say(const YamlNode& node) {
    read_cut();
    for (std::string& text : reading_.texts(node, "say")) piece({.what = std::move(text)});
    line_.finish("stop");
  }

  void call(const YamlNode& node) {
    read_cut();
    const auto name = reading_.text(node, "call");
    const YamlNode* arguments = node_.find("arguments");
    if (!name || (arguments && !reading_.is_map(*arguments, "arguments"))) return;
    const std::string written = arguments ? to_json(*arguments).dump() : "{}";
    piece({.what = ToolCallPart{.id = "call_1", .name = *name, .arguments = written}});
    line_.finish("tool_calls");
  }

  void texts(const YamlNode& node) {
    read_cut();
    int index = 0;
    for (std::string& text : reading_.texts(node, "texts"))
      piece({.index = index++, .what = std::move(text)});
  }

  void vectors(const YamlNode& node) {
    read_cut();
    if (!reading_.is_list(node, "vectors")) return;
    int index = 0;
    for (const YamlNode& vector : node.children) {
      if (!reading_.is_list(vector, "vectors")) continue;
      Embedding embedding;
      for (const YamlNode& value : vector.children)
        embedding.values.push_back(
            static_cast<float>(reading_.number(value, "vectors").value_or(0)));
      piece({.index = index++, .what = std::move(embedding)});
    }
  }

  Line error(const YamlNode& node) {
    for (const std::string_view key : {"cut", "usage"})
      if (const YamlNode* stray = node_.find(key))
        reading_.fault(stray->key_at, std::string(key) + ": an error has none");
    const auto status = reading_.whole_number(node, "error", 400);
    if (!status) return {};
    if (*status > 599) {
      reading_.fault(node.at, "error: " + node.text + "; a status of HTTP, from 400 to 599");
      return {};
    }
    const Errc code = code_of(*status);
    ErrorDetails details{.status = static_cast<int>(*status),
                         .retryable = code == Errc::timeout || code == Errc::rate_limit ||
                                      code == Errc::server_error};
    if (const YamlNode* after = node_.find("retry_after"))  // in seconds, as the header has it
      if (const auto seconds = reading_.whole_number(*after, "retry_after", 0))
        details.retry_after = std::chrono::seconds(std::min<std::int64_t>(*seconds, 86'400));
    if (delay_.count() > 0) line_.delay(delay_);
    return line_.fail(Error(code,
                            "scripted: " + std::to_string(*status) + ' ' +
                                std::string(to_string(code)) + ": as the script says",
                            std::move(details)));
  }

  Line ended() {
    if (cut_ > pieces_)
      reading_.fault(node_.find("cut")->at,
                     "cut: " + std::to_string(cut_) + " of " + std::to_string(pieces_) + " pieces");
    if (const YamlNode* usage = node_.find("usage")) line_.usage(read_usage(*usage));
    return std::move(line_);
  }

  Usage read_usage(const YamlNode& node) {
    constexpr std::array<std::string_view, 2> kCounts = {"input", "output"};
    if (!reading_.is_map(node, "usage")) return {};
    reading_.require_known(node, kCounts, "in usage");
    const auto count = [&](std::string_view name) -> std::optional<std::int64_t> {
      const YamlNode* value = node.find(name);
      return value ? reading_.whole_number(*value, "usage." + std::string(name), 0) : std::nullopt;
    };
    return {.input_tokens = count("input"), .output_tokens = count("output")};
  }

  Reading& reading_;
  const YamlNode& node_;
  Line line_;
  std::chrono::milliseconds delay_{0};  // before each piece
  std::int64_t pieces_ = 0;
  std::int64_t cut_ = -1;  // -1: it is not cut
};

}  // namespace

std::vector<Line> read_script(Reading& reading, const YamlNode& node) {
  std::vector<Line> lines;
  if (!reading.is_list(node, "script")) return lines;
  if (node.children.empty()) reading.fault(node.at, "script: the list is empty");
  for (const YamlNode& child : node.children) lines.push_back(LineReader(reading, child).read());
  return lines;
}

}  // namespace mellea
