#include "mellea/backends/llama_text.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "mellea/backends/reply_decoder.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

constexpr std::string_view kThink = "<think>", kThinkEnd = "</think>";
constexpr std::string_view kCall = "<tool_call>", kCallEnd = "</tool_call>";
constexpr std::string_view kBlanks = " \t\r\n";

// How many bytes of the end of `text` may be the beginning of `mark`.
std::size_t begun(std::string_view text, std::string_view mark) {
  std::size_t size = std::min(text.size(), mark.size() - 1);
  while (size > 0 && !mark.starts_with(text.substr(text.size() - size))) --size;
  return size;
}

// How many bytes of the end are a code point that is not whole.
std::size_t unfinished(std::string_view text) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(text.size(), 3); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if (byte < 0x80) return 0;
    if (byte < 0xC0) continue;
    const std::size_t size = byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
    return size > back ? back : 0;
  }
  return 0;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(kBlanks);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

}  // namespace

struct LlamaText::Mark {
  std::string_view text;
  Mode next;
};

bool LlamaText::feed(std::string_view bytes, Instant at, int index, std::vector<Chunk>& out) {
  if (mode_ == Mode::stopped) return false;
  held_ += bytes;
  while (step(at, index, out)) {
  }
  return mode_ != Mode::stopped;
}

void LlamaText::end(Instant at, int index, std::vector<Chunk>& out) {
  if (mode_ == Mode::stopped) return;
  if (mode_ == Mode::call) {  // it was none
    held_.insert(0, kCall);
    mode_ = Mode::answer;
  }
  put_text(held_.size(), at, index, out);
}

// What may end the mode that we are in.
std::vector<LlamaText::Mark> LlamaText::marks() const {
  std::vector<Mark> marks;
  if (mode_ == Mode::call) return {{kCallEnd, Mode::answer}};
  for (const std::string& stop : marks_.stops)
    if (!stop.empty()) marks.push_back({stop, Mode::stopped});
  if (mode_ == Mode::thinking) marks.push_back({kThinkEnd, Mode::answer});
  if (mode_ == Mode::beginning) marks.push_back({kThink, Mode::thinking});
  if (mode_ != Mode::thinking && marks_.tool_calls) marks.push_back({kCall, Mode::call});
  return marks;
}

// Up to the next mark, or as far as there can be none. False if there is no more to be done.
bool LlamaText::step(Instant at, int index, std::vector<Chunk>& out) {
  if (mode_ == Mode::beginning) {
    const std::string_view text = trimmed(held_);
    if (!text.empty() && !kThink.starts_with(text.substr(0, kThink.size()))) mode_ = Mode::answer;
  }
  std::size_t found = held_.npos;
  Mark mark{};
  std::size_t keep = unfinished(held_);
  for (const Mark& each : marks()) {
    if (const auto place = held_.find(each.text); place < found) {
      found = place;
      mark = each;
    }
    keep = std::max(keep, begun(held_, each.text));
  }
  if (found == held_.npos) {
    if (mode_ != Mode::call && mode_ != Mode::beginning)
      put_text(held_.size() - keep, at, index, out);
    return false;
  }
  if (mode_ == Mode::call)
    put_call(found, at, index, out);
  else if (mark.next == Mode::thinking)
    held_.erase(0, found);  // blanks before it
  else
    put_text(found, at, index, out);
  held_.erase(0, mark.text.size());
  trim_ = trim_ || mode_ == Mode::call || mode_ == Mode::thinking || mark.next == Mode::thinking;
  mode_ = mark.next;
  if (mode_ == Mode::stopped) held_.clear();
  return !held_.empty();
}

void LlamaText::put_text(std::size_t size, Instant at, int index, std::vector<Chunk>& out) {
  std::string text = to_utf8(std::string_view(held_).substr(0, size));
  held_.erase(0, size);
  if (trim_) text.erase(0, std::min(text.find_first_not_of(kBlanks), text.size()));
  if (text.empty()) return;
  trim_ = false;
  if (mode_ == Mode::thinking)
    put(out, at, index, Thinking{std::move(text)});
  else
    put(out, at, index, std::move(text));
}

void LlamaText::put_call(std::size_t size, Instant at, int index, std::vector<Chunk>& out) {
  const std::string call = held_.substr(0, size);
  held_.erase(0, size);
  nlohmann::json read;
  if (!nests_deeper_than(call, 256)) read = nlohmann::json::parse(call, nullptr, false);
  const bool is_call = read.is_object() && read.contains("name") && read["name"].is_string() &&
                       read.contains("arguments") && read["arguments"].is_object();
  if (!is_call)
    return put(out, at, index, std::string(kCall) + to_utf8(call) + std::string(kCallEnd));
  put(out, at, index,
      ToolCallPart{.call = calls_,
                   .id = marks_.id_stem + std::to_string(calls_),
                   .name = read["name"],
                   .arguments = Json(read["arguments"]).text()});
  ++calls_;
}

}  // namespace mellea
