#include <algorithm>
#include <string>
#include <vector>

#include "mellea/core/error.h"
#include "mellea/runtime/compaction_rule.h"

namespace mellea {
namespace {

using Turns = Context::Turns;
using Role = Message::Role;

constexpr std::size_t kFrame = 16;     // bytes for what stands around a message
constexpr std::size_t kPage = 4096;    // bytes
constexpr std::size_t kOfSummary = 2;  // messages

std::size_t bytes_of(const Message& message) {
  std::size_t size = kFrame + message.text.size();
  size += kPage * (message.images.size() + message.audio.size());
  for (const ToolCall& call : message.tool_calls) size += call.name.size() + call.arguments.size();
  if (!message.tool_calls.empty()) size += message.thinking.size();  // else it is not sent
  return size;
}

// Where a turn begins: with words that are neither the model's nor a tool's.
bool begins_turn(const Message& message) {
  return message.role == Role::user || message.role == Role::system;
}

bool answers(const Message& result, const Message& earlier) {
  return std::any_of(earlier.tool_calls.begin(), earlier.tool_calls.end(), [&](const auto& call) {
    return result.tool_call_id.empty() ? call.name == result.tool_name
                                       : call.id == result.tool_call_id;
  });
}

// Places in a conversation. Those in front of a cut go, but for the pinned ones.
class Cutting {
 public:
  Cutting(const Turns& turns, const Message* pinned) : turns_(turns) {
    bool leading = true;
    for (const auto& turn : turns) {
      leading = leading && turn->role == Role::system;
      pinned_.push_back(leading || turn.get() == pinned);
    }
  }

  std::size_t unpinned() const {
    return static_cast<std::size_t>(std::count(pinned_.begin(), pinned_.end(), false));
  }

  // Leaves at most so many messages.
  std::size_t after_window(std::size_t most) const {
    return begin_of_turn(newest([&](const Message&) { return most > 0 && most-- > 0; }));
  }

  // Leaves at most so many bytes, and the newest turn in any case.
  std::size_t after_size(double most) const {
    for (std::size_t place = 0; place < turns_.size(); ++place)
      if (pinned_[place]) most -= static_cast<double>(bytes_of(*turns_[place]));
    const std::size_t cut = begin_of_turn(newest([&](const Message& message) {
      most -= static_cast<double>(bytes_of(message));
      return most >= 0;
    }));
    return std::min(cut, newest_turn());
  }

  Division apart(std::size_t cut) const {
    Division parts;
    for (std::size_t place = 0; place < turns_.size(); ++place) {
      const bool goes = !pinned_[place] && (place < cut || is_orphan(*turns_[place], parts.rest));
      Turns& where_it_stays = place < cut ? parts.pinned : parts.rest;
      (goes ? parts.forgotten : where_it_stays).push_back(turns_[place]);
    }
    return parts;
  }

 private:
  // The first place of the newest messages that `fits` takes, one by one.
  template <class Fits>
  std::size_t newest(Fits fits) const {
    std::size_t place = turns_.size();
    while (place > 0 && (pinned_[place - 1] || fits(*turns_[place - 1]))) --place;
    return place;
  }

  // The first from there on; there, if none begins.
  std::size_t begin_of_turn(std::size_t from) const {
    for (std::size_t place = from; place < turns_.size(); ++place)
      if (begins_turn(*turns_[place])) return place;
    return from;
  }

  std::size_t newest_turn() const {
    for (std::size_t place = turns_.size(); place > 0; --place)
      if (begins_turn(*turns_[place - 1])) return place - 1;
    return 0;
  }

  // A tool's result without its call.
  static bool is_orphan(const Message& message, const Turns& before) {
    return message.role == Role::tool &&
           std::none_of(before.begin(), before.end(),
                        [&](const auto& earlier) { return answers(message, *earlier); });
  }

  const Turns& turns_;
  std::vector<bool> pinned_;  // one a turn
};

}  // namespace

void refuse_what_can_not_be(const Compaction& compaction) {
  const auto refuse = [](const std::string& why) {
    throw Error(Errc::invalid_request, "compaction: " + why);
  };
  if (compaction.tokens < 0)
    refuse("tokens is " + std::to_string(compaction.tokens) + ": 0 is no limit");
  if (!compaction.summarise) return;
  if (compaction.window == 0 && compaction.tokens == 0)
    refuse("summarise without a limit, window or tokens: nothing would ever be summed up");
  if (compaction.window > 0 && compaction.window < 2 * kOfSummary)
    refuse("window is " + std::to_string(compaction.window) + ": a summary is " +
           std::to_string(kOfSummary) + " messages, so at least " + std::to_string(2 * kOfSummary) +
           " with one");
}

std::size_t size_of(const Turns& turns) {
  std::size_t size = 0;
  for (const auto& turn : turns) size += bytes_of(*turn);
  return size;
}

Measure measured(const Turns& turns, const std::optional<Usage>& usage) {
  if (!usage) return {};
  std::int64_t tokens = usage->total_tokens.value_or(0);
  if (usage->input_tokens && usage->output_tokens)
    tokens = *usage->input_tokens + *usage->output_tokens - usage->reasoning_tokens.value_or(0);
  return {.tokens = tokens, .size = size_of(turns)};
}

Turns Division::what_stays() const {
  Turns turns = pinned;
  turns.insert(turns.end(), rest.begin(), rest.end());
  return turns;
}

std::optional<Division> divide(const Compaction& compaction, const Turns& turns,
                               const Measure& measure, const Message* pinned) {
  if (compaction.window == 0 && compaction.tokens == 0) return {};
  const Cutting cutting(turns, pinned);
  std::string_view how;
  std::size_t cut = 0;
  if (compaction.window > 0 && cutting.unpinned() > compaction.window) {
    how = "window";
    cut = cutting.after_window(compaction.summarise ? compaction.window / 2 : compaction.window);
  }
  if (compaction.tokens > 0 && measure.tokens > 0) {
    const double bytes_a_token =
        static_cast<double>(measure.size) / static_cast<double>(measure.tokens);
    const double most = bytes_a_token * static_cast<double>(compaction.tokens);
    if (static_cast<double>(size_of(turns)) > most) {
      const std::size_t by_size = cutting.after_size(most * (compaction.summarise ? 0.5 : 0.75));
      if (by_size > cut) how = "tokens";
      cut = std::max(cut, by_size);
    }
  }
  if (cut == 0) return {};
  Division parts = cutting.apart(cut);
  if (parts.forgotten.empty()) return {};
  parts.how = how;
  return parts;
}

}  // namespace mellea
