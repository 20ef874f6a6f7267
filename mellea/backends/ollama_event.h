// One line of an answer from Ollama: a piece of a stream, or the whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "mellea/backends/json_reader.h"

namespace mellea {

// What a line says, as views that are good until the next one is read. Empty means not said.
struct OllamaEvent {
  struct Call {
    std::string_view id{};
    std::string_view name{};
    std::string_view arguments{};  // JSON
  };

  std::string_view model{};
  std::string_view created_at{};
  std::string_view thinking{};
  std::string_view text{};
  std::vector<Call> calls{};
  std::string_view logprobs{};  // a JSON array, not read yet
  bool is_error = false;
  bool is_answer = false;  // it has what any line has: a message, a response or "done"

  // On the last line only.
  bool done = false;
  std::string_view done_reason{};
  std::optional<std::int64_t> prompt_eval_count{};  // tokens
  std::optional<std::int64_t> eval_count{};         // tokens
  std::optional<std::int64_t> total_duration{};     // ns, as all durations
  std::optional<std::int64_t> load_duration{};
  std::optional<std::int64_t> prompt_eval_duration{};
  std::optional<std::int64_t> eval_duration{};

  void clear();
};

// Reads lines of /api/chat and of /api/generate.
class OllamaEventReader {
 public:
  // Null if `json` was read into event(); else why not, as a clause.
  const char* read(std::string_view json);
  const OllamaEvent& event() const noexcept { return event_; }

 private:
  using Value = JsonReader::Value;
  using Object = JsonReader::Object;

  void take(Object object);
  void message(Value value);
  void tool_calls(Value value);
  void function(Object object, OllamaEvent::Call& call);

  JsonReader reader_;
  OllamaEvent event_;
};

}  // namespace mellea
