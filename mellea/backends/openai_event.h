// One JSON object of a server that speaks OpenAI's protocol: a stream's event, or a whole answer.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/backends/json_reader.h"
#include "mellea/core/reply.h"

namespace mellea {

// What an object says, as views that are good until the next one is read. Empty means not said.
struct OpenAiEvent {
  struct Call {
    std::optional<std::int64_t> index{};
    std::string_view id{};
    std::string_view name{};
    std::string_view arguments{};
  };
  struct Choice {
    std::int64_t index = 0;
    std::string_view thinking{};
    std::string_view text{};
    std::string_view refusal{};
    std::string_view finish_reason{};
    std::string_view logprobs{};  // a JSON object, not read yet
    std::size_t calls_end = 0;  // its calls end here in `calls`, and begin where the last one's end
  };

  struct Other {
    std::string_view name{};
    std::string_view json{};  // not read yet
  };

  std::string_view id{};
  std::string_view model{};
  std::string_view service_tier{};
  std::string_view system_fingerprint{};
  bool is_error = false;
  std::string_view choice_error{};  // a JSON object, where a choice has failed
  bool has_choices = false;
  std::vector<Choice> choices{};
  std::vector<Call> calls{};
  std::optional<Usage> usage{};
  std::vector<Other> others{};  // what the protocol has no name for, and "usage" if there is such

  void clear();
};

// Reads one object after another with the same memory. Of more choices than `most_choices`, or more
// calls than any answer has, it makes nothing.
class OpenAiEventReader {
 public:
  explicit OpenAiEventReader(std::size_t most_choices) : most_choices_(most_choices) {}

  // Null if `json` was read into event(); else why not, as a clause.
  const char* read(std::string_view json);
  const OpenAiEvent& event() const noexcept { return event_; }

 private:
  using Value = JsonReader::Value;
  using Object = JsonReader::Object;

  void take(Object object);
  void other(std::string_view name, Value value);
  void choices(Value value);
  void choice(Object object);
  void said(Value value, OpenAiEvent::Choice& choice);
  void content(Value value, OpenAiEvent::Choice& choice);
  void thinking_parts(Value value, OpenAiEvent::Choice& choice);
  std::string_view joined(std::string_view all, std::string_view more);
  void tool_calls(Value value);
  OpenAiEvent::Call& new_call();
  void function(Value value, OpenAiEvent::Call& call);
  void usage(Object object);
  void groq(Object object);

  const std::size_t most_choices_;
  JsonReader reader_;
  std::deque<std::string> joined_;  // texts that came in parts; of a choice, its text and thinking
  OpenAiEvent event_;
};

}  // namespace mellea
